"""`ResidualBlock`: x + second(relu(first(x))), judged by how it puts its parts together.

Each check passes with the student's own parts or with stand-ins in their place.
"""

import pytest
import torch

from autograder.exercise.gradients import on_the_way_back
from autograder.exercise.layers import Layer
from autograder.suites.blocks import asking
from autograder.suites.blocks.functions import draw_linear, drawn, parts, passing, unbent, under


def draw(rng, count=6, sizes=(5, 7), stand_in=False):
    dim, hidden = sizes
    params = under(second=draw_linear(rng, hidden, dim), first=draw_linear(rng, dim, hidden))
    x = unbent(lambda: drawn(rng, count, dim), parts(params, stand_in)["first"])
    return {"params": params, "x": x, "stand_in": stand_in}


def also(params, stand_in):
    """What is added to `x`."""
    f = parts(params, stand_in)
    return {"layers": lambda x, relu=torch.relu: f["second"](relu(f["first"](x)))}


BLOCK = Layer(
    "ResidualBlock",
    lambda x, layers: x + layers(x),
    draw,
    [{}, {"count": 4}, {"count": 9, "sizes": (4, 3)}],
    sizes=lambda params: params["first.weights"].shape,
    also=also,
    parts=("Linear", "ReLU"),
)
forward, way_back = BLOCK.forward, BLOCK.way_back

forward.mistake("skip-missing", lambda x, layers: layers(x)).says(
    "Your block gives what its layers give. A residual block adds `x` to that."
)
forward.mistake("layers-missing", lambda x: x).says(
    "Your block gives `x` back: what its layers come to is not added."
)
forward.mistake("relu-missing", lambda x, layers: x + layers(x, relu=lambda t: t)).says(
    "There is no ReLU between the two layers; without it, they are one linear layer."
)
forward.mistake("relu-after-sum", lambda x, layers: (x + layers(x)).relu()).says(
    "You put the sum through ReLU, as the first ResNet did. Here, nothing comes after the sum."
)
forward.mistake("relu-after-second", lambda x, layers: x + layers(x).relu()).says(
    "There is a ReLU after the second layer; it belongs between the two layers alone."
)
forward.mistake("relu-first", lambda x, layers: x.relu() + layers(x.relu())).says(
    "You put `x` itself through ReLU."
)

way_back.mistake("skip-gradient-lost", lambda x, layers: x.detach() + layers(x)).says(
    "`x` goes two ways: through the layers, and past them. On the way back, what came past them is"
    " missing from its gradient: it adds `grad_output`."
)
way_back.mistake("layers-gradient-lost", lambda x, layers: x + layers(x.detach())).says(
    "`x` goes two ways: past the layers, and through them. What comes back through them is missing"
    " from its gradient."
)
way_back.mistake("mask-missing", lambda x, layers: x + layers(x, relu=passing)).says(
    "You leave ReLU out on the way back: where its input was negative, nothing goes back."
)
way_back.mistake(
    "masked-by-upstream",
    lambda x, layers: x + layers(x, relu=lambda t: on_the_way_back(passing(t), torch.relu)),
).says("You put the gradient through ReLU: what counts is where its input was positive, forward.")
way_back.mistake(
    "skip-gradient-doubled", lambda x, layers: on_the_way_back(x, lambda g: 2 * g) + layers(x)
).says("`grad_output` is added to the gradient of `x` twice; it came past the layers once.")
way_back.mistake(
    "one-past-the-layers", lambda x, layers: on_the_way_back(x, torch.ones_like) + layers(x)
).says("Past the layers comes `grad_output`, not 1.")

asked = asking(BLOCK)


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
