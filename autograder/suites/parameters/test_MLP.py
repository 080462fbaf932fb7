"""`MLP`: registered linear blocks with ReLU between them and none after the last.

Each check passes with the student's own `MyLinear` or, where that one is wrong, with a layer of
PyTorch's in its place: a mistake there costs nothing here.
"""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from autograder.exercise import Formula, Misconception, check_leading, checks, expect, fail, tried
from autograder.exercise.checks import mistake
from autograder.exercise.networks import forward
from autograder.suites.parameters import probes, run


def draw(rng, sizes=(5, 7, 6, 2), rows=12):
    normal = partial(torch.randn, generator=rng)
    layers = [[normal(n, m), normal(m)] for n, m in pairwise(sizes)]
    return {"x": 2 * normal(rows, sizes[0]), "layers": layers}


CASES: list[dict[str, Any]] = [{"sizes": (5, 7, 2), "rows": 131}, {"sizes": (4, 6, 5, 3)}]
network = Formula(
    "`forward(x)`",
    draw=draw,
    reference=forward,
    terms=lambda layers: max(len(weights) for weights, _ in layers),
    steps=lambda layers: len(layers),
    size=lambda x, layers: forward(x.abs(), [[w.abs(), b.abs()] for w, b in layers]),
    cases=[*CASES, {}],
)
network.mistake("relu-after-last", partial(forward, last=torch.relu)).says(
    "There is a ReLU after the last layer: your network can never answer with a negative number."
)
network.mistake("no-relu", partial(forward, between=None)).says(
    "There is no ReLU between your layers, or its result is not used: linear layers alone are"
    " together one linear layer again."
)
network.mistake("relu-before-first", partial(forward, first=torch.relu)).says(
    "There is a ReLU before the first layer: it cuts off negative inputs."
)
network.mistake(
    "relu-only-once",
    lambda x, layers: (forward(x, layers, only=n) for n in range(len(layers) - 1) if layers[2:]),
).says(
    "Only one pair of your layers has a ReLU between them: each linear layer but the last is"
    " followed by one."
)
network.mistake("sigmoid-between", partial(forward, between=torch.sigmoid)).says(
    "Between your layers stands a sigmoid; the task asks for ReLU."
)
network.mistake("tanh-between", partial(forward, between=torch.tanh)).says(
    "Between your layers stands a tanh; the task asks for ReLU."
)
network.mistake("leaky-relu", partial(forward, between=leaky_relu)).says(
    "Between your layers stands a leaky ReLU, which lets a little of the negative numbers through;"
    " the task asks for the plain one."
)
network.mistake("relu-flipped", partial(forward, between=partial(torch.clamp, max=0))).says(
    "Your ReLU is the wrong way round: it keeps the negative numbers."
)
network.mistake(
    "squashed-last",
    partial(forward, last=torch.sigmoid),
    partial(forward, last=partial(torch.softmax, dim=-1)),
    partial(forward, last=partial(torch.log_softmax, dim=-1)),
).says(
    "There is a softmax or a sigmoid after the last layer. Its result should come out as it is: any"
    " number."
)

IN_FORWARD = Misconception(
    "layers-made-in-forward",
    "Your `forward` makes its layers anew in every call: with new random numbers each time, and"
    " never registered. Make them once, in `__init__`.",
)
OVERWRITTEN = Misconception(
    "layer-overwritten",
    "Your network keeps its last layer alone: does each round of a loop assign the same attribute,"
    " so that the next layer takes the place of the one before?",
)
SHARED = Misconception(
    "shared-block",
    "Your network uses one layer object several times: each block needs parameters of its own.",
)
SEVERAL = (
    "There should be one layer that maps `sizes[{n}]` to `sizes[{m}]` numbers; your network holds"
    " {got}."
)
MISSING = "Of {layers} layers, the one that maps `sizes[{n}]` to `sizes[{m}]` numbers is missing."


# Passes with the student's `MyLinear`, whose set-up is another test's matter, or with another.
with_either = tried(
    lambda student, **inputs: student.run(probes.network, **inputs),
    lambda student, **inputs: run(student, probes.network, stand_in=True, **inputs),
    last_tells=True,
)


def expect_numbers(found, sentence):
    in_forward = IN_FORWARD if isinstance(found["forward"], Tensor) else None
    expect(found["tensors"] > 0, sentence, in_forward)


def layers_of(found):
    """The weights `(in, out)` and the bias of each layer, found by their shapes."""
    expect_numbers(found, "Your network holds no numbers once it is made.")
    layers = found["filled"]
    overwritten = OVERWRITTEN if found["tensors"] == 2 and all(layers[-1]) else None
    for n, (weights, biases) in enumerate(layers):
        says = SEVERAL if weights else MISSING
        told = {"layers": len(layers), "n": n, "m": n + 1, "got": len(weights)}
        expect(len(weights) == 1, says, overwritten, **told)
        one = len(biases) == 1
        expect(one, "Every layer should have one bias, with a number for each of its outputs.")
    return [[weights[0], biases[0]] for weights, biases in layers]


@pytest.mark.points(2)
@with_either
def test_blocks(ask, rng):
    """The linear layers are the student's own `MyLinear`.

    network = MLP([3, 5, 4, 2])
    kinds = [type(module) for module in network.modules()]
    print(MyLinear in kinds, nn.Linear in kinds)
    #> True False
    """
    found = ask(sizes=[5, 7, 2], x=torch.randn(4, 5, generator=rng), must=False)
    mistake("layers-of-pytorch", found["torch"]).says(
        "Your network is made of `nn.Linear`, the layer of PyTorch; the task asks for your own"
        " `MyLinear`."
    )
    if not found["own"]:
        expect_numbers(found, "Your network holds no `MyLinear`.")
        fail("Your network holds no `MyLinear`: its linear layers should be yours.")


@pytest.mark.points(8)
@with_either
def test_registered(ask, rng):
    """Every layer's weights and bias are registered: `parameters()` has them.

    network = MLP([3, 5, 4, 6, 2])
    print(sorted(p.numel() for p in network.parameters()))  # four biases, four weights
    #> [2, 4, 5, 6, 12, 15, 20, 24]
    """
    sizes = [5, 17, 3, 131, 2]
    found = ask(sizes=sizes, must=False, **draw(rng, sizes=sizes))
    layers_of(found)
    mistake("parameters-in-a-list", found["hidden"]).says(
        "Your layers are in a plain Python list, tuple or dict, which hides them: `parameters()`"
        " sees none of it. `nn.ModuleList` and `nn.Sequential` register what they hold."
    )


@pytest.mark.points(6)
@pytest.mark.parametrize("case", CASES, ids=["two layers", "three layers"])
@with_either
def test_forward(ask, rng, case):
    """`forward(x)` goes through all layers, with a ReLU between one and the next only.

    network = MLP([2, 3, 3, 4, 2])
    with torch.no_grad():
        for parameter in network.parameters():  # known numbers, from -2 to 1
            parameter.copy_(torch.linspace(-2, 1, parameter.numel()).reshape(parameter.shape))
    y = network(torch.linspace(-2, 2, 8).reshape(2, 2, 2))
    print(y.shape)
    #> torch.Size([2, 2, 2])
    print(y.detach().flatten())
    #> tensor([-1.4286,  2.0000, -0.5843,  4.5530, -0.4458,  4.8277, -0.3553,  5.0596])
    """
    inputs, sizes = network.draw(rng, **case), case["sizes"]
    found = ask(sizes=list(sizes), **inputs)
    shape = (len(inputs["x"]), sizes[-1])
    checks.tensor(found["forward"], network.name, shape, torch.float32)
    network.check(found["forward"], x=inputs["x"], layers=layers_of(found))


@pytest.mark.points(2)
@pytest.mark.parametrize("leading", [(3, 4), (2, 3, 2), ()], ids=["3 axes", "4 axes", "1 axis"])
@with_either
def test_leading_shapes(ask, rng, leading):
    """`forward(x)` takes any leading shape, none included, and does with each row what it does in
    a matrix.

    network = MLP([3, 5, 6, 4])
    x = torch.randn(6, 7, 3)
    print(network(x[0, 0]).shape, network(x).shape, network(x.reshape(2, 3, 7, 3)).shape)
    #> torch.Size([4]) torch.Size([6, 7, 4]) torch.Size([2, 3, 7, 4])
    print(torch.allclose(network(x)[5, 1], network(x[5])[1], atol=1e-4))  # a row is a row
    #> True
    """

    def ask_forward(**inputs):
        found = ask(sizes=[5, 7, 6, 2], **inputs)
        expect_numbers(found, "Your network holds no numbers.")
        return found["forward"]

    check_leading(leading, network, network.draw(rng), ask_forward)


@pytest.mark.points(2)
@with_either
def test_gradient(ask, rng):
    """`backward()` reaches the parameters of every layer: all of them can learn.

    network = MLP([3, 5, 4, 6, 2])
    network(torch.randn(8, 3)).sum().backward()
    print(len([p for p in network.parameters() if p.grad is not None]))  # four weights, four biases
    #> 8
    """
    found = ask(sizes=[5, 7, 3, 2], x=torch.randn(9, 5, generator=rng))
    checks.tensor(found["forward"], network.name, (9, 2))
    mistake("gradient-cut", found["cut"]).says(
        "Somewhere in your `forward` the connection to the parameters is lost, so `backward()`"
        " cannot reach all of them. Usual causes: `.data`, `.detach()`, `.numpy()`,"
        " `torch.tensor(...)` or `torch.no_grad()` in `forward`."
    )
    expect_numbers(found, "Your network has nothing that could learn.")


@pytest.mark.points(5)
@pytest.mark.parametrize("sizes", [(4, 3), (3, *11 * [6], 2)], ids=["one layer", "twelve layers"])
@with_either
def test_any_depth(ask, rng, sizes):
    """Any list of at least two sizes makes a network of that depth, each block with numbers of its
    own.

    for sizes in [3, 2], [3, 6, 6, 6, 6, 2]:  # one layer, five layers
        network = MLP(sizes)
        print(network(torch.ones(4, 3)).shape, len(list(network.parameters())))
    #> torch.Size([4, 2]) 2
    #> torch.Size([4, 2]) 10
    """
    found = ask(sizes=list(sizes), x=torch.randn(5, sizes[0], generator=rng))
    checks.tensor(found["forward"], network.name, (5, sizes[-1]))
    blocks, count = len(sizes) - 1, found["tensors"]
    expect(
        count == 2 * blocks,
        "1 block holds 2 tensors with numbers, a weight and a bias each; your network holds"
        " {count}."
        if blocks == 1
        else "{blocks} blocks hold {tensors} tensors with numbers, a weight and a bias each; your"
        " network holds {count}.",
        SHARED if found["reused"] else None if count else IN_FORWARD,
        **{"blocks": blocks, "tensors": 2 * blocks, "count": count},
    )
