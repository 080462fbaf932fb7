"""Criteria that loops are tried with, and what people take for the one that they are given."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from autograder.exercise.checks import Misconception
from autograder.exercise.formula import Formula
from autograder.exercise.inside_loops import Linex

Criterion = Callable[[Tensor, Tensor], Tensor]

#: Of how many samples slices like `x[:32]` are that people leave in.
CONSTANTS = (10, 32, 100)

mse, linex = nn.MSELoss(), Linex()

PART = Misconception(
    "part-of-the-samples",
    "You use the first samples alone of those that your function is given, as a slice like"
    " `x[:32]` cuts them out. Every sample counts, however many there are.",
)
ROOT = Misconception(
    "root-of-loss",
    "You take the square root of what the criterion gives; its own number is the loss.",
)


def add_mistakes(formula: Formula, swapped: Misconception) -> None:
    """Add what comes of other criteria than `linex`, and of parts of the samples.

    Args:
        formula: where `each(criterion, first)` is what is right with another criterion, or of the
            first samples of each batch alone.
        swapped: what it is named where outputs and labels change places.
    """

    def way(criterion: Criterion) -> Callable[..., Any]:
        return lambda each: each(criterion)

    formula.add(swapped, way(lambda outputs, labels: linex(labels, outputs)))
    summed = way(lambda outputs, labels: mse(outputs, labels) * len(outputs))
    formula.mistake("criterion-ignored", way(mse), summed).says(
        "Your loss is a mean squared error, whatever the criterion is that your function was given."
    )
    formula.mistake("broadcast", way(lambda outputs, labels: linex(outputs, labels.T))).says(
        "Your outputs and labels do not have the same shape when they meet: `(n, 1)` with `(n,)`"
        " gives all `(n, n)` differences, each output against every label. Pass both on as they"
        " come."
    )
    formula.add(ROOT, way(lambda outputs, labels: linex(outputs, labels).sqrt()))
    formula.add(PART, lambda each: (each(linex, first) for first in CONSTANTS))
