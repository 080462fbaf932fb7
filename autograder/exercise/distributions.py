"""How numbers are distributed: what a start looks like, and values by their own mean and spread."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.exercise.checks import Misconception
from autograder.exercise.formula import Formula, Inputs


def by_own_statistics(values: Tensor, *axes: int | tuple[int, ...]) -> Iterator[Tensor]:
    """Values standardized over some axes: each in turn, with either standard deviation."""
    for over in axes:
        for correction in (0, 1):
            std = values.std(over, correction=correction)
            if bool(std.all()):
                yield (values - values.mean(over)) / std


def looks(numbers: Tensor) -> str:
    """What a tensor of numbers is like, in a word or two.

    The bounds are six standard errors: those of the mean, n^-1/2, and of the standard deviation,
    (2n)^-1/2. One right start in 10^9 fails; that seed's grade would still repeat. The kurtosis is
    3 of a normal and 1.8 of a uniform distribution, with a standard error of (24/n)^1/2 at most:
    2.3 and 4.5 are more than four of them away.
    """
    values = numbers.double().flatten()
    n, head = len(values), values[:5000]
    if n < 20 and values.any():
        return "normal"  # too few to tell by; that they are few is another test's matter
    mean, std = float(values.mean()), float(values.std())
    if std < 1e-6 or n < 20:
        return "constant"
    kurtosis = float(((values - mean) ** 4).mean()) / std**4
    if len(head.unique()) < len(head) / 2:
        return "repeated"
    centred = abs(mean) < 6 * std / n**0.5
    if centred and abs(std - 1) < 6 / (2 * n) ** 0.5 and (kurtosis > 2.3 or n < 500):
        return "normal"
    if values.min() >= 0 and values.max() <= 1 and kurtosis < 2.3:
        return "uniform"
    if centred and kurtosis < 4.5:
        return "uniform around 0" if kurtosis < 2.3 else "scaled"
    return "other"


def standard_normal(constant: Misconception, cases: Sequence[Mapping[str, Any]]) -> Formula:
    """The formula of numbers that should be drawn from a standard normal distribution.

    A case may say how many numbers are drawn (`n`), and of `what` they are, as the student reads.

    Args:
        constant: what it is named where all numbers start the same.
    """
    start = Formula(
        "The start",
        draw=_draw,
        reference=lambda normal: normal,
        take=lambda value, name, right: value,
        by=looks,
        message="`{what}` should look like a standard normal: mean near 0, standard deviation near"
        " 1.",
        cases=cases,
    )
    start.mistake("uniform", lambda uniform: uniform).says(
        "Your numbers come from a uniform distribution between 0 and 1 (`torch.rand`). A standard"
        " normal has mean 0 and standard deviation 1, and half of its numbers are negative."
    )
    start.mistake(
        "uniform-around-zero",
        lambda uniform: ((2 * uniform - 1) * to for to in (5**-0.5, 3**0.5)),
    ).says(
        "Your numbers are spread evenly around 0, as `nn.Linear` draws its own. Here a standard"
        " normal is asked for: most numbers near 0, a few far from it."
    )
    start.add(constant, lambda uniform: 0 * uniform, lambda uniform: 0 * uniform + 1)
    start.mistake("repeated-numbers", lambda normal: normal[:40].repeat(len(normal) // 40)).says(
        "Your numbers repeat: the same few are used again and again. Draw every entry on its own."
    )
    start.mistake(
        "scaled-normal",
        lambda normal: (normal * factor for factor in (0.01, (2 / 1020) ** 0.5, 2)),
    ).says(
        "Your numbers look normal with mean 0, but their standard deviation is not 1. Is there a"
        " factor too much, or an initialisation that scales by the size of the layer?"
    )
    return start


def _draw(rng: torch.Generator, n: int = 997, what: str = "weights") -> Inputs:
    normal = torch.randn(n, generator=rng)
    return {"what": what, "normal": normal, "uniform": torch.rand(n, generator=rng)}
