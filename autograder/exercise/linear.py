"""A linear layer, `x @ weights + bias`, right and as people get it wrong, forward and backward.

Inputs are `x` (rows, in), `weights` (in, out) and `bias` (out,); on the way back `g` (rows, out)
comes in.
"""

from torch import Tensor

from autograder.exercise.gradients import MEAN, Differentiable


def linear(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """What is right."""
    return x @ weights + bias


def add_mistakes(layer: Differentiable) -> None:
    """Add what people get wrong about a linear layer."""
    layer.forward.mistake("bias-missing", lambda x, weights: x @ weights).says(
        "The bias is missing from what comes out."
    )
    layer.forward.mistake("bias-subtracted", lambda x, weights, bias: x @ weights - bias).says(
        "You subtract the bias; it is added."
    )
    layer.gradients["weights"].add(MEAN, lambda x, g: x.T @ g / len(x))
    layer.gradients["bias"].add(MEAN, lambda g: g.mean(0))
