"""A pool with another one in reserve: where the first is lost, the other one does what is left."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from autograder.grading.grader import Submission
from autograder.grading.parallel import AnyPool, PoolLost

Answer = TypeVar("Answer")


class InReserve(Generic[Answer]):
    """A pool, and what takes its place; see `autograder.grading.parallel.AnyPool`.

    Args:
        first: is closed where it is lost.
        reserve: begins the other one, where it is needed.
        log: where an instructor reads that it was.
    """

    def __init__(
        self, first: AnyPool[Answer], reserve: Callable[[], AnyPool[Answer]], log: logging.Logger
    ) -> None:
        self._pool, self._reserve, self._log = first, reserve, log
        self._lock = threading.Lock()
        self._closed = False

    @property
    def suites(self) -> dict[str, dict[str, int]]:
        """The points of each suite, by assignment and grade cell."""
        return self._pool.suites

    def outcomes(
        self, submissions: Iterable[Submission]
    ) -> Iterator[tuple[int, Answer | Exception]]:
        """What came of each submission, by whichever pool.

        Raises:
            PoolLost: the other one is lost as well, or none is wanted any more.
        """
        coming = enumerate(submissions)
        under_way: dict[int, Submission] = {}

        def noted() -> Iterator[Submission]:
            for place, submission in coming:
                under_way[place] = submission
                yield submission

        try:
            for place, outcome in self._pool.outcomes(noted()):
                del under_way[place]
                yield place, outcome
            return
        except PoolLost as error:
            self._log.warning("What is left is graded on this machine: %s", error)
        self._pool.close()
        with self._lock:
            if self._closed:
                raise PoolLost("the pool was closed")
            self._pool = self._reserve()
        places = []

        def left() -> Iterator[Submission]:
            for place, submission in chain(list(under_way.items()), coming):
                places.append(place)
                yield submission

        for turn, outcome in self._pool.outcomes(left()):
            yield places[turn], outcome

    def close(self) -> None:
        """End whichever there is, whatever it is doing."""
        with self._lock:
            self._closed = True
        self._pool.close()
