"""`LayerNorm`: each row to mean 0 and variance 1; its gradient goes through both of them."""

import pytest

from autograder.exercise import away_from_zero, between
from autograder.exercise.layer_norm import add_mistakes, layer_norm
from autograder.suites.autograd_functions.functions import FORMS, Function

M, DIM = 6, 4


def draw(rng):
    """Six rows of four features, each with a mean and a variance of its own; a large `eps`."""
    spread = between(rng, 0.6, 2, M, 1)
    x = spread * away_from_zero(rng, 0.3, 1.5, M, DIM) + away_from_zero(rng, 1, 2, M, 1)
    weight, bias = (away_from_zero(rng, 0.5, 2, DIM) for _ in range(2))
    return {"x": x, "weight": weight, "bias": bias, "eps": float(between(rng, 0.1, 0.3, 1))}


norm = Function("LayerNorm", layer_norm, draw, by=("x", "weight", "bias"), terms=2 * DIM + M)
add_mistakes(norm)


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
    norm.check_forward(student, rng)


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
    norm.check_gradient(student, rng, "x")


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
    norm.check_gradient(student, rng, "weight")


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
    norm.check_gradient(student, rng, "bias")


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
    norm.check_form(student, rng, form)


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
    norm.check_frozen(student, rng)


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
    norm.check_second(student, rng)


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
    norm.check_saved(student, rng)
