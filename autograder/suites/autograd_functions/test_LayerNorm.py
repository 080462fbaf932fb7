"""`LayerNorm`: each row to mean 0 and variance 1; its gradient goes through both of them."""

import pytest
from torch.nn.functional import layer_norm

from autograder.exercise.checks import Misconception, expect
from autograder.exercise.draws import away_from_zero, between
from autograder.suites.autograd_functions.functions import Function

M, DIM = 5, 4


def draw(rng):
    """Five rows of four features, each with a mean and a variance of its own; a large `eps`."""
    spread = between(rng, 0.6, 2, M, 1)
    x = spread * away_from_zero(rng, 0.3, 1.5, M, DIM) + away_from_zero(rng, 1, 2, M, 1)
    weight, bias = (away_from_zero(rng, 0.5, 2, DIM) for _ in range(2))
    return {"x": x, "weight": weight, "bias": bias, "eps": float(between(rng, 0.1, 0.3, 1))}


def normed(x, eps, correction=0, outside=False, axis=-1):
    """The rows of mean 0, and what they are divided by."""
    variance = x.var(axis, correction=correction, keepdim=True)
    divisor = variance.sqrt() + eps if outside else (variance + eps).sqrt()
    return (x - x.mean(axis, keepdim=True)) / divisor, divisor


def back(x, eps, gw, mean=True, variance=True, **how):
    """The gradient of `x` by the formula, with parts of it left out."""
    n, divisor = normed(x, eps, **how)
    through_mean = gw.mean(-1, keepdim=True) if mean else 0
    through_variance = n * (gw * n).mean(-1, keepdim=True) if variance else 0
    return (gw - through_mean - through_variance) / divisor


def also(x, weight, eps, g):
    n, divisor = normed(x, eps)
    return {"n": n, "divisor": divisor, "gw": g * weight, "ones": 0 * g + 1}


NORM = Function(
    "LayerNorm",
    lambda x, weight, bias, eps: layer_norm(x, x.shape[-1:], weight, bias, eps),
    draw,
    also,
    terms=2 * DIM + M,
)
forward, second = NORM.forward, NORM.second
grad_x, grad_weight, grad_bias = NORM.gradients.values()


def unbiased(x, eps):
    return normed(x, eps, correction=1)[0]


def outside(x, eps):
    return normed(x, eps, outside=True)[0]


UNBIASED = Misconception(
    "unbiased-variance",
    "You divide by `n - 1` where the variance of a layer norm divides by `n`: `x.var(...)` does"
    " that unless you say `unbiased=False` (or `correction=0`).",
)
OUTSIDE = Misconception(
    "eps-outside-the-root",
    "You add `eps` to the standard deviation; it belongs to the variance, inside the root.",
)
NO_EPS = Misconception(
    "eps-forgotten", "`eps` is missing: it is added to the variance, before the root is taken."
)
OVER_BATCH = Misconception(
    "statistics-of-the-batch",
    "You normalize over the samples, as a batch norm does. A layer norm takes the mean and the"
    " variance of each row: over the last axis.",
)
UPSTREAM = Misconception(
    "upstream-ignored", "What comes in, `grad_output`, is ignored: it is 1 only for a plain sum."
)

forward.add(UNBIASED, lambda x, weight, bias, eps: weight * unbiased(x, eps) + bias)
forward.add(OUTSIDE, lambda x, weight, bias, eps: weight * outside(x, eps) + bias)
forward.add(NO_EPS, lambda x, weight, bias: weight * normed(x, 0)[0] + bias)
forward.add(OVER_BATCH, lambda x, weight, bias, eps: weight * normed(x, eps, axis=0)[0] + bias)
forward.mistake(
    "mean-not-subtracted", lambda x, weight, bias, divisor: weight * x / divisor + bias
).says("You do not subtract the mean of each row.")
forward.mistake(
    "divided-by-variance", lambda n, weight, bias, divisor: weight * n / divisor + bias
).says("You divide by the variance; it is its root that has the unit of `x`.")
forward.mistake("weight-ignored", lambda n, bias: n + bias).says("`weight` has no effect.")
forward.mistake("bias-forgotten", lambda n, weight: weight * n).says("`bias` has no effect.")
forward.mistake("weight-on-the-bias", lambda n, weight, bias: weight * (n + bias)).says(
    "You add `bias` before multiplying by `weight`; it comes last."
)

grad_x.mistake("mean-and-variance-as-constants", lambda gw, divisor: gw / divisor).says(
    "You treat the mean and the variance as constants. Both depend on every number of the row, so"
    " the gradient goes through them as well: two more terms."
)
grad_x.mistake("mean-as-a-constant", lambda x, eps, gw: back(x, eps, gw, mean=False)).says(
    "The term for the mean is missing: moving one number moves the mean of its row."
)
grad_x.mistake("variance-as-a-constant", lambda x, eps, gw: back(x, eps, gw, variance=False)).says(
    "The term for the variance is missing: moving one number changes how spread out its row is."
)
grad_x.mistake("weight-ignored", lambda x, eps, g: back(x, eps, g)).says(
    "`weight` is missing: what comes in is multiplied by it before it goes on to `x`."
)
grad_x.mistake("divisor-forgotten", lambda x, eps, gw, divisor: back(x, eps, gw) * divisor).says(
    "You do not divide by the standard deviation, as `forward` does: so must the gradient."
)
grad_x.mistake(
    "sums-for-means",
    lambda n, gw, divisor: (
        (gw - gw.sum(-1, keepdim=True) - n * (gw * n).sum(-1, keepdim=True)) / divisor
    ),
).says("The two terms for mean and variance are means over the row; yours are sums.")
grad_x.add(UNBIASED, lambda x, eps, gw: back(x, eps, gw, correction=1))
grad_x.add(OUTSIDE, lambda x, eps, gw: back(x, eps, gw, outside=True))
grad_x.add(NO_EPS, lambda x, gw: back(x, 0, gw))
grad_x.add(UPSTREAM, lambda x, eps, weight, ones: back(x, eps, weight * ones))

grad_weight.mistake("not-normalized", lambda x, g: (g * x).sum(0)).says(
    "Your gradient of `weight` has `x` in it; what `weight` is multiplied by is the normalized row."
)
grad_weight.mistake("mean-over-the-batch", lambda n, g: (g * n).mean(0)).says(
    "You take the mean over the samples; every sample uses the weight, so their parts add up."
)
grad_weight.add(UNBIASED, lambda x, eps, g: (g * unbiased(x, eps)).sum(0))
grad_weight.add(OUTSIDE, lambda x, eps, g: (g * outside(x, eps)).sum(0))
grad_weight.add(NO_EPS, lambda x, g: (g * normed(x, 0)[0]).sum(0))
grad_weight.add(UPSTREAM, lambda n: n.sum(0))
grad_bias.mistake("mean-over-the-batch", lambda g: g.mean(0)).says(
    "You take the mean over the samples; every sample uses the bias, so their parts add up."
)
grad_bias.mistake("weight-in-the-bias", lambda gw: gw.sum(0)).says(
    "`weight` is in your gradient of `bias`; the bias is added after it."
)
grad_bias.add(UPSTREAM, lambda ones: ones.sum(0))

NOT_SUMMED = Misconception(
    "batch-sum-missing",
    "Your `backward` returns one gradient for each sample where one is wanted: `weight` and `bias`"
    " are used by every sample, so their gradients are sums over all of them.",
)


@pytest.mark.points(5)
def test_forward(student, rng):
    """Each row: minus its mean, divided by the root of its variance plus `eps`; `weight`, `bias`.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    y = LayerNorm.apply(x, weight, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64), 0.25)
    print([[round(number, 6) for number in row] for row in y.tolist()])
    #> []
    print(LayerNorm.apply(x.float(), weight.float(), weight.float(), 0.25).dtype)
    #> torch.float32
    """
    NORM.check_forward(student, forward.draw(rng))


@pytest.mark.points(6)
def test_grad_x(student, rng):
    """`backward` gives the gradient of `x`: directly, through the mean, and through the variance.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    y = LayerNorm.apply(x.requires_grad_(), weight, torch.zeros_like(weight), 0.25)
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(y, x, g)
    print([[round(number, 6) for number in row] for row in gradient.tolist()])
    #> []
    print(type(y.grad_fn).__name__)
    #> LayerNormBackward
    """
    NORM.check_gradient(student, grad_x.draw(rng), "x")


@pytest.mark.points(4)
def test_grad_weight(student, rng):
    """`backward` gives the gradient of `weight`, summed over the samples.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64, requires_grad=True)
    y = LayerNorm.apply(x, weight, torch.zeros(3, dtype=torch.float64), 0.25)
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    gradient = y.grad_fn.apply(g)[1]  # what backward itself returns
    print([round(number, 6) for number in gradient.flatten().tolist()], type(y.grad_fn).__name__)
    #> []
    """
    sizes = NORM.check_gradient(student, grad_weight.draw(rng), "weight")
    expect(sizes == [DIM, DIM], NOT_SUMMED)


@pytest.mark.points(2)
def test_grad_bias(student, rng):
    """`backward` gives the gradient of `bias`, summed over the samples.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    y = LayerNorm.apply(x, torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64), bias, 0.25)
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    gradient = y.grad_fn.apply(g)[2]  # what backward itself returns
    print([round(number, 6) for number in gradient.flatten().tolist()], type(y.grad_fn).__name__)
    #> [1.5, 1.0, 2.1] LayerNormBackward
    """
    sizes = NORM.check_gradient(student, grad_bias.draw(rng), "bias")
    expect(sizes == [DIM, DIM], NOT_SUMMED)


@pytest.mark.points(2)
@pytest.mark.parametrize("leading", [(M, 1), ()], ids=["batches of matrices", "one sample"])
def test_leading_shapes(student, rng, leading):
    """`x` may have any leading shape, none included: forward and backward.

    weight = torch.tensor([1.0, 2.0, -1.0], requires_grad=True)
    bias = torch.zeros(3, requires_grad=True)
    row = torch.tensor([1.0, 2.0, 6.0])
    for x in (row, torch.stack([row, -row]).reshape(2, 1, 3)):
        x.requires_grad_()
        y = LayerNorm.apply(x, weight, bias, 0.25)
        gradients = torch.autograd.grad(y.exp().sum(), (x, weight, bias))
        print(tuple(y.shape), *[round(each.abs().sum().item(), 2) for each in gradients])
    #> (3,)
    #> (2, 1, 3)
    """
    NORM.check_leading(student, forward.draw(rng), leading)


@pytest.mark.points(1)
def test_layout(student, rng):
    """Transposed and expanded tensors come to what all others come to.

    x = torch.tensor([[1.0, 0.0], [2.0, -1.0], [6.0, 1.0]]).T.requires_grad_()
    weight = torch.ones(3, requires_grad=True)
    y = LayerNorm.apply(x, weight, torch.zeros(3), 0.25)
    (gradient,) = torch.autograd.grad(y.sum(), weight)  # an expanded gradient comes in
    print([round(number, 3) for number in gradient.tolist()])
    #> []
    """
    NORM.check_layout(student, forward.draw(rng))


@pytest.mark.points(2)
def test_frozen(student, rng):
    """Only what needs a gradient gets one: for a frozen input, `backward` returns `None`.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]])
    inputs = x, torch.tensor([1.0, 2.0, -1.0]), torch.ones(3)
    for place, trained in enumerate(inputs):
        trained.requires_grad_()
        y = LayerNorm.apply(*inputs, 0.25)
        gradients = y.grad_fn.apply(x.detach())  # what backward itself returns
        given = [gradient is not None for gradient in gradients]
        print(given[:3], round(gradients[place].abs().sum().item(), 2))
        trained.requires_grad_(False)
    #> [True, False, False]
    #> [False, True, False]
    #> [False, False, True]
    """
    NORM.check_frozen(student, forward.draw(rng))


@pytest.mark.points(2)
def test_second(student, rng):
    """The gradients can be differentiated again: the second derivative is right.

    x = torch.tensor([[1.0, 2.0, 6.0]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64, requires_grad=True)
    y = LayerNorm.apply(x, weight, torch.zeros_like(weight), 0.25)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    bends = torch.autograd.grad(gradient.square().sum(), (x, weight))
    print([[round(number, 4) for number in each.flatten().tolist()] for each in bends])
    #> []
    """
    NORM.check_second(student, second.draw(rng))


@pytest.mark.points(1)
def test_saved(student, rng):
    """Tensors wait for `backward` in `ctx.save_for_backward` alone; what was given stays as it was.

    def goes_well(between, twice=False):
        x, weight = torch.tensor([[1.0, 2.0, 6.0]]).requires_grad_(), torch.ones(3).requires_grad_()
        y = LayerNorm.apply(x, weight, torch.zeros(3), 0.25)
        with torch.no_grad():
            between(x, weight)
        try:
            found = torch.autograd.grad(y.square().sum(), (x, weight))
            if twice:
                torch.autograd.grad(y.square().sum(), (x, weight))
        except RuntimeError:  # PyTorch has noticed
            return True
        kept = between != nothing or x.tolist() == [[1.0, 2.0, 6.0]]
        return not twice and kept and [round(each.sum().item(), 2) for each in found] == [0.0, 5.69]

    def nothing(x, weight):
        pass

    print(goes_well(nothing), goes_well(nothing, twice=True))
    #> True True
    changes = (
        lambda x, weight: LayerNorm.apply(x.square(), 3 * weight, weight, 0.25),
        lambda x, weight: x.mul_(x),
        lambda x, weight: weight.mul_(3),
    )
    print([goes_well(change) for change in changes])
    #> [True, True, True]
    """
    NORM.check_saved(student, forward.draw(rng), forward.draw(rng))
