"""The network that loops are watched with, in the grader: what it computes, and what it is given.

:func:`inside_loops.watched` makes it of its parameters in the student kernel. Here it is computed
in float64, with data in batches, and follows the way that plain gradient descent takes it.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.exercise import means, networks
from autograder.exercise.criteria import Criterion, linex, mse
from autograder.exercise.formula import Formula, Inputs
from autograder.exercise.inside_loops import CRITERIA
from autograder.exercise.loops import PYTORCH_SAYS, Run
from autograder.exercise.pytorch_words import named_by_pytorch
from autograder.exercise.student import Probe, Student
from autograder.exercise.trajectories import Optimizer, at_each, follow, plain, slope

BATCH = 131  # more than the constants that people leave in slices like `x[:32]`
#: What is drawn, and not for the probe.
FOR_THE_GRADER = ("batches", "at", "after", "walked", "lr")


def loss(criterion: Criterion, first: int | None = None) -> Callable[..., Tensor]:
    """The loss of a batch, or of its `first` samples, at given parameters.

    Three features `(n, 3)` go through four hidden values and a tanh.
    """

    def at(parameters: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(parameters[::2], parameters[1::2], strict=True)
        layers = [(weights.T, bias) for weights, bias in pairs]
        return criterion(networks.forward(x[:first], layers, torch.tanh), y[:first])

    return at


def draw(
    rng: Generator,
    samples: int,
    outputs: int,
    batch_size: int = BATCH,
    criterion: str = "mse",
    epochs: int = 1,
) -> Inputs:
    """Parameters to start from, and data in batches; with `classes`, labels are their numbers.

    A last batch that is short has labels of another kind.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng)

    start = [0.6 * normal(4, 3), 0.4 * normal(4), 0.6 * normal(outputs, 4), 0.4 * normal(outputs)]
    x, y = normal(samples, 3), 0.6 * normal(samples, outputs) + 0.8
    if short := samples % batch_size:
        y[-short:] -= 2
    if criterion == "classes":
        y = torch.randint(outputs, (samples,), generator=rng)
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    drawn = {"start": start, "x": x, "y": y, "batch_size": batch_size, "batches": batches}
    return {**drawn, "criterion": criterion, "epochs": epochs}


def draw_training(
    rng: Generator, samples: int, outputs: int, criterion: str, epochs: int, lr: float
) -> Inputs:
    """The same with the parameters `at` and `after` each step of plain gradient descent.

    Told apart as far as it has to be where the grader has `walked` all those steps itself.
    """
    drawn = draw(rng, samples, outputs, criterion=criterion, epochs=epochs)
    path = walk(drawn["start"], drawn["batches"] * epochs, CRITERIA[criterion](), lr)
    return {**drawn, "lr": lr, "at": path[:-1], "after": path[1:], "walked": len(path) - 1}


def first_epochs(at: list[Any], after: list[Any], batches: list[Any]) -> Iterator[Inputs]:
    """The same for fewer epochs, of which a loop that ends early returns the losses."""
    lasts = range(len(batches), len(at), len(batches))
    return ({"at": at[:last], "after": after[:last]} for last in lasts)


def walk(start: list[Tensor], turns: list[Any], criterion: Criterion, lr: float) -> list[Any]:
    """The parameters around the steps of plain gradient descent, one with each batch of `turns`."""
    return follow(loss(criterion), start, turns, plain(lr)).places


def watch(
    student: Student, probe: Probe, drawn: Inputs, optimizer: Optimizer | None = None, **more: Any
) -> Run:
    """Let a probe watch a loop on what was drawn, with plain descent unless told otherwise.

    Args:
        probe: gives what :func:`inside_loops.watched` tells.
        more: what else it gets, or gets in the place of what was drawn.

    Raises:
        StudentError: the loop ended in an exception.
        Failure: the same, where it is one by which PyTorch tells a mistake with a graph.
    """
    drawn = {**drawn, **more}
    given = optimizer or plain(drawn.get("lr", 0.1))
    inputs = {name: drawn[name] for name in drawn.keys() - FOR_THE_GRADER}
    inputs["optimizer"] = [given.name, dict(given.options)]
    with named_by_pytorch(*PYTORCH_SAYS):
        return Run(drawn=drawn, **student.run(probe, **inputs))


def gradients_at(at: list[Any], batches: list[Any], epochs: int) -> Inputs:
    """The gradients at steps, one row each, all parameters in it; those of `linex` are `right`.

    Returns:
        `each(criterion, first)`: those of another criterion, or of the `first` samples of each
        batch; `samples`: how many samples each is of.
    """
    turns = batches * epochs

    def each(criterion: Criterion, first: int | None = None) -> Tensor:
        return at_each(partial(slope, loss(criterion, first)), at, turns)

    return {"each": each, "right": each(linex), "samples": means.sizes_of(turns)[:, None]}


def losses_at(
    start: list[Any], at: list[Any], after: list[Any], batches: list[Any], lr: float
) -> Inputs:
    """The loss of each batch, a row an epoch, and what other parameters and batches give.

    Returns:
        `each(places, first, some)`: the `losses` at other parameters, of the `first` samples of
        each batch, or of other batches; `trained_with(some)`: of those, in a descent along them;
        the epochs' means: those that are `right`, and, each over samples and over batches, those
        `late`, after each step, and `at_end` of the epoch; `sizes`: of the batches.
    """
    per_epoch, sizes = len(batches), means.sizes_of(batches)
    epochs = len(at) // per_epoch
    ends = [p for p in after[per_epoch - 1 :: per_epoch] for _ in batches]

    def each(places: list[Any], first: int | None = None, some: list[Any] = batches) -> Tensor:
        losses = at_each(loss(mse, first), places, some * epochs)
        return losses.reshape(epochs, len(some))

    def either(places: list[Any]) -> tuple[Tensor, ...]:
        """Their means, over samples and over batches; none where they are not known."""
        return means.either(each(places), sizes) if len(after) == len(at) else ()

    def trained_with(some: list[Any]) -> Tensor:
        return each(walk(start, some * epochs, mse, lr)[:-1], some=some)

    return {
        "each": each,
        "losses": each(at),
        "right": means.mean(each(at), sizes),
        "late": either(after),
        "at_end": either(ends),
        "trained_with": trained_with,
        "sizes": sizes,
    }


def evaluated_at(start: list[Any], batches: list[Any]) -> Inputs:
    """The `losses` of the batches by `linex`, in one row, and the batches' `sizes`.

    Returns:
        `each(criterion, first)`: the mean over samples by another criterion, or of the `first`
        samples of each batch.
    """
    sizes = means.sizes_of(batches)

    def losses(criterion: Criterion, first: int | None = None) -> Tensor:
        return at_each(loss(criterion, first), [start] * len(batches), batches)[None]

    def each(criterion: Criterion, first: int = BATCH) -> Tensor:
        return means.mean(losses(criterion, first), sizes.clamp(max=first))

    return {"losses": losses(linex), "sizes": sizes, "each": each}


#: A formula of the losses that plain descent with a mean squared error gives, an epoch each.
losses = partial(
    Formula,
    "The list of losses",
    draw=draw_training,
    also=losses_at,
    reference=lambda right: right,
    terms=30,
    steps=lambda walked: 3 + walked,
    parts=first_epochs,
)
