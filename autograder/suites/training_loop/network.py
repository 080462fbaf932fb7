"""The network of the probes in the grader: what it computes, in float64, and with what error."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from autograder.exercise.formula import Inputs
from autograder.exercise.trajectories import doubles, follow, plain

Criterion = Callable[[Tensor, Tensor], Tensor]

#: More than the constants that people leave in slices like `x[:32]`.
BATCH = 131
CONSTANTS = (10, 32, 100)


def forward(parameters: list[Tensor], x: Tensor) -> Tensor:
    """Three features `(n, 3)`, four hidden values, the outputs."""
    first, bias, last, offset = parameters
    return torch.tanh(x @ first.T + bias) @ last.T + offset


def mse(outputs: Tensor, labels: Tensor) -> Tensor:
    return ((outputs - labels) ** 2).mean()


def linex(outputs: Tensor, labels: Tensor) -> Tensor:
    """Not the same with its arguments swapped: too much costs more than too little."""
    difference = outputs - labels
    return (torch.exp(difference) - difference - 1).mean()


CRITERIA = {"mse": mse, "linex": linex}


def loss(parameters: list[Tensor], x: Tensor, y: Tensor, criterion: Criterion) -> Tensor:
    """The loss at the given parameters, float64."""
    return criterion(forward(doubles(parameters), x.double()), y.double())


def gradient(parameters: list[Tensor], x: Tensor, y: Tensor, criterion: Criterion) -> Tensor:
    """The gradient of the loss at the given parameters, one float64 vector."""
    wanted = [parameter.requires_grad_() for parameter in doubles(parameters)]
    value = criterion(forward(wanted, x.double()), y.double())
    return torch.cat([each.flatten() for each in torch.autograd.grad(value, wanted)])


def at_each(
    value: Callable[..., Tensor],
    places: list[list[Tensor]],
    turns: list[Any],
    criterion: Criterion,
    first: int | None = None,
) -> Tensor:
    """The :func:`loss` or :func:`gradient` of each batch of `turns`, at one of `places` each.

    Args:
        first: how many samples of each batch count, where not all of them do.
    """
    pairs = zip(places, turns, strict=True)
    return torch.stack([value(p, x[:first], y[:first], criterion) for p, (x, y) in pairs])


# -------------------------------------------------------------------------------- drawn by chance


def draw(rng: torch.Generator, samples: int, outputs: int, classes: bool = False) -> Inputs:
    """Parameters to start from, and data; the labels are numbers of classes if that is asked."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    start = [0.6 * normal(4, 3), 0.4 * normal(4), 0.6 * normal(outputs, 4), 0.4 * normal(outputs)]
    x = normal(samples, 3)
    y = torch.randint(outputs, (samples,), generator=rng) if classes else None
    return {"start": start, "x": x, "y": 0.6 * normal(samples, outputs) + 0.8 if y is None else y}


def draw_batches(
    rng: torch.Generator, samples: int, outputs: int, batch_size: int = BATCH
) -> Inputs:
    """The same with its batches; the last one is short, and its labels are of another kind."""
    drawn = draw(rng, samples, outputs)
    x, y = drawn["x"], drawn["y"]
    if samples % batch_size:
        y[-(samples % batch_size) :] -= 2
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    return {**drawn, "batch_size": batch_size, "batches": batches}


def draw_training(
    rng: torch.Generator, samples: int, outputs: int, epochs: int, criterion: str, lr: float
) -> Inputs:
    """The same with the parameters `at` and `after` each step of plain gradient descent.

    Told apart as far as it has to be where the grader has `walked` all those steps itself.
    """
    drawn = draw_batches(rng, samples, outputs)
    path = walk(drawn["start"], drawn["batches"] * epochs, CRITERIA[criterion], lr)
    return {**drawn, "epochs": epochs, "at": path[:-1], "after": path[1:], "walked": len(path) - 1}


def first_epochs(at: list[Any], after: list[Any], batches: list[Any]) -> Iterator[Inputs]:
    """The same for fewer epochs, of which a loop that ends early returns the losses."""
    lasts = range(len(batches), len(at), len(batches))
    return ({"at": at[:last], "after": after[:last]} for last in lasts)


def walk(start: list[Tensor], turns: list[Any], criterion: Criterion, lr: float) -> list[Any]:
    """The parameters around the steps of plain gradient descent, one with each batch of `turns`."""

    def value(parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        return criterion(forward(parameters, x), y)

    return follow(value, start, turns, plain(lr)).places


# ------------------------------------------------------------------------------ the size of errors


def size_of_mse(parameters: list[Tensor], x: Tensor, y: Tensor) -> float:
    """The size of the terms that a mean squared error sums."""
    outputs = forward(doubles(parameters), x.double())
    return float(((outputs.abs() + y.double().abs()) ** 2).mean())


def size_of_linex(parameters: list[Tensor], x: Tensor, y: Tensor) -> float:
    """The same for :func:`linex`, whose exponential makes errors of its argument larger."""
    outputs, labels = forward(doubles(parameters), x.double()), y.double()
    return float(((outputs - labels).exp() * (outputs.abs() + labels.abs() + 1) + 1).mean())


def size_of_gradient(parameters: list[Tensor], x: Tensor, y: Tensor) -> float:
    """The size of the terms of the gradient of :func:`linex`."""
    slope = (forward(doubles(parameters), x.double()) - y.double()).exp() + 1
    last = parameters[2].abs().max().clamp(1)
    return float(slope.mean() * x.abs().max().clamp(1) * last)
