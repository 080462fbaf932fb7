"""Many submissions at once: what a pool is, whichever it is, and the order in which answers come.

A pool takes submissions as it has room for them, a few for each of its workers, so nobody holds
more than these; and it gives back answers as they come. There are two: this machine's processes
(`autograder.grading.pool`) and a Dask cluster (`autograder.grading.cluster`).
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from autograder.errors import AutograderError
from autograder.grading import grader
from autograder.grading.grader import Graded, Submission
from autograder.grading.worker import why_not
from autograder.submission.rebuild import restored

Answer_co = TypeVar("Answer_co", covariant=True)

#: What a worker needs, beside submissions' own memory.
_WORKER_BYTES = 2 * 2**30
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class PoolLost(AutograderError):
    """A pool is gone in the midst of it, and does not come back; the text says what happened."""


class AnyPool(Protocol[Answer_co]):
    """Workers that are ready for submissions."""

    @property
    def suites(self) -> dict[str, dict[str, int]]:
        """The points of each suite, by assignment and grade cell.

        Raises:
            SandboxUnavailable, SuiteError: nothing can be graded.
        """

    def outcomes(
        self, submissions: Iterable[Submission]
    ) -> Iterator[tuple[int, Answer_co | Exception]]:
        """What came of each submission, as it comes, with its place in their order.

        Args:
            submissions: one is taken from them whenever there is room.

        Returns:
            answers; where there is none, the error that says why.

        Raises:
            SandboxUnavailable, SuiteError: nothing can be graded.
            PoolLost: nothing more can be.
        """

    def close(self) -> None:
        """End all workers at once, whatever they are doing."""


def verdicts(
    pool: AnyPool[Graded], submissions: Iterable[Submission], log: logging.Logger
) -> Iterator[Graded]:
    """What came of each submission, in their order; a fault of the grader's is a verdict, too."""
    under_way: dict[int, Submission] = {}
    waiting: dict[int, Graded] = {}
    turn = 0

    def noted() -> Iterator[Submission]:
        for place, submission in enumerate(submissions):
            under_way[place] = submission
            yield submission

    for place, outcome in pool.outcomes(noted()):
        submission = under_way.pop(place)
        if isinstance(outcome, Exception):
            why = why_not(outcome, log, f"Grading a submission of {submission.assignment}")
            nb, _ = restored([], submission.release)
            outcome = grader.ungraded(nb, why, submission.notes)
        waiting[place] = outcome
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1


def cores() -> int:
    """How many cores this process may use: those it is bound to, within its container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):  # "max 100000", or none that is told
        quota, period = map(int, _QUOTA.read_text().split())
        count = min(count or 1, -(-quota // period))
    return max(1, count or 1)


def capacity() -> int:
    """How many workers this machine has cores and memory for."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(cores(), memory // _WORKER_BYTES))
