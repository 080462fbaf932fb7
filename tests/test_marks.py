"""Points that fall linearly between two marks: whole ones, and none for what is no number."""

import math

import pytest

from autograder.exercise.checks import Failure, Misconception
from autograder.exercise.marks import Marks
from autograder.grading import report
from autograder.grading.results import CellResult, TestResult
from autograder.grading.session import whole
from autograder.language import Text

ACCURACY, ERROR = Marks(full=96, none=84), Marks(full=0.1, none=0.5)


@pytest.mark.parametrize(
    ("marks", "value", "points"),
    [
        *((ACCURACY, 96 - short, 10 - short / 1.2) for short in (1.5, 4.5, 6, 7.5, 9)),
        *((ERROR, value, points) for value, points in ((0.2, 7), (0.3, 5), (0.38, 3), (0.46, 1))),
        (ACCURACY, 84, 0),
        (ACCURACY, -math.inf, 0),
        (ERROR, 0.5, 0),
        (ERROR, 7.0, 0),
        (ERROR, math.nan, 0),
        (ACCURACY, math.nan, 0),
    ],
)
def test_points_fall_evenly_and_are_whole(marks: Marks, value: float, points: float) -> None:
    with pytest.raises(Failure) as failure:
        marks.require(value, "too bad")
    assert whole(failure.value.share, 10) == math.floor(points)


@pytest.mark.parametrize(("marks", "value"), [(ACCURACY, 96.0), (ACCURACY, 100), (ERROR, 0.1)])
def test_the_full_mark_passes(marks: Marks, value: float) -> None:
    marks.require(value, "too bad")


def test_what_nearly_passes_earns_not_all() -> None:
    assert whole(1 - 1e-12, 10) == 9
    assert whole(0.3, 10) == 3


def test_the_sentence_names_both_marks_or_the_mistake() -> None:
    with pytest.raises(Failure) as failure:
        ACCURACY.require(90, "{value:.1f} % of {all}, not {full} to {none}", all=200)
    assert str(failure.value.message) == "90.0 % of 200, not 96 to 84"
    with pytest.raises(Failure) as failure:
        ERROR.require(0.3, "too bad", Misconception("linear-model", "It is linear."))
    assert (str(failure.value.message), failure.value.misconception) == (
        "It is linear.",
        "linear-model",
    )
    assert failure.value.share == 0.5


def test_the_report_shows_what_was_earned_in_part() -> None:
    tests = [TestResult(str(n), 10, n, "It learns.", Text("Hm.")) for n in (0, 6, 10)]
    result = CellResult("test_model", "0" * 32, tuple(tests))
    html = report.cell(result)
    assert [
        html.count(f">{each}</span>") for each in ("passed", "passed in part", "not passed")
    ] == [1] * 3
    assert "6 / 10" in html
    assert html.count("What happened:") == 2
