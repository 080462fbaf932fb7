"""Several ways to pass one check: with the student's own earlier work, or with a stand-in for it.

A mistake in an earlier task costs nothing in a later one.
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from autograder.exercise.checks import Failure
from autograder.exercise.student import Student, StudentError

Check = Callable[..., None]


def first_that_passes(*attempts: Callable[[], None], last_tells: bool = False) -> None:
    """Pass where one attempt passes; else fail with the failure that tells most.

    That is one that names a mistake, rather than one that does not, rather than an exception of
    the student's code.

    Args:
        attempts: each passes, or raises a :class:`Failure`.
        last_tells: whether the last attempt is without earlier mistakes, so that its failure is
            the one; only where its exception is the first may it come of the stand-in's being
            another.
    """
    failures: list[Failure] = []
    for attempt in attempts:
        try:
            return attempt()
        except Failure as failure:
            failures.append(failure)
    if last_tells:
        raise min(reversed(failures), key=lambda each: isinstance(each, StudentError))
    raise min(failures, key=lambda each: (not each.misconception, isinstance(each, StudentError)))


def tried(*ways: Callable[[Student], Any], last_tells: bool = False) -> Callable[[Check], Check]:
    """Make a test pass where it passes in one of several ways to ask the student's code.

    The test has the way to ask as its first argument, in the place of the fixture `student`.

    Args:
        ways: each makes of the student what the test is given.
        last_tells: see :func:`first_that_passes`.
    """

    def decorate(test: Check) -> Check:
        @wraps(test)
        def either(student: Student, **given: Any) -> None:
            attempts = (partial(test, way(student), **given) for way in ways)
            first_that_passes(*attempts, last_tells=last_tells)

        first, *others = inspect.signature(test).parameters.values()
        # What pytest reads to know the fixtures.
        vars(either)["__signature__"] = inspect.Signature([first.replace(name="student"), *others])
        return either

    return decorate
