"""A layer norm, right and as people get it wrong: forward, and on the way back.

Inputs are `x` (rows, features), `weight` and `bias` (features,), and `eps`, a number; on the way
back `g`, of the shape of `x`, comes in.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from autograder.exercise.gradients import MEAN, Differentiable

Mean = Callable[..., Tensor]


def normed(
    x: Tensor, eps: float, correction: int = 0, outside: bool = False, axis: int = -1
) -> tuple[Tensor, Tensor]:
    """The rows of mean 0 and variance 1, and what they were divided by.

    Args:
        correction: the variance is a sum divided by so many numbers less than there are.
        outside: whether `eps` is added to the root of the variance.
        axis: along which mean and variance are taken.
    """
    variance = x.var(axis, correction=correction, keepdim=True)
    divisor = variance.sqrt() + eps if outside else (variance + eps).sqrt()
    return (x - x.mean(axis, keepdim=True)) / divisor, divisor


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """What is right."""
    return weight * normed(x, eps)[0] + bias


def rule(
    n: Tensor,
    divisor: Tensor | float,
    h: Tensor,
    mean: Mean = torch.mean,
    variance: Mean = torch.mean,
) -> Tensor:
    """The gradient of `x`.

    Args:
        n: the rows of mean 0 and variance 1; they were divided by `divisor`.
        h: the gradient of `n`.
        mean: stands for the mean in the term that goes through the mean of a row.
        variance: stands for the mean in the one that goes through its variance.
    """
    return (h - mean(h, -1, keepdim=True) - n * variance(h * n, -1, keepdim=True)) / divisor


def nothing(rows: Tensor, axis: int, keepdim: bool) -> Tensor:
    """Zeros in the place of a mean."""
    return 0 * rows.sum(axis, keepdim=keepdim)


def add_mistakes(norm: Differentiable) -> None:
    """Add what people get wrong about a layer norm."""
    _add_forward(norm)
    grad_x, grad_weight, grad_bias = (norm.gradients[name] for name in ("x", "weight", "bias"))
    grad_x.mistake(
        "mean-and-variance-as-constants",
        lambda x, weight, eps, g: rule(*normed(x, eps), weight * g, nothing, nothing),
    ).says(
        "You treat the mean and the variance as constants. Both depend on every number of the row,"
        " so the gradient goes through them as well: two more terms."
    )
    grad_x.mistake(
        "mean-as-a-constant",
        lambda x, weight, eps, g: rule(*normed(x, eps), weight * g, mean=nothing),
    ).says("The term for the mean is missing: moving one number moves the mean of its row.")
    grad_x.mistake(
        "variance-as-a-constant",
        lambda x, weight, eps, g: rule(*normed(x, eps), weight * g, variance=nothing),
    ).says(
        "The term for the variance is missing: moving one number changes how spread out its row is."
    )
    grad_x.mistake(
        "sums-for-means",
        lambda x, weight, eps, g: rule(*normed(x, eps), weight * g, torch.sum, torch.sum),
    ).says("The two terms for mean and variance are means over the row; yours are sums.")
    grad_x.mistake(
        "not-divided", lambda x, weight, eps, g: rule(normed(x, eps)[0], 1, weight * g)
    ).says("You do not divide by the standard deviation, as `forward` does: so must the gradient.")
    grad_weight.mistake("not-normalized", lambda x, g: (g * x).sum(0)).says(
        "Your gradient of `weight` has `x` in it; what `weight` is multiplied by is the normalized"
        " row."
    )
    grad_weight.add(MEAN, lambda x, eps, g: (g * normed(x, eps)[0]).mean(0))
    grad_bias.add(MEAN, lambda g: g.mean(0))


def _add_forward(norm: Differentiable) -> None:
    """Add what goes wrong in `forward`; where its gradient goes on with it, there too."""
    grad_x = norm.gradients["x"]
    unbiased = norm.mistake(
        "unbiased-variance",
        lambda x, weight, bias, eps: weight * normed(x, eps, correction=1)[0] + bias,
    ).says(
        "You divide by `d - 1` where the variance of a layer norm divides by `d`: `x.var(...)` does"
        " that unless you say `unbiased=False` (or `correction=0`)."
    )
    grad_x.add(unbiased, lambda x, weight, eps, g: rule(*normed(x, eps, correction=1), weight * g))
    outside = norm.mistake(
        "eps-outside-the-root",
        lambda x, weight, bias, eps: weight * normed(x, eps, outside=True)[0] + bias,
    ).says("You add `eps` to the standard deviation; it belongs to the variance, inside the root.")
    grad_x.add(outside, lambda x, weight, eps, g: rule(*normed(x, eps, outside=True), weight * g))
    norm.mistake(
        "eps-ignored",
        lambda x, weight, bias, eps: weight * normed(x, 0)[0] + bias,
        lambda x, weight, bias, eps: weight * normed(x, 1e-5)[0] + bias,
    ).says(
        "Your `eps` has no effect: it is added to the variance, before the root is taken. Is it"
        " left out, or always 1e-5?"
    )
    norm.mistake(
        "statistics-of-the-batch",
        lambda x, weight, bias, eps: weight * normed(x, eps, axis=0)[0] + bias,
    ).says(
        "You normalize over the samples, as a batch norm does. A layer norm takes the mean and the"
        " variance of each row: over the last axis."
    )
    norm.mistake(
        "mean-not-subtracted",
        lambda x, weight, bias, eps: weight * x / normed(x, eps)[1] + bias,
    ).says("You do not subtract the mean of each row.")
    norm.mistake(
        "weight-on-the-bias", lambda x, weight, bias, eps: weight * (normed(x, eps)[0] + bias)
    ).says("You add `bias` before multiplying by `weight`; it comes last.")
    ignored = norm.mistake(
        "weight-ignored", lambda x, weight, bias, eps: normed(x, eps)[0] + bias
    ).says(
        "`weight` is missing: each feature is multiplied by its own, and so is what comes in on its"
        " way back to `x`."
    )
    grad_x.add(ignored, lambda x, eps, g: rule(*normed(x, eps), g))
    norm.mistake("bias-missing", lambda x, weight, bias, eps: weight * normed(x, eps)[0]).says(
        "`bias` is missing: it is added at the end."
    )
