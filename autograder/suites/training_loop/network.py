"""The network of the probes in the grader: what it computes, in float64, and what it is given."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from autograder.exercise.criteria import Criterion
from autograder.exercise.formula import Inputs
from autograder.exercise.inside_loops import CRITERIA
from autograder.exercise.trajectories import follow, plain

BATCH = 131  # more than the constants that people leave in slices like `x[:32]`


def loss(criterion: Criterion, first: int | None = None) -> Callable[..., Tensor]:
    """The loss of a batch, or of its first samples, at given parameters.

    Three features `(n, 3)` go through four hidden values.
    """

    def at(parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        weights, bias, last, offset = parameters
        outputs = torch.tanh(x[:first] @ weights.T + bias) @ last.T + offset
        return criterion(outputs, y[:first])

    return at


def draw(
    rng: torch.Generator, samples: int, outputs: int, batch_size: int = BATCH, classes: bool = False
) -> Inputs:
    """Parameters to start from, and data in batches; the labels are numbers of `classes`, if asked.

    A last batch that is short has labels of another kind.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    start = [0.6 * normal(4, 3), 0.4 * normal(4), 0.6 * normal(outputs, 4), 0.4 * normal(outputs)]
    x, y = normal(samples, 3), 0.6 * normal(samples, outputs) + 0.8
    if short := samples % batch_size:
        y[-short:] -= 2
    y = torch.randint(outputs, (samples,), generator=rng) if classes else y
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    return {"start": start, "x": x, "y": y, "batch_size": batch_size, "batches": batches}


def draw_training(
    rng: torch.Generator, samples: int, outputs: int, epochs: int, criterion: str, lr: float
) -> Inputs:
    """The same with the parameters `at` and `after` each step of plain gradient descent.

    Told apart as far as it has to be where the grader has `walked` all those steps itself.
    """
    drawn = draw(rng, samples, outputs)
    path = walk(drawn["start"], drawn["batches"] * epochs, CRITERIA[criterion](), lr)
    drawn |= {"epochs": epochs, "criterion": criterion, "lr": lr}
    return {**drawn, "at": path[:-1], "after": path[1:], "walked": len(path) - 1}


def first_epochs(at: list[Any], after: list[Any], batches: list[Any]) -> Iterator[Inputs]:
    """The same for fewer epochs, of which a loop that ends early returns the losses."""
    lasts = range(len(batches), len(at), len(batches))
    return ({"at": at[:last], "after": after[:last]} for last in lasts)


def walk(start: list[Tensor], turns: list[Any], criterion: Criterion, lr: float) -> list[Any]:
    """The parameters around the steps of plain gradient descent, one with each batch of `turns`."""
    return follow(loss(criterion), start, turns, plain(lr)).places
