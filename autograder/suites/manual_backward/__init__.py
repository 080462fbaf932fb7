"""Suites of `manual_backward`: pictures to a matrix, and logistic regression without autograd.

Each part is tested alone: what the others should have given it is put in place by the probe.
"""

from typing import Any

import torch
from torch import Tensor

from autograder.exercise import Inputs, Student, Text, away_from_zero, between, checks
from autograder.suites.manual_backward import probes

#: Folders of `course_data` that the notebook reads.
DATASETS = ("digits_3_vs_8",)


def returned(student: Student, *call: Any, **how: Any) -> Any:
    """What a call of a model's method gives: its name and arguments; `how` as in `probes.lr`."""
    (left,) = student.run(probes.lr, calls=[[*call]], **how)
    return left["returned"]


def answers_of(student: Student, function: str, drawn: list[Inputs]) -> list[tuple[Any, Inputs]]:
    """What a function of the notebook's gives for answers and labels, beside what it was given."""
    pairs = [[each["yhat"], each["y"]] for each in drawn]
    return [*zip(student.run(probes.on_pairs, name=function, pairs=pairs), drawn, strict=True)]


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
    return (torch.randperm(m, generator=rng) <= m // 2).float().reshape(1, m)


def draw_state(rng: torch.Generator, dim: int) -> dict[str, Tensor]:
    """Weights (dim, 1) and a bias, none of them near zero."""
    return {"w": away_from_zero(rng, 0.2, 0.8, dim, 1), "b": between(rng, 0.3, 0.7)}


def draw_pictures(rng: torch.Generator, dim: int, m: int) -> Tensor:
    """Columns of numbers between -1.5 and 1.5, none of them near zero."""
    return away_from_zero(rng, 0.1, 1.5, dim, m)
