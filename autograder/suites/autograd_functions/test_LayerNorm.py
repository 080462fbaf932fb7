"""`LayerNorm`: each row to mean 0 and variance 1; its gradient goes through both of them."""

import pytest
import torch
from torch.nn.functional import layer_norm

from autograder.exercise.draws import away_from_zero, between
from autograder.suites.autograd_functions.functions import FORMS, Function

M, DIM = 6, 4


def draw(rng):
    """Six rows of four features, each with a mean and a variance of its own; a large `eps`."""
    spread = between(rng, 0.6, 2, M, 1)
    x = spread * away_from_zero(rng, 0.3, 1.5, M, DIM) + away_from_zero(rng, 1, 2, M, 1)
    weight, bias = (away_from_zero(rng, 0.5, 2, DIM) for _ in range(2))
    return {"x": x, "weight": weight, "bias": bias, "eps": float(between(rng, 0.1, 0.3, 1))}


def normed(x, eps, correction=0, outside=False, axis=-1):
    """The rows of mean 0, and what they are divided by."""
    variance = x.var(axis, correction=correction, keepdim=True)
    divisor = variance.sqrt() + eps if outside else (variance + eps).sqrt()
    return (x - x.mean(axis, keepdim=True)) / divisor, divisor


def back(x, eps, h, mean=torch.mean, variance=torch.mean, **how):
    """The gradient of `x` by the formula, with something else in the place of its two means."""
    n, divisor = normed(x, eps, **how)
    return (h - mean(h, -1, keepdim=True) - n * variance(h * n, -1, keepdim=True)) / divisor


def nothing(rows, axis, keepdim):
    return 0 * rows.sum(axis, keepdim=keepdim)


norm = Function(
    "LayerNorm",
    lambda x, weight, bias, eps: layer_norm(x, x.shape[-1:], weight, bias, eps),
    draw,
    by=("x", "weight", "bias"),
    also=lambda x, weight, eps, g: {"n": normed(x, eps)[0], "h": g * weight},
    terms=2 * DIM + M,
)
forward, second = norm.forward, norm.second
grad_x, grad_weight, grad_bias = norm.gradients.values()

UNBIASED = norm.mistake(
    "unbiased-variance",
    lambda x, weight, bias, eps: weight * normed(x, eps, correction=1)[0] + bias,
).says(
    "You divide by `d - 1` where the variance of a layer norm divides by `d`: `x.var(...)` does"
    " that unless you say `unbiased=False` (or `correction=0`)."
)
OUTSIDE = norm.mistake(
    "eps-outside-the-root",
    lambda x, weight, bias, eps: weight * normed(x, eps, outside=True)[0] + bias,
).says("You add `eps` to the standard deviation; it belongs to the variance, inside the root.")
norm.mistake("eps-forgotten", lambda x, weight, bias, eps: weight * normed(x, 0)[0] + bias).says(
    "`eps` is missing: it is added to the variance, before the root is taken."
)
norm.mistake(
    "statistics-of-the-batch",
    lambda x, weight, bias, eps: weight * normed(x, eps, axis=0)[0] + bias,
).says(
    "You normalize over the samples, as a batch norm does. A layer norm takes the mean and the"
    " variance of each row: over the last axis."
)
norm.mistake(
    "mean-not-subtracted",
    lambda x, weight, bias, eps: weight * x / normed(x, eps)[1] + bias,
).says("You do not subtract the mean of each row.")
norm.mistake(
    "weight-on-the-bias", lambda x, weight, bias, eps: weight * (normed(x, eps)[0] + bias)
).says("You add `bias` before multiplying by `weight`; it comes last.")
norm.mistake("weight-ignored", lambda x, weight, bias, eps: normed(x, eps)[0] + bias).says(
    "`weight` is missing: each feature is multiplied by its own, and so is what comes in on its"
    " way back to `x`."
)
grad_x.add(UNBIASED, lambda x, eps, h: back(x, eps, h, correction=1))
grad_x.add(OUTSIDE, lambda x, eps, h: back(x, eps, h, outside=True))
grad_x.mistake(
    "mean-and-variance-as-constants", lambda x, eps, h: back(x, eps, h, nothing, nothing)
).says(
    "You treat the mean and the variance as constants. Both depend on every number of the row, so"
    " the gradient goes through them as well: two more terms."
)
grad_x.mistake("mean-as-a-constant", lambda x, eps, h: back(x, eps, h, mean=nothing)).says(
    "The term for the mean is missing: moving one number moves the mean of its row."
)
grad_x.mistake("variance-as-a-constant", lambda x, eps, h: back(x, eps, h, variance=nothing)).says(
    "The term for the variance is missing: moving one number changes how spread out its row is."
)
grad_x.mistake("sums-for-means", lambda x, eps, h: back(x, eps, h, torch.sum, torch.sum)).says(
    "The two terms for mean and variance are means over the row; yours are sums."
)
grad_x.mistake("not-divided", lambda x, eps, h: back(x, eps, h) * normed(x, eps)[1]).says(
    "You do not divide by the standard deviation, as `forward` does: so must the gradient."
)
grad_weight.mistake("not-normalized", lambda x, g: (g * x).sum(0)).says(
    "Your gradient of `weight` has `x` in it; what `weight` is multiplied by is the normalized row."
)
MEAN = grad_weight.mistake("mean-over-the-batch", lambda n, g: (g * n).mean(0)).says(
    "You take the mean over the samples; every sample uses the same weight and bias, so their parts"
    " add up."
)
grad_bias.add(MEAN, lambda g: g.mean(0))


@pytest.mark.points(5)
def test_forward(student, rng):
    """Each row: minus its mean, divided by the root of its variance plus `eps`; `weight`, `bias`.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    y = LayerNorm.apply(x, weight, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64), 0.25)
    print([[round(number, 6) for number in row] for row in y.tolist()])
    #> [[-0.801975, -0.701975, -1.052963], [0.1, -1.888932, -0.744466]]
    print(LayerNorm.apply(x.float(), weight.float(), weight.float(), 0.25).dtype)
    #> torch.float32
    """
    norm.check_forward(student, forward.draw(rng))


@pytest.mark.points(6)
def test_grad_x(student, rng):
    """`backward` gives the gradient of `x`: directly, through the mean, and through the variance.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    y = LayerNorm.apply(x.requires_grad_(), weight, torch.zeros_like(weight), 0.25)
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(y, x, g)
    print([[round(number, 6) for number in row] for row in gradient.tolist()])
    #> [[0.11211, -0.094274, -0.017836], [-0.31334, 0.455767, -0.142427]]
    print(type(y.grad_fn).__name__)
    #> LayerNormBackward
    """
    norm.check_gradient(student, grad_x.draw(rng), "x")


@pytest.mark.points(4)
def test_grad_weight(student, rng):
    """`backward` gives the gradient of `weight`, summed over the samples.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64, requires_grad=True)
    y = LayerNorm.apply(x, weight, torch.zeros(3, dtype=torch.float64), 0.25)
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    gradient = y.grad_fn.apply(g)[1]  # what backward itself returns
    print([round(number, 6) for number in gradient.flatten().tolist()], type(y.grad_fn).__name__)
    #> [-0.901975, -1.044466, 2.810372] LayerNormBackward
    print(torch.equal(torch.autograd.grad(y, weight, g)[0], gradient.flatten()))
    #> True
    """
    norm.check_gradient(student, grad_weight.draw(rng), "weight")


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
    print(torch.equal(torch.autograd.grad(y, bias, g)[0], gradient.flatten()))
    #> True
    """
    norm.check_gradient(student, grad_bias.draw(rng), "bias")


@pytest.mark.points(3)
@pytest.mark.parametrize("form", FORMS)
def test_forms(student, rng, form):
    """Any leading shape, none included, and tensors transposed or expanded in memory: both passes.

    weight, bias = torch.tensor([1.0, 2.0, -1.0]).requires_grad_(), torch.zeros(3).requires_grad_()
    row = torch.tensor([1.0, 2.0, 6.0])
    columns = torch.stack([row, -row, 2 * row], dim=1)
    for x in (row, torch.stack([columns.T, -columns.T]), columns.T, row.expand(2, 3)):
        x = x.detach().requires_grad_()
        y = LayerNorm.apply(x, weight, bias, 0.25)
        g = torch.arange(float(y.numel())).reshape(y.shape[::-1])
        g = g.permute(*reversed(range(y.dim())))  # lies otherwise in memory, too
        gradients = torch.autograd.grad(y, (x, weight, bias), g)
        print(tuple(y.shape), *[round(each.abs().sum().item(), 2) for each in gradients])
    #> (3,) 1.31 3.16 3.0
    #> (2, 3, 3) 47.6 2.76 153.0
    #> (3, 3) 11.42 12.47 36.0
    #> (2, 3) 6.03 15.33 15.0
    """
    norm.check_form(student, forward.draw(rng), form)


@pytest.mark.points(2)
def test_frozen(student, rng):
    """Only what needs a gradient gets one: for a frozen input, `backward` returns `None`.

    x = torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]])
    inputs = x, torch.tensor([1.0, 2.0, -1.0]), torch.ones(3)
    for place, trained in enumerate(inputs):
        trained.requires_grad_()
        y = LayerNorm.apply(*inputs, 0.25)
        gradients = y.grad_fn.apply(x.detach())  # what backward itself returns
        given = [each is not None for each in gradients]
        (gradient,) = torch.autograd.grad(y, trained, x.detach())
        print(given[:3], round(gradient.abs().sum().item(), 2))
        trained.requires_grad_(False)
    #> [True, False, False] 4.53
    #> [False, True, False] 10.21
    #> [False, False, True] 9.0
    """
    norm.check_frozen(student, forward.draw(rng))


@pytest.mark.points(2)
def test_second(student, rng):
    """The gradients can be differentiated again: the second derivative is right.

    x = torch.tensor([[1.0, 2.0, 6.0]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64, requires_grad=True)
    y = LayerNorm.apply(x, weight, torch.zeros_like(weight), 0.25)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    bends = torch.autograd.grad(gradient.square().sum(), (x, weight))
    print([[round(number, 4) for number in each.flatten().tolist()] for each in bends])
    #> [[0.9805, -0.8151, -0.1654], [-1.8828, 2.368, -0.7279]]
    """
    norm.check_second(student, second.draw(rng))


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
        except RuntimeError as error:  # PyTorch has noticed
            return "inplace" in str(error) or "second time" in str(error)
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
    norm.check_saved(student, forward.draw(rng), forward.draw(rng))
