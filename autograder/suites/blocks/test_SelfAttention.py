"""`SelfAttention`: every patch looks at every other one, with several heads; and the way back."""

from functools import partial

import pytest

from autograder.exercise.gradients import with_gradient_of
from autograder.exercise.layers import Layer
from autograder.suites.blocks import asking
from autograder.suites.blocks.functions import attend, draw_attention, drawn, merge


def draw(rng, shape=(3, 5, 6), heads=2):
    return {"params": draw_attention(rng, shape[-1]), "x": drawn(rng, *shape), "heads": heads}


def torn(t, heads):
    """What splitting into heads gives where the numbers are only taken in their order."""
    n, count, dim = t.shape
    return t.reshape(n, heads, count, dim // heads)


def torn_back(t):
    """What putting heads side by side gives in that way."""
    return t.reshape(t.shape[0], t.shape[2], -1)


def kept(wrong):
    """The right scale on the way back of a wrong one."""
    return lambda f: f(scale=lambda s, size: with_gradient_of(wrong(s, size), s / size**0.5))


def through(jacobian):
    """A softmax whose way back is `jacobian(a, da)`, symmetric, `a` being the weights."""
    return lambda s: with_gradient_of(a := s.softmax(-1), jacobian(a.detach(), s))


def softmax_back(a, da, axis=-1):
    return a * (da - (a * da).sum(axis, keepdim=True))


ATTENTION = Layer(
    "SelfAttention",
    attend,
    draw,
    [{"shape": (3, 5, 6)}, {"shape": (2, 4, 6)}, {"shape": (2, 3, 8), "heads": 4}],
    sizes=lambda x, heads: [x.shape[-1], heads],
    also=lambda x, params, heads: {"f": partial(attend, x, params, heads), "dim": x.shape[-1]},
    kept=(kept(lambda s, size: s), kept(lambda s, size: s / size)),
)
forward, backward, way_back = ATTENTION.forward, ATTENTION.backward, ATTENTION.way_back

forward.mistake("scale-missing", lambda f: f(scale=lambda s, size: s)).says(
    "The scores are not scaled: they are divided by the root of `dim / heads`."
)
forward.mistake("scale-by-dim", lambda f, dim: f(scale=lambda s, size: s / dim**0.5)).says(
    "You scale the scores by the root of `dim`. A score is a sum over the columns of one head, of"
    " which there are `dim / heads`."
)
forward.mistake("scale-without-root", lambda f: f(scale=lambda s, size: s / size)).says(
    "You divide the scores by `dim / heads`; it is the root of that."
)
forward.mistake("softmax-over-queries", lambda f: f(weigh=lambda s: s.softmax(-2))).says(
    "Your softmax runs along the wrong axis: the weights that one patch gives to all others add up"
    " to 1, and those are a row of the scores."
)
forward.mistake(
    "heads-torn", lambda f: (f(cut=torn, join=join) for join in (merge, torn_back))
).says(
    "Your heads hold numbers of several patches: a reshape alone tears them apart. Split the last"
    " axis into heads and columns, then swap axes."
)
forward.mistake("heads-torn-together", lambda f: f(join=torn_back)).says(
    "Your heads are put side by side by a reshape alone, which mixes up patches. Swap the axes"
    " first, so that the columns of all heads of one patch lie side by side."
)
forward.mistake(
    "heads-interleaved",
    lambda f: f(
        cut=lambda t, heads: t.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2),
        join=lambda t: t.permute(0, 2, 3, 1).flatten(2),
    ),
).says(
    "Your head h takes every so many columns. Head h has the columns from `h * dim / heads` on,"
    " side by side."
)
forward.mistake("heads-ignored", lambda x, params: attend(x, params, 1)).says(
    "You compute with one head, however many are asked for."
)
forward.mistake("queries-and-keys-swapped", lambda f: f(score=lambda q, k: k @ q.mT)).says(
    "Queries and keys have changed places: a row of the scores is one query with all keys."
)
forward.mistake("out-missing", lambda f: f(out=lambda mixed, wo: mixed)).says(
    "The heads, side by side, are not multiplied by `wo`."
)
forward.mistake("out-untransposed", lambda f: f(out=lambda mixed, wo: mixed @ wo.T)).says(
    "You multiply by `wo` transposed."
)
forward.mistake(
    "weights-turned",
    lambda x, params, heads: attend(x, {name: t.T for name, t in params.items()}, heads),
).says("You multiply by the matrices transposed, as `nn.Linear` keeps them; here it is `x @ wq`.")

way_back.mistake(
    "scale-lost-on-the-way-back",
    lambda f: f(scale=lambda s, size: with_gradient_of(s / size**0.5, s)),
).says("The scores were scaled, so their gradient is, too: forward and backward, the same factor.")
way_back.mistake(
    "softmax-as-sigmoid", lambda f: f(weigh=through(lambda a, da: a * (1 - a) * da))
).says(
    "You go back through softmax as through a sigmoid, each number on its own. But each weight of a"
    " row depends on all scores of that row."
)
way_back.mistake("softmax-sum-missing", lambda f: f(weigh=through(lambda a, da: a * da))).says(
    "On the way back through softmax, a part is missing: the weights of a row add up to 1, so when"
    " one grows, the others shrink."
)
way_back.mistake("softmax-left-out", lambda f: f(weigh=through(lambda a, da: da))).says(
    "The way back leaves out softmax: what comes before it is a product with the values."
)
way_back.mistake(
    "softmax-over-queries-on-the-way-back",
    lambda f: f(weigh=through(partial(softmax_back, axis=-2))),
).says(
    "On the way back through softmax, you sum along the wrong axis: a row of weights adds up to 1."
)
way_back.mistake(
    "softmax-applied-twice",
    lambda f: f(weigh=through(lambda a, da: softmax_back(a, softmax_back(a, da)))),
).says("You go back through softmax twice.")
way_back.mistake(
    "values-untransposed",
    lambda f: f(mix=lambda a, v: with_gradient_of(a @ v, a @ v.detach() + a.detach().mT @ v)),
).says(
    "Forward, the weights of the attention multiply the values. On the way back to the values they"
    " are transposed: patch j gets from all that have looked at it."
)
way_back.mistake(
    "keys-untransposed",
    lambda f: f(
        score=lambda q, k: with_gradient_of(q @ k.mT, q @ k.detach().mT + k @ q.detach().mT)
    ),
).says(
    "The gradient of the scores has a row for each query and a column for each key: on the way to"
    " the keys it is transposed."
)
way_back.mistake(
    "out-untransposed",
    lambda f: f(
        out=lambda mixed, wo: with_gradient_of(
            mixed @ wo, mixed.detach() @ wo + mixed @ wo.detach().T
        )
    ),
).says("Forward, you multiply by `wo`; on the way back, by `wo` transposed.")
way_back.mistake(
    "counted-once",
    *(
        lambda f, ways=ways: f(see=lambda name, x: x if name in ways else x.detach())
        for ways in ("v", "q", "k", "vq", "vk", "qk")
    ),
).says(
    "`x` is used three times: for queries, keys and values. Its gradient is the sum of what comes"
    " back on all three ways."
)
way_back.mistake(
    "heads-torn-on-the-way-back",
    lambda f: f(join=lambda t: with_gradient_of(merge(t), torn_back(t))),
).says(
    "On the way back, the heads are split by a reshape alone, which tears patches apart: split as"
    " you do forward."
)
backward.mistake(
    "gradients-transposed",
    lambda right: {key: t if key == "x" else t.T for key, t in right.items()},
).says("It is the right one, transposed.")

asked = asking(ATTENTION)


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
