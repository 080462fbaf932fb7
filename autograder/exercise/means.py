"""Means over batches: the one that weighs samples alike, and what people take for it."""

import torch
from torch import Tensor

from autograder.exercise.checks import Misconception
from autograder.exercise.formula import Formula

LAST_SKIPPED = Misconception(
    "last-batch-skipped",
    "You skip the last batch of each epoch, the short one: its samples count as well.",
)
FIRST_BATCH = Misconception(
    "first-batch-only",
    "Your number is the loss of the first batch alone, not a mean over all of them.",
)


def sizes_of(batches: list[tuple[Tensor, Tensor]]) -> Tensor:
    """How many samples each batch has, float64."""
    return torch.tensor([len(x) for x, _ in batches], dtype=torch.float64)


def mean(losses: Tensor, sizes: Tensor) -> Tensor:
    """The mean over samples of each row of `losses` `(epochs, batches)`."""
    return (losses * sizes).sum(1) / sizes.sum()


def either(losses: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over samples, and that over batches: for mistakes that both go with."""
    return mean(losses, sizes), losses.mean(1)


def add_mistakes(formula: Formula, unweighted: Misconception) -> None:
    """Add what people take for the mean of the rows of its `losses`, given the batches' `sizes`.

    Args:
        unweighted: what the mean over batches is named, with where the notebook has an example.
    """
    formula.add(unweighted, lambda losses: losses.mean(1))
    formula.mistake("last-batch-only", lambda losses: losses[:, -1]).says(
        "Your number is the loss of the last batch alone, not a mean over all of them."
    )
    formula.add(FIRST_BATCH, lambda losses: losses[:, 0])
    formula.mistake(
        "sum-not-mean", lambda losses: losses.sum(1), lambda losses, sizes: losses @ sizes
    ).says("Your number is a sum, not a mean: nothing divides it by how much was summed.")
    formula.mistake(
        "divided-by-wrong-count",
        lambda losses, sizes: losses @ sizes / len(sizes),
        lambda losses, sizes: losses.sum(1) / sizes.sum(),
    ).says(
        "Numerator and denominator do not belong together: a sum over samples is divided by the"
        " number of batches, or a sum over batches by the number of samples."
    )
    formula.mistake(
        "short-batch-counted-full",
        lambda losses, sizes: losses.sum(1) * sizes[0] / sizes.sum(),
    ).says(
        "Every batch counts with the size of a full one, the short last batch too: count the"
        " samples that are really in it."
    )
    formula.add(
        LAST_SKIPPED,
        lambda losses, sizes: mean(losses[:, :-1], sizes[:-1]),
        lambda losses, sizes: losses[:, :-1] @ sizes[:-1] / sizes.sum(),
    )
