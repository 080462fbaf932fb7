"""`LayerNorm`: each row to mean 0 and variance 1, then scaled and moved; and the way back."""

from functools import partial
from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.formula import Formula
from autograder.exercise.in_order import gradients
from autograder.suites.blocks.functions import draw_norm, draw_rows, norm
from autograder.suites.blocks.layers import Asked, Layer

CASES: list[dict[str, Any]] = [
    {"count": 6},
    {"count": 4},
    {"count": 12, "dim": 8, "eps": 0.15},
]


def draw_forward(rng, count=6, dim=5, eps=0.3):
    moved = draw_rows(rng, count, dim) + draw_rows(rng, count, 1)
    return {"params": draw_norm(rng, dim), "x": moved, "eps": eps}


def draw(rng, count=6, dim=5, eps=0.3):
    return {**draw_forward(rng, count, dim, eps), "g": draw_rows(rng, count, dim)}


def parts(x, params, eps):
    """What the formula is made of, by name."""
    centred, weight, bias = x - x.mean(-1, keepdim=True), params["weight"], params["bias"]
    var = centred.square().mean(-1, keepdim=True)
    std, dim = (var + eps).sqrt(), x.shape[-1]
    own = {"c": centred, "var": var, "std": std, "xhat": centred / std, "dim": dim}
    return {**own, "weight": weight, "bias": bias, "eps": eps}


def back(xhat, std, weight, g, *, mean=True, variance=True, over=None):
    """The rule of the way back; a part of it may be left out, or be a sum divided by `over`."""
    scaled, dim = g * weight, g.shape[-1]
    x = scaled
    if mean:
        x = x - scaled.sum(-1, keepdim=True) / (over or dim)
    if variance:
        x = x - xhat * (scaled * xhat).sum(-1, keepdim=True) / (over or dim)
    return {"weight": (g * xhat).sum(0), "bias": g.sum(0), "x": x / std}


forward = Formula(
    "`forward(x)`",
    draw=draw_forward,
    cases=CASES,
    also=parts,
    reference=lambda xhat, weight, bias: xhat * weight + bias,
    within=1e-5,
)
forward.mistake(
    "unbiased-variance",
    lambda c, var, eps, dim, weight, bias: weight * c / (var * dim / (dim - 1) + eps).sqrt() + bias,
).says(
    "You divide the squares by one less than there are numbers, as `var` and `std` of PyTorch do"
    " unless one says otherwise; here it is their mean."
)
forward.mistake(
    "eps-outside-root", lambda c, var, eps, weight, bias: weight * c / (var.sqrt() + eps) + bias
).says("`eps` is added to the variance, under the root, not to the root.")
forward.mistake(
    "eps-ignored",
    lambda c, var, weight, bias: (weight * c / (var + eps).sqrt() + bias for eps in (0, 1e-5)),
).says("The `eps` that the layer is made with does not count: is it left out, or always 1e-5?")
forward.mistake(
    "root-missing", lambda c, var, eps, weight, bias: weight * c / (var + eps) + bias
).says("You divide by the variance; it is its root that you divide by.")
forward.mistake("mean-not-subtracted", lambda x, std, weight, bias: weight * x / std + bias).says(
    "The mean of each row is not taken away from its numbers."
)
forward.mistake(
    "wrong-axis",
    lambda x, eps, weight, bias: (
        weight * (x - x.mean(0)) / (x.var(0, unbiased=False) + eps).sqrt() + bias
    ),
).says(
    "You take mean and variance of the columns, over the batch. A layer norm takes those of each"
    " row, along the last axis."
)
forward.mistake("weight-missing", lambda xhat, bias: xhat + bias).says(
    "The normalised rows are not multiplied by `weight`."
)
forward.mistake("bias-missing", lambda xhat, weight: xhat * weight).says("`bias` is not added.")

backward = in_order.formula(
    "`backward`",
    draw=draw,
    cases=CASES,
    also=lambda x, params, g, eps: {
        "right": gradients(partial(norm, eps=eps), x, params, g),
        "p": (xhat := (known := parts(x, params, eps))["xhat"], known["std"], params["weight"], g),
        "xhat": xhat,
    },
)
backward.mistake("mean-forgotten", lambda p: back(*p, mean=False)).says(
    "The mean of a row depends on each of its numbers, and its gradient is missing."
)
backward.mistake("variance-forgotten", lambda p: back(*p, variance=False)).says(
    "The variance of a row depends on each of its numbers, and its gradient is missing."
)
backward.mistake("mean-and-variance-constant", lambda p: back(*p, mean=False, variance=False)).says(
    "You treat mean and variance as constants. Both depend on `x`, so there are three ways back to"
    " it."
)
backward.mistake("sum-instead-of-mean", lambda p: back(*p, over=1)).says(
    "Where the gradient goes through mean and variance, there are means over the row, not sums."
)
backward.mistake(
    "unbiased-on-the-way-back",
    lambda p: (
        {**back(*p), "x": back(*p, variance=False)["x"] - part}
        for xhat, std, weight, g in [p]
        for part in [xhat * (g * weight * xhat).sum(-1, keepdim=True) / (g.shape[-1] - 1) / std]
    ),
).says(
    "Forward, the variance is a mean over all numbers of a row; on the way back, you divide by one"
    " less."
)
backward.mistake(
    "weight-missing-on-the-way-back",
    lambda p, right: right | {"x": back(p[0], p[1], torch.ones_like(p[2]), p[3])["x"]},
).says("`forward` ends with a product with `weight`, so the way back begins with one.")
backward.mistake("std-missing", lambda p, right: right | {"x": right["x"] * p[1]}).says(
    "It is not divided by the standard deviation: `forward` divides by it."
)
backward.mistake("xhat-missing", lambda g, right: right | {"weight": g.sum(0)}).says(
    "It is that of `bias`. The weight is multiplied by the normalised row, so that is a factor."
)
backward.mistake("x-for-xhat", lambda x, g, right: right | {"weight": (g * x).sum(0)}).says(
    "You multiply by `x`; in `forward`, the weight is multiplied by the normalised row."
)
backward.mistake(
    "batch-sum-missing",
    lambda g, xhat, right: (
        right | each
        for each in ({"weight": g * xhat, "bias": g}, {"bias": g}, {"weight": g * xhat})
    ),
).says("Every row has used the same numbers, so their gradient is the sum over all rows.")
backward.mistake(
    "mean-over-rows",
    lambda g, right: right | {key: right[key] / len(g) for key in ("weight", "bias")},
).says("You divide by the number of rows; the gradients of rows are added up.")
backward.mistake("upstream-ignored", lambda p: back(p[0], p[1], p[2], torch.ones_like(p[3]))).says(
    "You work it out as if the loss were the sum of the layer's answers; `grad_output` says how"
    " much each of them counts."
)


def mixed(inputs):
    """The right rule with what a wrong forward pass has kept."""
    known = parts(inputs["x"], inputs["params"], inputs["eps"])
    c, var, eps, dim = (known[name] for name in ("c", "var", "eps", "dim"))
    unbiased = (var * dim / (dim - 1) + eps).sqrt()
    for std in (unbiased, var.sqrt() + eps, var.sqrt(), (var + 1e-5).sqrt()):
        yield back(c / std, std, known["weight"], inputs["g"])


LAYER_NORM = Layer(
    "LayerNorm",
    forward,
    backward,
    sizes=lambda inputs: [inputs["x"].shape[-1], inputs["eps"]],
    mixed=mixed,
)


@pytest.fixture(scope="module")
def asked(student, suite_rng):
    return Asked(student, LAYER_NORM, suite_rng)


@pytest.mark.points(4)
def test_forward(asked):
    """`forward(x)` normalises each row, then scales and moves it.

    layer = LayerNorm(2, eps=3.0)
    layer.params["weight"][:] = torch.tensor([2.0, 4.0])
    layer.params["bias"][:] = torch.tensor([0.5, -1.0])
    x = torch.tensor([[5.0, 7.0], [3.0, 1.0], [4.0, 4.0]])
    print(layer.forward(x).tolist(), x[0].tolist())
    #> [[-0.5, 1.0], [1.5, -3.0], [0.5, -1.0]] [5.0, 7.0]
    """
    asked.forward()


@pytest.mark.points(5)
def test_x(asked):
    """`backward` returns the gradient of `x`: through the row itself, its mean and its variance.

    layer = LayerNorm(2, eps=3.0)
    layer.params["weight"][:] = torch.tensor([2.0, 4.0])
    layer.forward(torch.tensor([[5.0, 7.0], [3.0, 1.0], [4.0, 4.0]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        x = layer.backward(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    print([[round(value, 4) for value in row] for row in x.tolist()])
    #> [[0.375, -0.375], [-0.75, 0.75], [-0.5774, 0.5774]]
    """
    asked.gradients("x")


@pytest.mark.points(3)
def test_params(asked):
    """`backward` fills `grads` with the gradients of `weight` and `bias`, worked out by hand.

    layer = LayerNorm(2, eps=3.0)
    layer.forward(torch.tensor([[5.0, 7.0], [3.0, 1.0], [4.0, 4.0]]))
    with torch.inference_mode():  # autograd does not work here; your own formulas do
        layer.backward(torch.tensor([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]]))
    print(layer.grads["weight"].tolist(), layer.grads["bias"].tolist())
    #> [-0.5, -1.5] [2.0, 4.0]
    """
    asked.gradients("weight", "bias")


@pytest.mark.points(2)
def test_again(asked):
    """A second call, after a step in place, uses the new numbers and fills `grads` afresh.

    layer = LayerNorm(2, eps=3.0)
    for number in (1.0, 3.0):
        layer.params["weight"][:] = number
        layer.params["bias"][:] = 0.0
        y = layer.forward(torch.tensor([[5.0, 7.0]]))
        with torch.inference_mode():
            layer.backward(torch.tensor([[1.0, 4.0]]))
        print(y.tolist(), layer.grads["weight"].tolist(), layer.grads["bias"].tolist())
    #> [[-0.5, 0.5]] [-0.5, 2.0] [1.0, 4.0]
    #> [[-1.5, 1.5]] [-0.5, 2.0] [1.0, 4.0]
    """
    asked.again()


@pytest.mark.points(1)
def test_leading(asked):
    """Any leading shape: a row goes both ways as it does in a matrix.

    layer = LayerNorm(2, eps=3.0)
    for shape in [(2, 3), (2, 2, 2), ()]:
        y = layer.forward(torch.tensor([5.0, 7.0]).expand(*shape, 2))
        x = layer.backward(torch.ones(*shape, 2))
        print([*y.shape], [*x.shape], layer.grads["weight"].tolist(), layer.grads["bias"].tolist())
    #> [2, 3, 2] [2, 3, 2] [-3.0, 3.0] [6.0, 6.0]
    #> [2, 2, 2, 2] [2, 2, 2, 2] [-4.0, 4.0] [8.0, 8.0]
    #> [2] [2] [-0.5, 0.5] [1.0, 1.0]
    """
    asked.leading((2, 3), ())
