"""`ReLU`: the positive part, and the gradient where something passed."""

from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.formula import Formula
from autograder.exercise.in_order import gradients
from autograder.suites.blocks.functions import draw_rows, relu
from autograder.suites.blocks.layers import Asked, Layer

CASES: list[dict[str, Any]] = [{"shape": (6, 5)}, {"shape": (2, 4, 3)}, {"shape": (7,)}]


def draw_forward(rng, shape=(6, 5)):
    return {"params": {}, "x": draw_rows(rng, *shape)}


def draw(rng, shape=(6, 5)):
    return {**draw_forward(rng, shape), "g": draw_rows(rng, *shape)}


forward = Formula(
    "`forward(x)`", draw=draw_forward, cases=CASES, reference=lambda x: x.clamp(min=0)
)
forward.mistake("absolute-value", lambda x: x.abs()).says(
    "You turn negative numbers round; ReLU makes zeros of them."
)
forward.mistake("negative-part", lambda x: x.clamp(max=0)).says(
    "You keep the negative numbers; ReLU keeps the positive ones."
)
forward.mistake("mask-for-value", lambda x: (x > 0).to(x)).says(
    "You return ones and zeros, which say where `x` is positive; there, ReLU gives `x` itself."
)
forward.mistake(
    "leaky", lambda x: (torch.nn.functional.leaky_relu(x, slope) for slope in (0.01, 0.1))
).says("Your ReLU lets some of the negative numbers through: they become 0.")

backward = in_order.formula(
    "`backward`",
    draw=draw,
    cases=CASES,
    also=lambda x, params, g: {"right": gradients(relu, x, params, g), "on": (x > 0).to(x)},
)
backward.mistake("mask-missing", lambda g: {"x": g}).says(
    "You hand `grad_output` on as it is. Where `x` was negative, nothing passed, and nothing goes"
    " back."
)
backward.mistake("upstream-ignored", lambda on: {"x": on}).says(
    "You return the derivative of ReLU alone. It multiplies what comes from above, `grad_output`."
)
backward.mistake("masked-by-upstream", lambda g: {"x": g.clamp(min=0)}).says(
    "You put `grad_output` through ReLU: what counts is where `x` was positive."
)
backward.mistake("times-output", lambda x, on, g: {"x": g * x * on}).says(
    "You multiply by what `forward` gave; the derivative there is 1, whatever its size."
)
backward.mistake("mask-inverted", lambda on, g: {"x": g * (1 - on)}).says(
    "It is zero where `x` was positive, and passes where `x` was negative: the other way round."
)

RELU = Layer("ReLU", forward, backward, sizes=lambda inputs: [])


@pytest.fixture(scope="module")
def asked(student, suite_rng):
    return Asked(student, RELU, suite_rng)


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
