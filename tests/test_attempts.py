"""Several ways to pass one check, and failures that are named by asking more."""

import inspect
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.exercise import (
    Failure,
    Misconception,
    StudentError,
    expect,
    fail,
    named_where,
    tried,
)
from autograder.exercise.inside_stand_ins import with_stand_in
from autograder.exercise.retrain import as_made_or_again

KNOWN, BEFORE = Misconception("known", "It is known."), Misconception("before", "It was there.")


def ask(answers: dict[str, Any], how: str = "own", more: int = 0) -> Any:
    if isinstance(answers[how], Exception):
        raise answers[how]
    return answers[how] + more


@pytest.mark.parametrize(
    ("own", "other", "says"),
    [
        (1, 0, None),
        (0, 1, None),
        (StudentError("error", "It raised."), 1, None),
        (0, 0, "It is not 3."),
        (StudentError("error", "It raised."), 0, "It is not 3."),
        (StudentError("error", "It raised."), StudentError("error", "It, too."), "It raised."),
        (0, Failure("Something is known.", "known"), "Something is known."),
        (Failure("Half of it.", share=0.5), Failure("It is known.", "known"), "Half of it."),
    ],
)
def test_a_test_passes_where_it_passes_in_one_way(own: Any, other: Any, says: str | None) -> None:
    @tried(ask, partial(ask, how="other"), fixture="answers")
    def check(ask: Callable[..., int], more: int) -> None:
        expect(ask(more=more) == 3, "It is not 3.")

    assert [*inspect.signature(check).parameters] == ["answers", "more"]
    said = None
    try:
        check(answers={"own": own, "other": other}, more=2)
    except Failure as failure:
        said = str(failure)
    assert said == says


def raises() -> bool:
    raise StudentError("error", "It raised again.")


@pytest.mark.parametrize(
    ("failure", "shows", "named"),
    [
        (Failure("It is wrong."), lambda: True, "known"),
        (Failure("It is wrong."), lambda: False, None),
        (Failure("It is wrong."), raises, None),
        (Failure("It is wrong.", "before"), lambda: True, "known"),
        (Failure("It is wrong.", "another"), lambda: True, "another"),
        (StudentError("error", "It raised."), lambda: True, "known"),
        (StudentError("timeout", "It hangs."), lambda: True, None),
    ],
)
def test_a_failure_is_named_by_asking_more(
    failure: Failure, shows: Callable[[], bool], named: str | None
) -> None:
    with pytest.raises(Failure) as caught, named_where(KNOWN, shows, over=(BEFORE,)):
        raise failure
    assert caught.value.misconception == named


def test_what_passes_is_asked_no_more() -> None:
    with named_where(KNOWN, lambda: fail("It was asked.")):
        pass


ONCE_MORE = ["model = Net()", "train(model)"]
CODE = ("import torch", *ONCE_MORE, '@visible_check("model")')


@pytest.mark.parametrize(
    ("lost", "earns", "asked", "says"),
    [
        (1, [1], [[]], None),
        (0, [0], [[]], "It earns 0."),
        (1, [0, 1], [[], ONCE_MORE], None),
        (1, [0.25, 0.5], [[], ONCE_MORE], "It earns 0.5."),
        (1, [0.5, 0.25], [[], ONCE_MORE], "It earns 0.5."),
    ],
)
def test_a_model_is_made_again_where_tasks_before_it_were_lost(
    lost: int, earns: list[float], asked: list[list[str]], says: str | None
) -> None:
    came: list[list[str]] = []

    def check(cells: list[str]) -> None:
        share = earns[len(came)]
        came.append(cells)
        if share < 1:
            raise Failure(f"It earns {share}.", share=share)

    student: Any = SimpleNamespace(code=CODE)
    request: Any = SimpleNamespace(session=SimpleNamespace(testsfailed=lost))
    said = None
    try:
        as_made_or_again(check, student, request)
    except Failure as failure:
        said = str(failure)
    assert (came, said) == (asked, says)


@pytest.mark.parametrize(("stand_in", "came"), [(str.upper, ("A", True)), (None, ("own a", False))])
def test_the_students_own_is_there_where_the_code_fails_with_a_stand_in(
    stand_in: Any, came: tuple[str, bool]
) -> None:
    names = {"task": "own {}".format}
    notebook = SimpleNamespace(_names=names, **names)
    assert with_stand_in(notebook, "task", stand_in, lambda: notebook.task("a")) == came
