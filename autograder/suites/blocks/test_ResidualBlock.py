"""`ResidualBlock`: x + second(relu(first(x))), judged by how it puts its parts together.

Each check passes with the student's own parts or with stand-ins in their place.
"""

from functools import partial
from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.formula import Formula
from autograder.exercise.in_order import gradients
from autograder.suites.blocks.functions import (
    OWN,
    STAND_INS,
    draw_linear,
    draw_rows,
    named,
    of,
    under,
)
from autograder.suites.blocks.layers import Asked, Layer

CASES: list[dict[str, Any]] = [
    {"count": count, "sizes": sizes, "stand_in": stand_in}
    for stand_in in (False, True)
    for count, sizes in ((6, (5, 7)), (4, (5, 7)), (9, (4, 3)))
]


def draw_forward(rng, count=6, sizes=(5, 7), stand_in=False):
    dim, hidden = sizes
    second, first = draw_linear(rng, hidden, dim), draw_linear(rng, dim, hidden)
    params = {**under("second", second), **under("first", first)}
    while True:
        x = draw_rows(rng, count, dim)
        inside = (STAND_INS if stand_in else OWN)["Linear"](x, first)
        if float(inside.abs().min()) > 1e-3:  # ReLU bends at 0: neither side is right there
            return {"params": params, "x": x, "stand_in": stand_in}


def draw(rng, count=6, sizes=(5, 7), stand_in=False):
    return {**draw_forward(rng, count, sizes, stand_in), "g": draw_rows(rng, count, sizes[0])}


def block(x, params, stand_in, between=torch.relu):
    """The block, and what is inside it, by name."""
    linear = (STAND_INS if stand_in else OWN)["Linear"]
    second = partial(linear, p=of(params, "second"))
    inside = linear(x, of(params, "first"))
    return {"second": second, "inside": inside, "out": second(inside.relu())}


def back(x, params, g, stand_in, mask=None, lost=False, cut=False):
    """The way back, right or not; a `mask` takes the place of where ReLU lets pass."""
    linear = (STAND_INS if stand_in else OWN)["Linear"]
    first, second = of(params, "first"), of(params, "second")
    inside = linear(x, first)
    above = gradients(linear, inside.relu(), second, g)
    passed = above["x"] * ((inside > 0) if mask is None else mask(inside, above["x"]))
    below = gradients(linear, x, first, passed)
    into = (0 if lost else g) + (0 if cut else below["x"])
    return {**named("second", above), **named("first", below), "x": into}


forward = Formula(
    "`forward(x)`",
    draw=draw_forward,
    cases=CASES,
    also=block,
    reference=lambda x, out: x + out,
    within=1e-5,
)
forward.mistake("skip-missing", lambda out: out).says(
    "Your block gives what its layers give. A residual block adds `x` to that."
)
forward.mistake("layers-missing", lambda x: x).says(
    "Your block gives `x` back: what its layers come to is not added."
)
forward.mistake("relu-missing", lambda x, second, inside: x + second(inside)).says(
    "There is no ReLU between the two layers; without it, they are one linear layer."
)
forward.mistake("relu-after-sum", lambda x, out: (x + out).relu()).says(
    "You put the sum through ReLU, as the first ResNet did. Here, nothing comes after the sum."
)
forward.mistake("relu-after-second", lambda x, out: x + out.relu()).says(
    "There is a ReLU after the second layer; it belongs between the two layers alone."
)
forward.mistake(
    "relu-first", lambda x, stand_in, params: x.relu() + block(x.relu(), params, stand_in)["out"]
).says("You put `x` itself through ReLU.")

backward = in_order.formula(
    "`backward`",
    draw=draw,
    cases=CASES,
    also=lambda x, params, g, stand_in: {
        "right": gradients(lambda x, p: x + block(x, p, stand_in)["out"], x, params, g),
        "back": partial(back, x, params, g, stand_in),
    },
)
backward.mistake("skip-gradient-lost", lambda back: back(lost=True)).says(
    "`x` goes two ways: through the layers, and past them. On the way back, what came past them is"
    " missing from its gradient: it adds `grad_output`."
)
backward.mistake("layers-gradient-lost", lambda back: back(cut=True)).says(
    "`x` goes two ways: past the layers, and through them. What comes back through them is missing"
    " from its gradient."
)
backward.mistake(
    "mask-missing", lambda back: back(mask=lambda inside, above: torch.ones_like(inside))
).says("You leave ReLU out on the way back: where its input was negative, nothing goes back.")
backward.mistake(
    "masked-by-upstream", lambda back: back(mask=lambda inside, above: above > 0)
).says("You put the gradient through ReLU: what counts is where its input was positive, forward.")
backward.mistake("skip-gradient-doubled", lambda right, g: right | {"x": right["x"] + g}).says(
    "`grad_output` is added to the gradient of `x` twice; it came past the layers once."
)
backward.mistake("upstream-ignored", lambda back, right, g: right | {"x": right["x"] - g + 1}).says(
    "Past the layers comes `grad_output`, not 1."
)

RESIDUAL_BLOCK = Layer(
    "ResidualBlock",
    forward,
    backward,
    sizes=lambda inputs: list(inputs["params"]["first.weights"].shape),
    parts=("Linear", "ReLU"),
)


@pytest.fixture(scope="module")
def asked(student, suite_rng):
    return Asked(student, RESIDUAL_BLOCK, suite_rng)


@pytest.mark.points(4)
def test_forward(asked):
    """`forward(x)` is `x + second(relu(first(x)))`.

    block = ResidualBlock(2, 1)
    for name, numbers in {
        "first.weights": [[1.0], [2.0]], "first.bias": [1.0],
        "second.weights": [[1.0, -1.0]], "second.bias": [0.5, 0.0],
    }.items():
        block.params[name][:] = torch.tensor(numbers)
    print(block.forward(torch.tensor([[1.0, 2.0], [-3.0, 0.5]])).tolist())
    #> [[7.5, -4.0], [-2.5, 0.5]]
    """
    asked.forward()


@pytest.mark.points(4)
def test_x(asked):
    """`backward` returns the gradient of `x`: through the layers and past them, by hand.

    block = ResidualBlock(2, 1)
    for name, numbers in {
        "first.weights": [[1.0], [2.0]], "first.bias": [1.0],
        "second.weights": [[1.0, -1.0]], "second.bias": [0.5, 0.0],
    }.items():
        block.params[name][:] = torch.tensor(numbers)
    block.forward(torch.tensor([[1.0, 2.0], [-3.0, 0.5]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        print(block.backward(torch.tensor([[3.0, 1.0], [2.0, 5.0]])).tolist())
    #> [[5.0, 5.0], [2.0, 5.0]]
    """
    asked.gradients("x")


@pytest.mark.points(3)
def test_params(asked):
    """`backward` fills `grads` under the names of `params`, such as `first.weights`, by hand.

    block = ResidualBlock(2, 1)
    for name, numbers in {
        "first.weights": [[1.0], [2.0]], "first.bias": [1.0],
        "second.weights": [[1.0, -1.0]], "second.bias": [0.5, 0.0],
    }.items():
        block.params[name][:] = torch.tensor(numbers)
    block.forward(torch.tensor([[1.0, 2.0], [-3.0, 0.5]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        block.backward(torch.tensor([[3.0, 1.0], [2.0, 5.0]]))
    for name in sorted(block.grads):
        print(name, block.grads[name].tolist())
    #> first.bias [2.0]
    #> first.weights [[2.0], [4.0]]
    #> second.bias [5.0, 6.0]
    #> second.weights [[18.0, 6.0]]
    """
    asked.gradients("first", "second")


@pytest.mark.points(4)
def test_again(asked):
    """`params` are the tensors of the parts: a step in place counts, and `grads` are made afresh.

    block = ResidualBlock(2, 1)
    for number in (1.0, 3.0):
        for tensor in block.params.values():
            tensor[:] = number
        y = block.forward(torch.ones(1, 2))
        with torch.inference_mode():
            x = block.backward(torch.ones(1, 2))
        print(y.tolist(), x.tolist(), block.grads["first.weights"].tolist())
    #> [[5.0, 5.0]] [[3.0, 3.0]] [[2.0], [2.0]]
    #> [[31.0, 31.0]] [[19.0, 19.0]] [[6.0], [6.0]]
    """
    asked.again()
