"""`ReLU`: the positive part, and the gradient where something passed."""

import pytest
from torch.nn.functional import leaky_relu

from autograder.exercise.layers import Layer
from autograder.suites.blocks import asking
from autograder.suites.blocks.functions import drawn


def draw(rng, shape=(6, 5)):
    return {"params": {}, "x": drawn(rng, *shape)}


RELU = Layer(
    "ReLU",
    lambda x: x.clamp(min=0),
    draw,
    [{"shape": (6, 5)}, {"shape": (2, 4, 3)}, {"shape": (7,)}],
    sizes=lambda: [],
)
forward, backward, of_x = RELU.forward, RELU.backward, RELU.gradients["x"]

forward.mistake("absolute-value", lambda x: x.abs()).says(
    "You turn negative numbers round; ReLU makes zeros of them."
)
forward.mistake("negative-part", lambda x: x.clamp(max=0)).says(
    "You keep the negative numbers; ReLU keeps the positive ones."
)
forward.mistake("mask-for-value", lambda x: (x > 0).to(x)).says(
    "You return ones and zeros, which say where `x` is positive; there, ReLU gives `x` itself."
)
forward.mistake("leaky", lambda x: (leaky_relu(x, slope) for slope in (0.01, 0.1))).says(
    "Your ReLU lets some of the negative numbers through: they become 0."
)
of_x.mistake("mask-missing", lambda g: g).says(
    "You hand `grad_output` on as it is. Where `x` was negative, nothing passed, and nothing goes"
    " back."
)
of_x.mistake("masked-by-upstream", lambda g: g.clamp(min=0)).says(
    "You put `grad_output` through ReLU: what counts is where `x` was positive."
)
of_x.mistake("times-output", lambda x, g: g * x.clamp(min=0)).says(
    "You multiply by what `forward` gave; the derivative there is 1, whatever its size."
)
of_x.mistake("mask-inverted", lambda x, g: g * (x < 0)).says(
    "It is zero where `x` was positive, and passes where `x` was negative: the other way round."
)

asked = asking(RELU)


@pytest.mark.points(2)
def test_forward(asked):
    """`forward(x)` is the positive part of `x`, in a new tensor.

    x = torch.tensor([[1.5, -2.0], [-0.5, 3.0]])
    print((ReLU().forward(x) + 0).tolist(), x.tolist())
    #> [[1.5, 0.0], [0.0, 3.0]] [[1.5, -2.0], [-0.5, 3.0]]
    """
    asked.forward()


@pytest.mark.points(3)
def test_x(asked):
    """`backward` returns the gradient of `x`, worked out by hand.

    layer = ReLU()
    layer.forward(torch.tensor([[1.5, -2.0], [-0.5, 3.0]]))
    keep = lambda tensor: tensor
    with torch.inference_mode(), torch.autograd.graph.saved_tensors_hooks(keep, keep):
        # Here autograd does not work, in any of its ways; your own formulas do.
        print((layer.backward(torch.tensor([[-2.0, 4.0], [5.0, 0.5]])) + 0).tolist())
    #> [[-2.0, 0.0], [0.0, 0.5]]
    """
    asked.gradients("x")
