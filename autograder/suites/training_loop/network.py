"""The network of the probes in the grader: what it computes, in float64, and with what error."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from autograder.exercise.formula import Inputs
from autograder.exercise.trajectories import doubles, follow, plain, vector
from autograder.suites.training_loop.probes import Linex

Criterion = Callable[[Tensor, Tensor], Tensor]

#: More than the constants that people leave in slices like `x[:32]`.
BATCH = 131
CONSTANTS = (10, 32, 100)

mse, linex = nn.MSELoss(), Linex()
CRITERIA: dict[str, Criterion] = {"mse": mse, "linex": linex}


def forward(parameters: list[Tensor], x: Tensor) -> Tensor:
    """Three features `(n, 3)`, four hidden values, the outputs."""
    first, bias, last, offset = parameters
    return torch.tanh(x @ first.T + bias) @ last.T + offset


def loss(parameters: list[Tensor], x: Tensor, y: Tensor, criterion: Criterion) -> Tensor:
    """The loss at the given parameters."""
    return criterion(forward(parameters, x), y)


def gradient(parameters: list[Tensor], x: Tensor, y: Tensor, criterion: Criterion) -> Tensor:
    """The gradient of the loss at the given parameters, one vector."""
    wanted = [parameter.requires_grad_() for parameter in parameters]
    return vector(torch.autograd.grad(loss(wanted, x, y, criterion), wanted))


def at_each(
    value: Callable[..., Tensor],
    places: list[list[Tensor]],
    turns: list[Any],
    criterion: Criterion,
    first: int | None = None,
) -> Tensor:
    """The :func:`loss` or :func:`gradient` of each batch of `turns`, float64, at a place each.

    Args:
        first: how many samples of each batch count, where not all of them do.
    """
    pairs = zip(map(doubles, places), map(doubles, turns), strict=True)
    return torch.stack([value(p, x[:first], y[:first], criterion) for p, (x, y) in pairs])


# -------------------------------------------------------------------------------- drawn by chance


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
    path = walk(drawn["start"], drawn["batches"] * epochs, CRITERIA[criterion], lr)
    drawn |= {"epochs": epochs, "criterion": criterion, "lr": lr}
    return {**drawn, "at": path[:-1], "after": path[1:], "walked": len(path) - 1}


def first_epochs(at: list[Any], after: list[Any], batches: list[Any]) -> Iterator[Inputs]:
    """The same for fewer epochs, of which a loop that ends early returns the losses."""
    lasts = range(len(batches), len(at), len(batches))
    return ({"at": at[:last], "after": after[:last]} for last in lasts)


def walk(start: list[Tensor], turns: list[Any], criterion: Criterion, lr: float) -> list[Any]:
    """The parameters around the steps of plain gradient descent, one with each batch of `turns`."""
    return follow(partial(loss, criterion=criterion), start, turns, plain(lr)).places


# ------------------------------------------------------------- the size of errors, all in float64


def size_of_mse(parameters: list[Tensor], x: Tensor, y: Tensor) -> float:
    """The size of the terms that a mean squared error sums."""
    return float(((forward(parameters, x).abs() + y.abs()) ** 2).mean())


def size_of_linex(start: list[Tensor], x: Tensor, y: Tensor) -> float:
    """The same for `linex`, whose exponential makes errors of its argument larger."""
    outputs = forward(start, x)
    return float(((outputs - y).exp() * (outputs.abs() + y.abs() + 1) + 1).mean())


def size_of_gradient(parameters: list[Tensor], batch: Sequence[Tensor]) -> float:
    """The size of the terms of the gradient of `linex`."""
    x, y = batch
    slope = (forward(parameters, x) - y).exp() + 1
    last = parameters[2].abs().max().clamp(1)
    return float(slope.mean() * x.abs().max().clamp(1) * last)
