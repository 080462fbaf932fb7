"""What a kernel has had of the processors, as the system counts it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a kernel has had since it began, in seconds.

    Attributes:
        kept_waiting: how long its own thread could have run, while others had the processors.
        used: what it and all that it has started have used of them; what has ended and was never
            waited for does not count.
    """

    kept_waiting: float
    used: float


def usage_of(init: int) -> Usage | None:
    """The usage of a kernel, by the pidfd of its init; None where the system does not tell."""
    try:
        told = Path(f"/proc/self/fdinfo/{init}").read_text()
        number = int(told.partition("Pid:")[2].split()[0])
        kernel = next(_children(number))
        waited = int(Path(f"/proc/{kernel}/schedstat").read_text().split()[1]) / 1e9
        return Usage(waited, sum(map(_used, _family(number))))
    except (OSError, ValueError, IndexError, StopIteration):  # it is gone, or there is no such file
        return None


def _family(number: int) -> Iterator[int]:
    yield number
    with contextlib.suppress(OSError):
        for child in _children(number):
            yield from _family(child)


def _children(number: int) -> Iterator[int]:
    yield from map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())


def _used(number: int) -> float:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) / _TICK  # its own, and of those it has waited for
    return 0.0
