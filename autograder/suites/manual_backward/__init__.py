"""Suites of `manual_backward`: pictures to a matrix, and logistic regression without autograd.

Each part is tested alone: what the others should have given it is put in place by the probe.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.language import Text

#: Folders of `course_data` that the notebook reads.
DATASETS = ("digits_3_vs_8",)


def call(method: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    """One call for `probes.lr`."""
    return {"do": method, "with": list(arguments), **more}


def model(
    state: Mapping[str, Tensor], *calls: dict[str, Any], lr: Tensor | None = None
) -> dict[str, Any]:
    """An `LR` with the `w` and `b` of a state, and what is called of it: inputs of `probes.lr`."""
    w, b = state["w"], state["b"]
    lr = torch.tensor(0.1) if lr is None else lr
    return {"dim": len(w), "lr": lr, "state": {"w": w, "b": b}, "calls": list(calls)}


def reshaped(value: Any, name: str | Text, right: Tensor) -> Tensor:
    """Take `value` for as many numbers as `right` has; their shape is another test's matter."""
    value = torch.tensor(value) if isinstance(value, float) else value
    if isinstance(value, Tensor) and value.numel() == right.numel():
        value = value.reshape(right.shape)
    return checks.tensor(value, name, tuple(right.shape))


def sigmoid(z: Tensor) -> Tensor:
    return torch.special.expit(z.double())


def cross_entropy(yhat: Tensor, y: Tensor) -> Tensor:
    """The mean binary cross-entropy, float64, for probabilities strictly between 0 and 1."""
    return torch.nn.functional.binary_cross_entropy(yhat.double(), y.double())


def draw_labels(rng: torch.Generator, m: int) -> Tensor:
    """Labels (1, m) of both classes, in any order, never as many of one as of the other."""
    ones = m // 2 + 1
    return (torch.randperm(m, generator=rng) < ones).float().reshape(1, m)


def draw_state(rng: torch.Generator, dim: int) -> dict[str, Tensor]:
    """Weights (dim, 1) and a bias, none of them near zero."""
    sign = torch.randint(2, (dim, 1), generator=rng) * 2.0 - 1
    w = sign * (0.2 + 0.6 * torch.rand(dim, 1, generator=rng))
    return {"w": w, "b": 0.3 + 0.4 * torch.rand((), generator=rng)}


def draw_pictures(rng: torch.Generator, dim: int, m: int) -> Tensor:
    """Columns of numbers between -1.5 and 1.5, none of them near zero."""
    sign = torch.randint(2, (dim, m), generator=rng) * 2.0 - 1
    return sign * (0.1 + 1.4 * torch.rand(dim, m, generator=rng))
