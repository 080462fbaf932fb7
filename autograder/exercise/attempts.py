"""Several ways to pass one check: with the student's own earlier work, or with a stand-in for it.

A mistake in an earlier task costs nothing in a later one.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from typing import Any

from autograder.exercise.checks import Failure, Misconception, expect
from autograder.exercise.student import StudentError

Check = Callable[..., None]


def first_that_passes(*attempts: Callable[[], None], last_tells: bool = False) -> None:
    """Pass where one attempt passes; else fail with the failure that tells most.

    That is the one that earns most; of those, one that names a mistake, rather than one that does
    not, rather than an exception of the student's code.

    Args:
        attempts: each passes, or raises a :class:`Failure`.
        last_tells: whether the last attempt is without earlier mistakes, so that its failure is
            the one unless another earns more; only where its exception is the first may it come of
            the stand-in's being another.
    """
    failures: list[Failure] = []
    for attempt in attempts:
        try:
            return attempt()
        except Failure as failure:
            failures.append(failure)
    if last_tells:
        raise min(reversed(failures), key=lambda each: (-each.share, _ended(each)))
    raise min(failures, key=lambda each: (-each.share, not each.misconception, _ended(each)))


def _ended(failure: Failure) -> bool:
    """Whether it is that of code which came to no value."""
    return isinstance(failure, StudentError)


def tried(
    *ways: Callable[..., Any], last_tells: bool = False, fixture: str = "student"
) -> Callable[[Check], Check]:
    """Make a test pass where it passes in one of several ways to ask the student's code.

    In the place of the fixture the test has the way to ask as its first argument: a function of
    what the way takes beside the fixture.

    Args:
        ways: functions of the fixture and, by what the test gives, of more.
        last_tells: see :func:`first_that_passes`.
        fixture: its name.
    """

    def decorate(test: Check) -> Check:
        @wraps(test)
        def either(**given: Any) -> None:
            asked = given.pop(fixture)
            attempts = (partial(test, partial(way, asked), **given) for way in ways)
            first_that_passes(*attempts, last_tells=last_tells)

        first, *others = inspect.signature(test).parameters.values()
        # What pytest reads to know the fixtures.
        vars(either)["__signature__"] = inspect.Signature([first.replace(name=fixture), *others])
        return either

    return decorate


@contextmanager
def named_where(
    known: Misconception,
    shows: Callable[[], bool] = lambda: True,
    over: tuple[Misconception, ...] = (),
) -> Iterator[None]:
    """Name a failure after a mistake that it does not show by itself, where asking more shows it.

    Args:
        known: the mistake.
        shows: asks more of the student's code; where that fails, the mistake does not show. Left
            out where any failure is the mistake.
        over: mistakes that a failure may be named after already.

    Raises:
        Failure: as it came, where it has another name, the student's code ended otherwise than by
            an exception, or the mistake does not show.
    """
    try:
        yield
    except Failure as failure:
        names = (None, *(each.name for each in over))
        ended = isinstance(failure, StudentError) and failure.kind != "error"
        shown = False
        with suppress(Failure):
            shown = failure.misconception in names and not ended and shows()
        expect(not shown, known)
        raise
