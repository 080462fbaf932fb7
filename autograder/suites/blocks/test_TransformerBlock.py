"""`TransformerBlock`: attention, then two layers, each with a norm before it and a skip past it.

Each check passes with the student's own parts or with stand-ins in their place.
"""

from functools import partial
from typing import Any

import pytest

from autograder.exercise import in_order
from autograder.exercise.formula import Formula
from autograder.exercise.in_order import gradients
from autograder.suites.blocks.functions import (
    OWN,
    STAND_INS,
    draw_attention,
    draw_linear,
    draw_norm,
    draw_rows,
    named,
    of,
    under,
)
from autograder.suites.blocks.layers import Asked, Layer

CASES: list[dict[str, Any]] = [
    {"shape": shape, "sizes": sizes, "stand_in": stand_in}
    for stand_in in (False, True)
    for shape, sizes in (((2, 4), (6, 2, 5)), ((3, 3), (6, 2, 5)), ((2, 3), (4, 4, 7)))
]


def draw_forward(rng, shape=(2, 4), sizes=(6, 2, 5), stand_in=False):
    dim, _, hidden = sizes
    params = {
        **under("second", draw_linear(rng, hidden, dim)),
        **under("first", draw_linear(rng, dim, hidden)),
        **under("norm2", draw_norm(rng, dim)),
        **under("attention", draw_attention(rng, dim)),
        **under("norm1", draw_norm(rng, dim)),
    }
    while True:
        x = draw_rows(rng, *shape, dim)
        inputs = {"params": params, "x": x, "sizes": list(sizes), "stand_in": stand_in}
        if float(block(**inputs)["inside"].abs().min()) > 1e-3:  # where ReLU does not bend
            return inputs


def draw(rng, shape=(2, 4), sizes=(6, 2, 5), stand_in=False):
    drawn = draw_forward(rng, shape, sizes, stand_in)
    return {**drawn, "g": draw_rows(rng, *drawn["x"].shape)}


def parts(params, sizes, stand_in):
    """The functions of the parts by name, with their params."""
    known = STAND_INS if stand_in else OWN
    kinds = {"norm1": "LayerNorm", "norm2": "LayerNorm", "first": "Linear", "second": "Linear"}
    found = {name: partial(known[kind], p=of(params, name)) for name, kind in kinds.items()}
    attention = known["SelfAttention"]
    return {
        **found,
        "attention": lambda x, p=None: attention(x, p or of(params, "attention"), sizes[1]),
    }


def block(x, params, sizes, stand_in):
    """What the block comes to, by name, and its parts."""
    f = parts(params, sizes, stand_in)
    h = x + f["attention"](f["norm1"](x))
    inside = f["first"](f["norm2"](h))
    out = f["second"](inside.relu())
    return {**f, "h": h, "inside": inside, "out": out}


def back(x, params, g, sizes, stand_in, mask=True, skips=(1, 1), direct=False, norms=(1, 1)):
    """The way back, right unless told otherwise.

    Args:
        skips: how often what comes past the layers, and past the attention, counts.
        direct: whether the attention gets `g`, and not what has come to `h`.
        norms: whether the way goes through `norm2`, and through `norm1`.
    """
    f = block(x, params, sizes, stand_in)

    def through(name, at, above):
        return gradients(lambda x, p: f[name](x, p=p), at, of(params, name), above)

    x1, h = f["norm1"](x), f["h"]
    second = through("second", f["inside"].relu(), g)
    first = through("first", f["norm2"](h), second["x"] * (f["inside"] > 0 if mask else 1))
    norm2 = through("norm2", h, first["x"])
    dh = skips[0] * g + (norm2["x"] if norms[0] else first["x"])
    attention = through("attention", x1, g if direct else dh)
    norm1 = through("norm1", x, attention["x"])
    into = skips[1] * dh + (norm1["x"] if norms[1] else attention["x"])
    found = {"second": second, "first": first, "norm2": norm2, "attention": attention}
    grads = {k: t for name, part in found.items() for k, t in named(name, part).items()}
    return {**grads, **named("norm1", norm1), "x": into}


def two_layers(x, first, second):
    return second(first(x).relu())


forward = Formula(
    "`forward(x)`",
    draw=draw_forward,
    cases=CASES,
    also=block,
    reference=lambda h, out: h + out,
    within=1e-5,
)
forward.mistake(
    "norm-after",
    lambda x, norm1, norm2, attention, first, second: norm2(
        (h := norm1(x + attention(x))) + two_layers(h, first, second)
    ),
).says(
    "Your norms come after the sums, as in the first transformer. Here they come before: `norm1`"
    " before the attention, `norm2` before the layers, and nothing on the way past them."
)
forward.mistake(
    "norm-on-the-skip",
    lambda x, norm1, norm2, attention, first, second: (
        (n := norm2((m := norm1(x)) + attention(m))) + two_layers(n, first, second)
    ),
).says("What goes past attention and layers is `x` and `h` as they are; yours are normalised.")
forward.mistake(
    "norm-missing",
    lambda x, norm1, norm2, attention, first, second: (
        (h := x + attention(one(x))) + two_layers(two(h), first, second)
        for one, two in ((lambda t: t, norm2), (norm1, lambda t: t), (lambda t: t, lambda t: t))
    ),
).says("A norm is missing: `norm1` stands before the attention, `norm2` before the layers.")
forward.mistake(
    "skip-of-attention-missing",
    lambda x, norm1, norm2, attention, first, second: (
        (h := attention(norm1(x))) + two_layers(norm2(h), first, second)
    ),
).says("What the attention gives is not added to `x`.")
forward.mistake("skip-of-layers-missing", lambda out: out).says(
    "What the two layers give is not added to `h`."
)
forward.mistake("x-for-h", lambda x, out: x + out).says(
    "The second sum starts from `x`, so that what the attention gave is lost: it starts from `h`."
)
forward.mistake(
    "parallel", lambda x, h, norm2, first, second: h + two_layers(norm2(x), first, second)
).says("The two layers get `x`, past the attention: they get `h`, normalised.")
forward.mistake("relu-missing", lambda h, norm2, first, second: h + second(first(norm2(h)))).says(
    "There is no ReLU between the two layers."
)
forward.mistake(
    "one-norm-twice",
    lambda h, norm1, first, second: h + two_layers(norm1(h), first, second),
).says("You use `norm1` in both places; the second norm has parameters of its own.")

backward = in_order.formula(
    "`backward`",
    draw=draw,
    cases=CASES,
    also=lambda x, params, g, sizes, stand_in: {
        "right": gradients(
            lambda x, p: (f := block(x, p, sizes, stand_in))["h"] + f["out"], x, params, g
        ),
        "back": partial(back, x, params, g, sizes, stand_in),
    },
)
backward.mistake("skip-gradient-of-layers-lost", lambda back: back(skips=(0, 1))).says(
    "`h` goes two ways: through `norm2` and the layers, and past them. What comes past them is"
    " missing."
)
backward.mistake("skip-gradient-of-attention-lost", lambda back: back(skips=(1, 0))).says(
    "`x` goes two ways: through `norm1` and the attention, and past them. What comes past them is"
    " missing."
)
backward.mistake("skip-gradients-lost", lambda back: back(skips=(0, 0))).says(
    "`h` and `x` go two ways each. What comes back past the layers, and past the attention, is"
    " missing."
)
backward.mistake("attention-gets-upstream", lambda back: back(direct=True)).says(
    "The attention gets `grad_output` as it came. What it gets is the gradient of `h`: to that, the"
    " two layers have added theirs."
)
backward.mistake(
    "grad-output-for-dh", lambda back, right, g: right | {"x": back(skips=(1, 0))["x"] + g}
).says(
    "Past the attention comes the gradient of `h`, not `grad_output` as it came: the layers have"
    " added theirs."
)
backward.mistake("mask-missing", lambda back: back(mask=False)).says(
    "You leave ReLU out on the way back: where its input was negative, nothing goes back."
)
backward.mistake(
    "norm-left-out", lambda back: (back(norms=norms) for norms in ((0, 1), (1, 0), (0, 0)))
).says("The way back leaves out a norm: it goes through each part that `forward` goes through.")

TRANSFORMER_BLOCK = Layer(
    "TransformerBlock",
    forward,
    backward,
    sizes=lambda inputs: inputs["sizes"],
    parts=("LayerNorm", "SelfAttention", "Linear", "ReLU"),
)


@pytest.fixture(scope="module")
def asked(student, suite_rng):
    return Asked(student, TRANSFORMER_BLOCK, suite_rng)


@pytest.mark.points(4)
def test_forward(asked):
    """`forward(x)`: `h = x + attention(norm1(x))`, then `h + second(relu(first(norm2(h))))`.

    block = TransformerBlock(4, 2, 3)
    for place, name in enumerate(sorted(block.params)):
        tensor = block.params[name]
        tensor[:] = torch.sin(torch.arange(tensor.numel()) + place).reshape(tensor.shape)
    y = block.forward(torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    print([round(value, 2) for value in y[1].flatten().tolist()])
    #> [-0.29, -0.71, -0.12, 1.37, -1.23, 0.14, -0.64, 0.19, -1.86, -0.96, 0.86, 1.57]
    """
    asked.forward()


@pytest.mark.points(4)
def test_x(asked):
    """`backward` returns the gradient of `x`: past each part and through it, by hand.

    block = TransformerBlock(4, 2, 3)
    for place, name in enumerate(sorted(block.params)):
        tensor = block.params[name]
        tensor[:] = torch.sin(torch.arange(tensor.numel()) + place).reshape(tensor.shape)
    block.forward(torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        x = block.backward(torch.sin(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    print([round(value, 2) for value in x[1].flatten().tolist()])
    #> [-1.21, 0.46, 0.77, -1.1, -1.87, 0.23, -0.04, 0.53, -0.86, 0.62, 0.19, 1.25]
    """
    asked.gradients("x")


@pytest.mark.points(4)
def test_params(asked):
    """`backward` fills `grads` under the names of `params`, such as `attention.wq`, by hand.

    block = TransformerBlock(4, 2, 3)
    for place, name in enumerate(sorted(block.params)):
        tensor = block.params[name]
        tensor[:] = torch.sin(torch.arange(tensor.numel()) + place).reshape(tensor.shape)
    block.forward(torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        block.backward(torch.sin(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    for name in sorted(block.grads):
        print(f"{name:16}", round(block.grads[name].sum().item(), 2))
    #> attention.wk     -1.77
    #> attention.wo     1.87
    #> attention.wq     1.9
    #> attention.wv     -5.79
    #> first.bias       -0.02
    #> first.weights    0.08
    #> norm1.bias       0.07
    #> norm1.weight     1.72
    #> norm2.bias       -0.05
    #> norm2.weight     1.0
    #> second.bias      -2.12
    #> second.weights   -0.71
    """
    asked.gradients("second", "first", "norm", "attention")


@pytest.mark.points(3)
def test_again(asked):
    """`params` are the tensors of the parts: a step in place counts, and `grads` are made afresh.

    block = TransformerBlock(4, 2, 3)
    x = torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4)
    for number in (0.5, 1.0):
        for tensor in block.params.values():
            tensor[:] = number
        block.params["attention.wv"][:] = number * torch.eye(4)
        y = block.forward(x)
        with torch.inference_mode():
            block.backward(torch.ones(2, 3, 4))
        numbers = (y[0, 0, 0], block.grads["second.weights"][0, 0], block.grads["norm1.bias"][0])
        print([round(value.item(), 2) for value in numbers])
    #> [4.25, 9.0, 6.0]
    #> [21.0, 30.0, 24.0]
    """
    asked.again()
