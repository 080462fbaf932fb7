"""`SelfAttention`: every patch looks at every other one, with several heads; and the way back."""

from functools import partial
from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.formula import Formula
from autograder.exercise.in_order import gradients
from autograder.suites.blocks.functions import (
    attention,
    draw_attention,
    draw_rows,
    merge,
    rows,
    split,
)
from autograder.suites.blocks.layers import Asked, Layer

CASES: list[dict[str, Any]] = [
    {"shape": (3, 5, 6)},
    {"shape": (2, 4, 6)},
    {"shape": (2, 3, 8), "heads": 4},
]


def draw_forward(rng, shape=(3, 5, 6), heads=2):
    return {"params": draw_attention(rng, shape[-1]), "x": draw_rows(rng, *shape), "heads": heads}


def draw(rng, shape=(3, 5, 6), heads=2):
    return {**draw_forward(rng, shape, heads), "g": draw_rows(rng, *shape)}


def torn(t, heads):
    """What `split` gives where the numbers are only taken in their order."""
    n, count, dim = t.shape
    return t.reshape(n, heads, count, dim // heads)


def attend(x, params, heads, scale=None, axis=-1, cut=split, join=merge, turn=(), swap=False):
    """What attention computes, by name; right, unless told otherwise."""
    p = {name: t.T if name in turn else t for name, t in params.items()}
    q, k, v = (cut(x @ p[name], heads) for name in ("wq", "wk", "wv"))
    q, k = (k, q) if swap else (q, k)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    a = torch.softmax(scale * q @ k.transpose(-1, -2), axis)
    mixed = join(a @ v)
    return {"q": q, "k": k, "v": v, "a": a, "scale": scale, "mixed": mixed, "y": mixed @ p["wo"]}


def softmax(a, da):
    """The way back through softmax."""
    return a * (da - (a * da).sum(-1, keepdim=True))


def back(
    x,
    params,
    heads,
    g,
    through=softmax,
    back_scale=None,
    turned=(),
    above=split,
    ways="vqk",
    **how,
):
    """The way back, right unless told otherwise: from `wo` to `x`, one tensor after the other."""
    f = attend(x, params, heads, **how)
    a, q, k, v, p = f["a"], f["q"], f["k"], f["v"], params
    mixed = above(g @ (p["wo"] if "o" in turned else p["wo"].T), heads)
    scores = through(a, mixed @ v.transpose(-1, -2))
    scores = scores * (f["scale"] if back_scale is None else back_scale)
    found = {
        "v": (a if "v" in turned else a.transpose(-1, -2)) @ mixed,
        "q": scores @ k,
        "k": (scores if "k" in turned else scores.transpose(-1, -2)) @ q,
    }
    found = {name: merge(t) for name, t in found.items()}
    grads = {f"w{name}": rows(x).T @ rows(t) for name, t in found.items()}
    into = sum(found[name] @ p[f"w{name}"].T for name in ways)
    return {"wo": rows(f["mixed"]).T @ rows(g), **grads, "x": into}


def torn_back(t):
    """What `merge` gives where the numbers are only taken in their order."""
    return t.reshape(t.shape[0], t.shape[2], -1)


forward = Formula(
    "`forward(x)`",
    draw=draw_forward,
    cases=CASES,
    also=lambda x, params, heads: {"f": partial(attend, x, params, heads), "dim": x.shape[-1]},
    reference=lambda x, params, heads: attention(x, params, heads),
    within=1e-5,
)
forward.mistake("scale-missing", lambda f: f(scale=1.0)["y"]).says(
    "The scores are not scaled: they are divided by the root of `dim / heads`."
)
forward.mistake("scale-by-dim", lambda f, dim: f(scale=dim**-0.5)["y"]).says(
    "You scale the scores by the root of `dim`. A score is a sum over the columns of one head, of"
    " which there are `dim / heads`."
)
forward.mistake("scale-without-root", lambda f, dim, heads: f(scale=heads / dim)["y"]).says(
    "You divide the scores by `dim / heads`; it is the root of that."
)
forward.mistake("softmax-over-queries", lambda f: f(axis=-2)["y"]).says(
    "Your softmax runs along the wrong axis: the weights that one patch gives to all others add up"
    " to 1, and those are a row of the scores."
)
forward.mistake(
    "heads-torn", lambda f: f(cut=torn)["y"], lambda f: f(cut=torn, join=torn_back)["y"]
).says(
    "Your heads hold numbers of several patches: a reshape alone tears them apart. Split the last"
    " axis into heads and columns, then swap axes."
)
forward.mistake("heads-torn-together", lambda f: f(join=torn_back)["y"]).says(
    "Your heads are put side by side by a reshape alone, which mixes up patches. Swap the axes"
    " first, so that the columns of all heads of one patch lie side by side."
)
forward.mistake(
    "heads-interleaved",
    lambda f: f(
        cut=lambda t, heads: t.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2),
        join=lambda t: t.permute(0, 2, 3, 1).flatten(2),
    )["y"],
).says(
    "Your head h takes every so many columns. Head h has the columns from `h * dim / heads` on,"
    " side by side."
)
forward.mistake("heads-ignored", lambda x, params, heads: attention(x, params, 1)).says(
    "You compute with one head, however many are asked for."
)
forward.mistake("queries-and-keys-swapped", lambda f: f(swap=True)["y"]).says(
    "Queries and keys have changed places: a row of the scores is one query with all keys."
)
forward.mistake("out-missing", lambda f: f()["mixed"]).says(
    "The heads, side by side, are not multiplied by `wo`."
)
forward.mistake("out-untransposed", lambda f: f(turn=("wo",))["y"]).says(
    "You multiply by `wo` transposed."
)
forward.mistake("weights-turned", lambda f: f(turn=("wq", "wk", "wv", "wo"))["y"]).says(
    "You multiply by the matrices transposed, as `nn.Linear` keeps them; here it is `x @ wq`."
)

backward = in_order.formula(
    "`backward`",
    draw=draw,
    cases=CASES,
    also=lambda x, params, heads, g: {
        "right": gradients(partial(attention, heads=heads), x, params, g),
        "back": partial(back, x, params, heads, g),
    },
)
backward.mistake("scale-lost-on-the-way-back", lambda back: back(back_scale=1.0)).says(
    "The scores were scaled, so their gradient is, too: forward and backward, the same factor."
)
backward.mistake(
    "softmax-as-sigmoid", lambda back: back(through=lambda a, da: a * (1 - a) * da)
).says(
    "You go back through softmax as through a sigmoid, each number on its own. But each weight of a"
    " row depends on all scores of that row."
)
backward.mistake("softmax-sum-missing", lambda back: back(through=lambda a, da: a * da)).says(
    "On the way back through softmax, a part is missing: the weights of a row add up to 1, so when"
    " one grows, the others shrink."
)
backward.mistake("softmax-left-out", lambda back: back(through=lambda a, da: da)).says(
    "The way back leaves out softmax: what comes before it is a product with the values."
)
backward.mistake(
    "softmax-over-queries-on-the-way-back",
    lambda back: back(through=lambda a, da: a * (da - (a * da).sum(-2, keepdim=True))),
).says(
    "On the way back through softmax, you sum along the wrong axis: a row of weights adds up to 1."
)
backward.mistake(
    "softmax-applied-twice", lambda back: back(through=lambda a, da: softmax(a, softmax(a, da)))
).says("You go back through softmax twice.")
backward.mistake("values-untransposed", lambda back: back(turned="v")).says(
    "Forward, the weights of the attention multiply the values. On the way back to the values they"
    " are transposed: patch j gets from all that have looked at it."
)
backward.mistake("keys-untransposed", lambda back: back(turned="k")).says(
    "The gradient of the scores has a row for each query and a column for each key: on the way to"
    " the keys it is transposed."
)
backward.mistake("out-untransposed", lambda back: back(turned="o")).says(
    "Forward, you multiply by `wo`; on the way back, by `wo` transposed."
)
backward.mistake(
    "counted-once",
    lambda back: (back(ways=ways) for ways in ("v", "q", "k", "vq", "vk", "qk")),
).says(
    "`x` is used three times: for queries, keys and values. Its gradient is the sum of what comes"
    " back on all three ways."
)
backward.mistake(
    "gradients-transposed",
    lambda right: {key: t if key == "x" else t.T for key, t in right.items()},
).says("It is the right one, transposed.")
backward.mistake(
    "upstream-ignored", lambda x, params, heads, g: back(x, params, heads, torch.ones_like(g))
).says(
    "You work it out as if the loss were the sum of the layer's answers; `grad_output` says how"
    " much each of them counts."
)
backward.mistake("heads-torn-on-the-way-back", lambda back: back(above=torn)).says(
    "On the way back, the heads are split by a reshape alone, which tears patches apart: split as"
    " you do forward."
)


def mixed(inputs):
    """The right rules with what a wrong forward pass has kept."""
    x, params, heads, g = (inputs[name] for name in ("x", "params", "heads", "g"))
    dim = x.shape[-1]
    for scale in (1.0, dim**-0.5, heads / dim):
        yield back(x, params, heads, g, back_scale=(heads / dim) ** 0.5, scale=scale)


SELF_ATTENTION = Layer(
    "SelfAttention",
    forward,
    backward,
    sizes=lambda inputs: [inputs["x"].shape[-1], inputs["heads"]],
    mixed=mixed,
)


@pytest.fixture(scope="module")
def asked(student, suite_rng):
    return Asked(student, SELF_ATTENTION, suite_rng)


@pytest.mark.points(8)
def test_forward(asked):
    """`forward(x)` is what each patch gets from all patches, head by head.

    layer = SelfAttention(4, 2)
    for place, name in enumerate(["wq", "wk", "wv", "wo"]):
        layer.params[name][:] = torch.sin(torch.arange(16.0) + place).reshape(4, 4)
    x = torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4)
    print([round(value, 3) for value in layer.forward(x)[1].flatten().tolist()])
    #> [-0.497, -0.084, 0.407, 0.524, -0.184, 0.498, 0.722, 0.283, 0.031, 0.14, 0.121, -0.01]
    """
    asked.forward()


@pytest.mark.points(6)
def test_x(asked):
    """`backward` returns the gradient of `x`, which is used three times; by hand.

    layer = SelfAttention(4, 2)
    for place, name in enumerate(["wq", "wk", "wv", "wo"]):
        layer.params[name][:] = torch.sin(torch.arange(16.0) + place).reshape(4, 4)
    layer.forward(torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        x = layer.backward(torch.sin(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    print([round(value, 3) for value in x[1].flatten().tolist()])
    #> [-0.28, 0.468, -0.332, -0.034, 0.291, -0.12, -0.134, 0.295, -0.699, 1.771, -1.616, 0.342]
    """
    asked.gradients("x")


@pytest.mark.points(8)
def test_params(asked):
    """`backward` fills `grads` with the gradients of `wo`, `wv`, `wq` and `wk`, by hand.

    layer = SelfAttention(4, 2)
    for place, name in enumerate(["wq", "wk", "wv", "wo"]):
        layer.params[name][:] = torch.sin(torch.arange(16.0) + place).reshape(4, 4)
    layer.forward(torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        layer.backward(torch.sin(torch.arange(24.0) ** 2).reshape(2, 3, 4))
    for name in ("wo", "wv", "wq", "wk"):  # in the order of the backward pass
        print(name, [round(value, 3) for value in layer.grads[name].diagonal().tolist()])
    #> wo [0.999, 0.039, -1.116, -0.013]
    #> wv [-0.736, -1.458, 0.603, -0.357]
    #> wq [-0.05, -0.097, 0.196, -0.384]
    #> wk [-0.18, 0.29, 0.465, -0.307]
    """
    asked.gradients("w")


@pytest.mark.points(3)
def test_again(asked):
    """A second call, after a step in place, uses the new numbers and fills `grads` afresh.

    layer = SelfAttention(4, 2)
    x = torch.cos(torch.arange(24.0) ** 2).reshape(2, 3, 4)
    for number in (0.5, 1.0):
        for name in ("wq", "wk", "wv", "wo"):
            layer.params[name][:] = number * torch.eye(4)
        y = layer.forward(x)
        with torch.inference_mode():
            layer.backward(torch.ones(2, 3, 4))
        numbers = (y[0, 0, 0], layer.grads["wv"][0, 0], layer.grads["wq"][0, 0])
        print([round(value.item(), 3) for value in numbers])
    #> [0.061, 0.386, 0.025]
    #> [0.495, 0.817, 0.12]
    """
    asked.again()
