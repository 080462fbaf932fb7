"""`Linear`: x @ weights + bias, and its three gradients, for any leading shape."""

import pytest

from autograder.exercise.layers import Layer
from autograder.exercise.linear import add_mistakes, linear
from autograder.suites.blocks import asking
from autograder.suites.blocks.functions import draw_linear, drawn


def draw(rng, count=6, sizes=(5, 4)):
    return {"params": draw_linear(rng, *sizes), "x": drawn(rng, count, sizes[0])}


LINEAR = Layer(
    "Linear",
    linear,
    draw,
    [{"count": 6}, {"count": 4}, {"count": 131}, {"sizes": (3, 8)}],
    sizes=lambda weights: weights.shape,
    by=("weights", "bias", "x"),
    square=({"sizes": (5, 5)}, {"count": 4, "sizes": (5, 5)}),
)
forward, backward = LINEAR.forward, LINEAR.backward
of_weights, of_bias, of_x = LINEAR.gradients.values()

add_mistakes(LINEAR)
forward.mistake("relu-inside", lambda x, weights, bias: (x @ weights + bias).relu()).says(
    "Your layer gives no negative number: a linear layer ends with the sum. ReLU is a layer of its"
    " own."
)
backward.mistake(
    "gradient-not-filled-in",
    lambda right: right | {"weights": 0 * right["weights"], "bias": 0 * right["bias"]},
    idle=True,
).says("It is still zero: `backward` puts no number in its place.")
of_bias.mistake("batch-sum-missing", lambda g: g, lambda g: g[0]).says(
    "Every row has added the same bias, so its gradient is the sum over all rows: the shape of"
    " `bias`, not of `grad_output`."
)
of_weights.mistake("weights-transposed", lambda right: right["weights"].T).says(
    "It is the right one, transposed: the gradient of a tensor has the shape of that tensor."
)
of_x.mistake(
    "untransposed", lambda g, weights: (g @ w for w in (weights,) if len(w) == len(w.T))
).says(
    "You go back through the weights as you go forward through them. On the way back they are"
    " transposed: from the shape of `grad_output` to the shape of `x`."
)

asked = asking(LINEAR)


@pytest.mark.points(4)
def test_forward(asked):
    """`forward(x)` is `x @ weights + bias`.

    layer = Linear(2, 3)
    layer.params["weights"][:] = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -3.0]])
    layer.params["bias"][:] = torch.tensor([0.5, -0.5, 1.0])
    print(layer.forward(torch.tensor([[1.0, 2.0], [-3.0, 0.0]])).tolist())
    #> [[1.5, 1.5, -3.0], [-2.5, -0.5, -5.0]]
    """
    asked.forward()


@pytest.mark.points(3)
def test_x(asked):
    """`backward` returns the gradient of `x`, worked out by hand.

    layer = Linear(2, 3)
    layer.params["weights"][:] = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -3.0]])
    layer.forward(torch.tensor([[1.0, 2.0], [-3.0, 0.0]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        print(layer.backward(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]])).tolist())
    #> [[1.0, 0.0], [4.0, -5.0]]
    """
    asked.gradients("x")


@pytest.mark.points(4)
def test_params(asked):
    """`backward` fills `grads` with the gradients of `weights` and `bias`, worked out by hand.

    layer = Linear(2, 3)
    layer.forward(torch.tensor([[1.0, 2.0], [-3.0, 0.5]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        layer.backward(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]]))
    print(layer.grads["weights"].tolist(), layer.grads["bias"].tolist())
    #> [[1.0, -3.0, -6.0], [2.0, 0.5, 1.0]] [1.0, 1.0, 2.0]
    """
    asked.gradients("weights", "bias")


@pytest.mark.points(2)
def test_again(asked):
    """A second call, after a step in place, uses the new numbers and fills `grads` afresh.

    layer = Linear(2, 1)
    for number in (1.0, 3.0):
        layer.params["weights"][:] = number
        layer.params["bias"][:] = 0.0
        y = layer.forward(number * torch.ones(2, 2))
        with torch.inference_mode():
            x = layer.backward(torch.ones(2, 1))
        print(y.tolist(), x.tolist(), layer.grads["weights"].tolist())
    #> [[2.0], [2.0]] [[1.0, 1.0], [1.0, 1.0]] [[2.0], [2.0]]
    #> [[18.0], [18.0]] [[3.0, 3.0], [3.0, 3.0]] [[6.0], [6.0]]
    """
    asked.again()


@pytest.mark.points(2)
def test_leading(asked):
    """Any leading shape: a row goes both ways as it does in a matrix.

    layer = Linear(2, 3)
    for shape in [(2, 3), (2, 2, 2), ()]:
        y = layer.forward(torch.ones(*shape, 2))
        x = layer.backward(torch.ones(*shape, 3))
        print([*y.shape], [*x.shape], layer.grads["weights"][0], layer.grads["bias"])
    #> [2, 3, 3] [2, 3, 2] tensor([6., 6., 6.]) tensor([6., 6., 6.])
    #> [2, 2, 2, 3] [2, 2, 2, 2] tensor([8., 8., 8.]) tensor([8., 8., 8.])
    #> [3] [2] tensor([1., 1., 1.]) tensor([1., 1., 1.])
    """
    asked.leading((2, 3), ())
