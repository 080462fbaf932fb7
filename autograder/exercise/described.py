"""Tests that are made of a check and a text: where many tests differ in a formula alone.

@graded(5, momentum, check)
def test_momentum():
    \"\"\"`momentum` keeps a velocity of each parameter, and steps along it.

    print(try_out(lambda ps: SGD(ps, lr=0.5, momentum=0.8), [(1, 2), (3, -1)]))
    #> [-2.4, -2.3]
    \"\"\"
"""

from collections.abc import Callable
from typing import Any

import pytest
from torch import Generator

from autograder.exercise.formula import Formula
from autograder.exercise.student import Student

Test = Callable[..., None]


def described(points: int, check: Callable[..., None], text: str) -> Test:
    """A test that makes a check.

    Args:
        check: of a student, with a generator of random numbers.
        text: its docstring, with its example.
    """

    @pytest.mark.points(points)
    def test(student: Student, rng: Generator) -> None:
        check(student, rng)

    test.__doc__ = text
    return test


def graded(
    points: int, formula: Formula, check: Callable[[Student, Generator, Formula], None]
) -> Callable[[Any], Test]:
    """Make a test of a formula of its docstring, or of a function that has but that."""

    def decorate(of: Test | str) -> Test:
        text = of if isinstance(of, str) else str(of.__doc__)
        test = described(points, lambda student, rng: check(student, rng, formula), text)
        vars(test)["formula"] = formula  # where the draws of all formulas find it
        return test

    return decorate
