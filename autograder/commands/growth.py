"""Whether later submissions of a class take longer than earlier ones, and processes more memory.

A small class does not tell: what a submission takes depends on what it is and what runs beside it,
and memory first comes to its level. So growth is judged only of hundreds of submissions, whose
work is as mixed in every part (`dealt`).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

Card = TypeVar("Card")

#: So many submissions tell whether something grows.
ENOUGH = 300
#: What may grow: a share of what there was, and bytes of memory.
_MORE, _MORE_BYTES = 1.2, 64 * 2**20


def dealt(cards: Sequence[Card], chance: random.Random) -> Iterator[Card]:
    """Cards in an order of chance, without end, and each of them before any comes again."""
    while True:
        yield from chance.sample(cards, len(cards))


@dataclass(frozen=True)
class Part:
    """What was seen of one part of a class.

    Attributes:
        last: how many submissions there were, up to its end.
        each: seconds of the clock for one of them.
        correct: the seconds of grading that each of its correct ones took, in their order.
        sizes: the bytes of each role, as they were most of the time; none where nobody looked.
    """

    last: int
    each: float
    correct: Sequence[float] = ()
    sizes: dict[str, float] = field(default_factory=dict)


def parts(count: int) -> list[range]:
    """The parts of a class of so many: ten, or fewer where it is small."""
    number = min(10, max(1, count // 20))
    return [range(k * count // number, (k + 1) * count // number) for k in range(number)]


def grown(seen: Sequence[Part]) -> Iterator[str]:
    """Say what has grown after the first part, in which things come to their level.

    Nothing is said of a class of fewer than `ENOUGH`.
    """
    if not seen or seen[-1].last < ENOUGH:
        return
    later = seen[1:]
    correct = [seconds for part in later for seconds in part.correct]
    third = len(correct) // 3
    before, after = median(correct[:third]), median(correct[-third:])
    if after > _MORE * before:
        yield (
            f"A correct submission took {after:.2f} s in the last third of the class, and"
            f" {before:.2f} s in the first"
        )
    looked_at = [part.sizes for part in later if part.sizes]
    for role, size in looked_at[-1].items() if looked_at else ():
        first = looked_at[0][role]
        if size > _MORE * first + _MORE_BYTES:
            yield (
                f"The memory of the {role} has grown from {first / 2**20:.0f} MiB to"
                f" {size / 2**20:.0f} MiB"
            )
