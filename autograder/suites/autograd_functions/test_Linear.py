"""`Linear`: the three gradients of a product and a sum, for any leading shape."""

import pytest

from autograder.exercise import away_from_zero
from autograder.exercise.linear import add_mistakes
from autograder.exercise.linear import linear as own
from autograder.suites.autograd_functions.functions import FORMS, Function


def draw(rng):
    """Six samples, four features, three outputs: no two alike."""
    shapes = {"x": (6, 4), "weights": (4, 3), "bias": (3,)}
    return {name: away_from_zero(rng, 0.5, 2, *shape) for name, shape in shapes.items()}


linear = Function("Linear", own, draw, by=("x", "weights", "bias"))
add_mistakes(linear)
linear.gradients["bias"].mistake("one-sample-only", lambda g: (g[at] for at in (0, -1))).says(
    "You use one sample's gradient alone; the bias is added to every sample, so all of them count."
)


@pytest.mark.points(4)
def test_forward(student, rng):
    """`Linear.apply(x, weights, bias)` is `x @ weights + bias`, of the type of `x`.

    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)
    weights = torch.tensor([[1.0, 0.3, -1.0], [2.0, 1.0, 1.0]], dtype=torch.float64)
    bias = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    y = Linear.apply(x, weights, bias)
    print([[round(number, 9) for number in row] for row in y.tolist()])
    #> [[5.1, 2.5, 1.3], [1.1, 0.1, -3.7]]
    print(y.dtype, Linear.apply(x.float(), weights.float(), bias.float()).dtype)
    #> torch.float64 torch.float32
    """
    linear.check_forward(student, rng)


@pytest.mark.points(4)
def test_grad_x(student, rng):
    """`backward` gives the gradient of `x`, for any gradient that comes in.

    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[1.0, 0.3, -1.0], [2.0, 1.0, 1.0]], dtype=torch.float64)
    y = Linear.apply(x, weights, torch.zeros(3, dtype=torch.float64))
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(y, x, g)
    print([[round(number, 9) for number in row] for row in gradient.tolist()])
    #> [[-1.0, 4.0], [0.7, 2.1]]
    print(type(y.grad_fn).__name__)
    #> LinearBackward
    """
    linear.check_gradient(student, rng, "x")


@pytest.mark.points(4)
def test_grad_weights(student, rng):
    """`backward` gives the gradient of `weights`, for any gradient that comes in.

    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)
    weights = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    y = Linear.apply(x, weights, torch.zeros(3, dtype=torch.float64))
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.1]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(y, weights, g)
    print([[round(number, 9) for number in row] for row in gradient.tolist()])
    #> [[2.5, 3.0, 2.3], [1.5, -1.0, 3.9]]
    print(type(y.grad_fn).__name__)
    #> LinearBackward
    """
    linear.check_gradient(student, rng, "weights")


@pytest.mark.points(4)
def test_grad_bias(student, rng):
    """`backward` gives the gradient of `bias`, summed over the samples.

    x, weights, bias = (torch.zeros(shape).requires_grad_() for shape in ((2, 4), (4, 3), (3,)))
    y = Linear.apply(x, weights, bias)
    g = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.0, 0.25]])
    print(y.grad_fn.apply(g)[2].flatten().tolist())  # what backward itself returns
    #> [1.5, 1.0, 2.25]
    print(torch.autograd.grad(y, (x, bias), g)[1].tolist(), type(y.grad_fn).__name__)
    #> [1.5, 1.0, 2.25] LinearBackward
    """
    linear.check_gradient(student, rng, "bias")


@pytest.mark.points(3)
@pytest.mark.parametrize("form", FORMS)
def test_forms(student, rng, form):
    """Any leading shape, none included, and tensors transposed or expanded in memory: both passes.

    weights = torch.tensor([[1.0, 2.0], [0.0, 1.0], [-1.0, 1.0]]).T.requires_grad_()
    bias = torch.zeros(3, requires_grad=True)
    turned = torch.arange(12.0).reshape(2, 3, 2).transpose(0, 1)
    for x in (torch.ones(2), turned, torch.tensor([1.0, 2.0]).expand(3, 2)):
        x = x.detach().requires_grad_()
        y = Linear.apply(x, weights, bias)
        g = torch.arange(float(y.numel())).reshape(y.shape[::-1])
        g = g.permute(*reversed(range(y.dim())))  # lies otherwise in memory, too
        gradients = torch.autograd.grad(y, (x, weights, bias), g)
        print(tuple(y.shape), *[each.abs().sum().item() for each in gradients])
    #> (3,) 5.0 6.0 3.0
    #> (3, 2, 3) 240.0 1893.0 153.0
    #> (3, 3) 57.0 108.0 36.0
    """
    linear.check_form(student, rng, form)


@pytest.mark.points(2)
def test_frozen(student, rng):
    """Only what needs a gradient gets one: for a frozen input, `backward` returns `None`.

    x, weights, bias = torch.ones(2, 3), torch.ones(3, 2), torch.ones(2)
    for place, trained in enumerate((x, weights, bias)):
        trained.requires_grad_()
        y = Linear.apply(x, weights, bias)
        gradients = y.grad_fn.apply(torch.ones(2, 2))  # what backward itself returns
        print([gradient is not None for gradient in gradients], gradients[place].sum().item())
        trained.requires_grad_(False)
    #> [True, False, False] 12.0
    #> [False, True, False] 12.0
    #> [False, False, True] 4.0
    """
    linear.check_frozen(student, rng)


@pytest.mark.points(2)
def test_second(student, rng):
    """The gradients can be differentiated again: the second derivative is right.

    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    weights = torch.tensor([[1.0, 0.0], [2.0, -1.0]], requires_grad=True)
    y = Linear.apply(x, weights, torch.zeros(2, requires_grad=True))
    gradients = torch.autograd.grad(y.square().sum(), (x, weights), create_graph=True)
    length = sum(gradient.square().sum() for gradient in gradients)
    print([each.tolist() for each in torch.autograd.grad(length, (x, weights))])
    #> [[[664.0, 1504.0]], [[632.0, -256.0], [1344.0, -544.0]]]
    """
    linear.check_second(student, rng)


@pytest.mark.points(2)
def test_saved(student, rng):
    """Tensors wait for `backward` in `ctx.save_for_backward` alone; what was given stays as it was.

    def goes_well(between, twice=False):
        x, weights = torch.tensor([[1.0, 2.0]]).requires_grad_(), torch.ones(2, 3).requires_grad_()
        y = Linear.apply(x, weights, torch.zeros(3))
        with torch.no_grad():
            between(x, weights)
        try:
            found = torch.autograd.grad(y.sum(), (x, weights))
            if twice:
                torch.autograd.grad(y.sum(), (x, weights))
        except RuntimeError as error:  # PyTorch has noticed
            return "inplace" in str(error) or "second time" in str(error)
        kept = x.tolist() == [[1.0, 2.0]]
        return not twice and kept and [each.sum().item() for each in found] == [6.0, 9.0]

    print(goes_well(lambda x, weights: None), goes_well(lambda x, weights: None, twice=True))
    #> True True
    print(goes_well(lambda x, weights: Linear.apply(2 * x, 2 * weights, torch.zeros(3))))
    #> True
    changed = (lambda x, weights: x.mul_(2)), (lambda x, weights: weights.mul_(2))
    print([goes_well(change) for change in changed])
    #> [True, True]
    """
    linear.check_saved(student, rng)
