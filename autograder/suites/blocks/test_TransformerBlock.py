"""`TransformerBlock`: attention, then two layers, each with a norm before it and a skip past it.

Each check passes with the student's own parts or with stand-ins in their place.
"""

import pytest
import torch

from autograder.exercise.gradients import with_gradient_of
from autograder.exercise.layers import Layer
from autograder.suites.blocks import asking, functions


def draw(rng, shape=(2, 4), sizes=(6, 2, 5), stand_in=False):
    dim, _, hidden = sizes
    params = functions.under(
        second=functions.draw_linear(rng, hidden, dim),
        first=functions.draw_linear(rng, dim, hidden),
        norm2=functions.draw_norm(rng, dim),
        attention=functions.draw_attention(rng, dim),
        norm1=functions.draw_norm(rng, dim),
    )
    inputs = {"params": params, "sizes": list(sizes), "stand_in": stand_in}
    inside = also(**inputs)["inside"]
    return {**inputs, "x": functions.unbent(lambda: functions.drawn(rng, *shape, dim), inside)}


def also(params, sizes, stand_in):
    """The norms; what is added to `x`, `att`, and to `h`, `layers`; and what is `inside` these."""
    f = functions.parts(params, stand_in, heads=sizes[1])

    def att(x, norm=f["norm1"]):
        return f["attention"](norm(x))

    def layers(h, norm=f["norm2"], relu=torch.relu):
        return f["second"](relu(f["first"](norm(h))))

    return {
        **f,
        "att": att,
        "layers": layers,
        "inside": lambda x: f["first"](f["norm2"](x + att(x))),
    }


def left_out(norm):
    """A norm that the way back goes past, though it gives the gradients of its params."""
    return lambda t: with_gradient_of(norm(t), norm(t.detach()) + t)


def nothing(t):
    return t


BLOCK = Layer(
    "TransformerBlock",
    lambda x, att, layers: (h := x + att(x)) + layers(h),
    draw,
    [{}, {"shape": (3, 3)}, {"shape": (2, 3), "sizes": (4, 4, 7)}],
    sizes=lambda sizes: sizes,
    also=also,
    parts=("LayerNorm", "SelfAttention", "Linear", "ReLU"),
)
forward, way_back = BLOCK.forward, BLOCK.way_back

forward.mistake(
    "norm-after",
    lambda x, norm1, norm2, att, layers: norm2(
        (h := norm1(x + att(x, nothing))) + layers(h, nothing)
    ),
).says(
    "Your norms come after the sums, as in the first transformer. Here they come before: `norm1`"
    " before the attention, `norm2` before the layers, and nothing on the way past them."
)
forward.mistake(
    "norm-on-the-skip",
    lambda x, norm1, norm2, att, layers: (h := norm2(norm1(x) + att(x))) + layers(h, nothing),
).says("What goes past attention and layers is `x` and `h` as they are; yours are normalised.")
forward.mistake(
    "norm-missing",
    lambda x, att, layers: (h := x + att(x, nothing)) + layers(h),
    lambda x, att, layers: (h := x + att(x)) + layers(h, nothing),
    lambda x, att, layers: (h := x + att(x, nothing)) + layers(h, nothing),
).says("A norm is missing: `norm1` stands before the attention, `norm2` before the layers.")
forward.mistake("skip-of-attention-missing", lambda x, att, layers: (h := att(x)) + layers(h)).says(
    "What the attention gives is not added to `x`."
)
forward.mistake("skip-of-layers-missing", lambda x, att, layers: layers(x + att(x))).says(
    "What the two layers give is not added to `h`."
)
forward.mistake("x-for-h", lambda x, att, layers: x + layers(x + att(x))).says(
    "The second sum starts from `x`, so that what the attention gave is lost: it starts from `h`."
)
forward.mistake("parallel", lambda x, att, layers: x + att(x) + layers(x)).says(
    "The two layers get `x`, past the attention: they get `h`, normalised."
)
forward.mistake(
    "relu-missing", lambda x, att, layers: (h := x + att(x)) + layers(h, relu=nothing)
).says("There is no ReLU between the two layers.")
forward.mistake(
    "one-norm-twice", lambda x, norm1, att, layers: (h := x + att(x)) + layers(h, norm1)
).says("You use `norm1` in both places; the second norm has parameters of its own.")

way_back.mistake(
    "skip-gradient-of-layers-lost",
    lambda x, att, layers: (h := x + att(x)).detach() + layers(h),
).says(
    "`h` goes two ways: through `norm2` and the layers, and past them. What comes past them is"
    " missing."
)
way_back.mistake(
    "skip-gradient-of-attention-lost",
    lambda x, att, layers: (h := x.detach() + att(x)) + layers(h),
).says(
    "`x` goes two ways: through `norm1` and the attention, and past them. What comes past them is"
    " missing."
)
way_back.mistake(
    "skip-gradients-lost",
    lambda x, att, layers: (h := x.detach() + att(x)).detach() + layers(h),
).says(
    "`h` and `x` go two ways each. What comes back past the layers, and past the attention, is"
    " missing."
)
way_back.mistake(
    "attention-gets-upstream",
    lambda x, att, layers: x + (a := att(x)) + layers(x + a.detach()),
).says(
    "The attention gets `grad_output` as it came. What it gets is the gradient of `h`: to that, the"
    " two layers have added theirs."
)
way_back.mistake(
    "grad-output-for-dh",
    lambda x, att, layers: x + (a := att(x)) + layers(x.detach() + a),
).says(
    "Past the attention comes the gradient of `h`, not `grad_output` as it came: the layers have"
    " added theirs."
)
way_back.mistake(
    "mask-missing",
    lambda x, att, layers: (h := x + att(x)) + layers(h, relu=functions.passing),
).says("You leave ReLU out on the way back: where its input was negative, nothing goes back.")
way_back.mistake(
    "norm-left-out",
    lambda x, norm2, att, layers: (h := x + att(x)) + layers(h, left_out(norm2)),
    lambda x, norm1, att, layers: (h := x + att(x, left_out(norm1))) + layers(h),
    lambda x, norm1, norm2, att, layers: (
        (h := x + att(x, left_out(norm1))) + layers(h, left_out(norm2))
    ),
).says("The way back leaves out a norm: it goes through each part that `forward` goes through.")

asked = asking(BLOCK)


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
