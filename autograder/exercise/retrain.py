"""A notebook's `model`, judged as it is or as its own cells make it once more, with stand-ins.

Where earlier tasks are wrong, so are the functions that the model is trained with. Their mistakes
cost nothing in the task `model`: there counts what its own cells do.
"""

import ast
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from autograder.exercise.attempts import first_that_passes
from autograder.exercise.student import Student


def as_made_or_again(
    check: Callable[[list[str]], None], student: Student, request: pytest.FixtureRequest
) -> None:
    """Pass where `model` passes as it is, or where it does once its cells have run again.

    The second is tried only where tests of other tasks, or of this one, were lost before.

    Args:
        check: asks about `model` and judges it, after the cells that it gets have run again; none
            for the model as it is.
        request: pytest's fixture, which knows what was lost.

    Raises:
        Failure: the one of the two that earns more, see :func:`first_that_passes`.
    """
    as_made = partial(check, [])
    if not request.session.testsfailed:
        return as_made()

    def again() -> None:
        cells = cells_of_model(student.code)
        return check(cells) if cells else as_made()

    return first_that_passes(as_made, again)


def cells_of_model(code: Sequence[str]) -> list[str]:
    """The sources from the first cell that assigns `model` to the check of `model`."""
    end = next((place for place, cell in enumerate(code) if 'visible_check("model")' in cell), 0)
    for start in range(end):
        try:
            tree = ast.parse(code[start])
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # or too deep to be read
            continue
        assigned = (
            name.id
            for statement in tree.body
            for name in ast.walk(statement)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        )
        if "model" in assigned:
            return list(code[start:end])
    return []
