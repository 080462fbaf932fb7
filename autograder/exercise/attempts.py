"""Several ways to pass one check: with the student's own earlier work, or with a stand-in for it.

A mistake in an earlier task costs nothing in a later one.
"""

from collections.abc import Callable

from autograder.exercise.checks import Failure
from autograder.exercise.student import StudentError


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
