"""`LayerNorm`: each row to mean 0 and variance 1, then scaled and moved; and the way back."""

import pytest

from autograder.exercise.gradients import with_gradient_of
from autograder.exercise.layer_norm import add_mistakes, layer_norm, normed, rule
from autograder.exercise.layers import Layer
from autograder.suites.blocks import asking
from autograder.suites.blocks.functions import draw_norm, drawn


def draw(rng, count=6, dim=5, eps=0.3):
    moved = drawn(rng, count, dim) + drawn(rng, count, 1)
    return {"params": draw_norm(rng, dim), "x": moved, "eps": eps}


def unbiased(rows, axis, keepdim):
    return rows.sum(axis, keepdim=keepdim) / (rows.shape[axis] - 1)


def kept(**how):
    """The right rule on the way back, with what a wrong forward pass has kept."""

    def own(x, weight, bias, eps):
        n, divisor = (t.detach() for t in normed(x, **{"eps": eps, **how}))
        return weight * with_gradient_of(n, rule(n, divisor, x)) + bias

    return own


NORM = Layer(
    "LayerNorm",
    layer_norm,
    draw,
    [{"count": 6}, {"count": 4}, {"count": 12, "dim": 8, "eps": 0.15}],
    sizes=lambda x, eps: [x.shape[-1], eps],
    by=("weight", "bias", "x"),
    kept=(kept(correction=1), kept(outside=True), kept(eps=0), kept(eps=1e-5)),
)
of_weight, of_bias, of_x = NORM.gradients.values()

add_mistakes(NORM)
NORM.mistake(
    "root-missing",
    lambda x, weight, bias, eps: weight * normed(x, eps)[0] / normed(x, eps)[1] + bias,
).says("You divide by the variance; it is its root that you divide by.")
of_x.mistake(
    "unbiased-on-the-way-back",
    lambda x, weight, eps, g: rule(*normed(x, eps), weight * g, variance=unbiased),
).says(
    "Forward, the variance is a mean over all numbers of a row; on the way back, you divide by one"
    " less."
)
of_weight.mistake("xhat-missing", lambda g: g.sum(0)).says(
    "It is that of `bias`. The weight is multiplied by the normalised row, so that is a factor."
)
NORM.backward.mistake(
    "batch-sum-missing",
    lambda x, eps, g, right: right | {"weight": g * normed(x, eps)[0], "bias": g},
).says("Every row has used the same numbers, so their gradient is the sum over all rows.")

asked = asking(NORM)


@pytest.mark.points(4)
def test_forward(asked):
    """`forward(x)` normalises each row, then scales and moves it.

    layer = LayerNorm(2, eps=3.0)
    layer.params["weight"][:] = torch.tensor([2.0, 4.0])
    layer.params["bias"][:] = torch.tensor([0.5, -1.0])
    x = torch.tensor([[5.0, 7.0], [3.0, 1.0], [4.0, 4.0]])
    print(layer.forward(x).tolist(), x[0].tolist())
    #> [[-0.5, 1.0], [1.5, -3.0], [0.5, -1.0]] [5.0, 7.0]
    """
    asked.forward()


@pytest.mark.points(5)
def test_x(asked):
    """`backward` returns the gradient of `x`: through the row itself, its mean and its variance.

    layer = LayerNorm(2, eps=3.0)
    layer.params["weight"][:] = torch.tensor([2.0, 4.0])
    layer.forward(torch.tensor([[5.0, 7.0], [3.0, 1.0], [4.0, 4.0]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        x = layer.backward(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    print([[round(value, 4) for value in row] for row in x.tolist()])
    #> [[0.375, -0.375], [-0.75, 0.75], [-0.5774, 0.5774]]
    """
    asked.gradients("x")


@pytest.mark.points(3)
def test_params(asked):
    """`backward` fills `grads` with the gradients of `weight` and `bias`, worked out by hand.

    layer = LayerNorm(2, eps=3.0)
    layer.forward(torch.tensor([[5.0, 7.0], [3.0, 1.0], [4.0, 4.0]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        layer.backward(torch.tensor([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]]))
    print(layer.grads["weight"].tolist(), layer.grads["bias"].tolist())
    #> [-0.5, -1.5] [2.0, 4.0]
    """
    asked.gradients("weight", "bias")


@pytest.mark.points(2)
def test_again(asked):
    """A second call, after a step in place, uses the new numbers and fills `grads` afresh.

    layer = LayerNorm(2, eps=3.0)
    for number in (1.0, 3.0):
        layer.params["weight"][:] = number
        layer.params["bias"][:] = 0.0
        y = layer.forward(torch.tensor([[5.0, 7.0]]))
        with torch.inference_mode():
            layer.backward(torch.tensor([[1.0, 4.0]]))
        print(y.tolist(), layer.grads["weight"].tolist(), layer.grads["bias"].tolist())
    #> [[-0.5, 0.5]] [-0.5, 2.0] [1.0, 4.0]
    #> [[-1.5, 1.5]] [-0.5, 2.0] [1.0, 4.0]
    """
    asked.again()


@pytest.mark.points(1)
def test_leading(asked):
    """Any leading shape: a row goes both ways as it does in a matrix.

    layer = LayerNorm(2, eps=3.0)
    for shape in [(2, 3), (2, 2, 2), ()]:
        y = layer.forward(torch.tensor([5.0, 7.0]).expand(*shape, 2))
        x = layer.backward(torch.ones(*shape, 2))
        print([*y.shape], [*x.shape], layer.grads["weight"].tolist(), layer.grads["bias"].tolist())
    #> [2, 3, 2] [2, 3, 2] [-3.0, 3.0] [6.0, 6.0]
    #> [2, 2, 2, 2] [2, 2, 2, 2] [-4.0, 4.0] [8.0, 8.0]
    #> [2] [2] [-0.5, 0.5] [1.0, 1.0]
    """
    asked.leading((2, 3), ())
