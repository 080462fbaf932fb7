"""A report opens with what is right, and with what has become of the attempt before."""

from autograder.grading import history
from autograder.grading.dependence import Dependence
from autograder.grading.progress import opening
from autograder.grading.results import CellResult, TestResult


def cells(**marks: str) -> list[CellResult]:
    """Tasks by name, each with a mark for each of its tests: + for all its points."""
    return [
        CellResult(
            f"test_{task}",
            "seed",
            tuple(
                TestResult(f"test_{number}", 2, 2 if mark == "+" else 0, "It is right.")
                for number, mark in enumerate(tests)
            ),
            "" if tests else "it broke",
        )
        for task, tests in marks.items()
    ]


def of(submission: str) -> Dependence:
    return Dependence(submission, "r", "s", "d", "l", "p")


def said(now: list[CellResult], then: list[CellResult] | None = None) -> list[str]:
    gradings = []
    if then is not None:
        gradings = [history.Grading("", of("then"), history.outcomes(then))]
    before = history.before(gradings, of("now"))
    return [str(sentence) for sentence in opening(now, before)]


def test_what_is_right_comes_first() -> None:
    assert said(cells(a="++", b="+")) == ["All of it is right."]
    assert said(cells(a="++", b="+-", c="--")) == ["Right: `a`.", "Right in part: `b`."]
    assert said(cells(a="--")) == []


def test_what_could_not_be_graded_is_neither_right_nor_lost() -> None:
    assert said(cells(a="+", b=""), cells(a="-", b="+")) == [
        "Right: `a`.",
        "Mended since your last hand-in: `a`.",
    ]


def test_what_was_mended_and_what_was_lost_are_told_by_task() -> None:
    *_, mended, lost = said(cells(a="++", b="-+", c="--"), cells(a="--", b="+-", c="-+"))
    assert mended == "Mended since your last hand-in: `a`, `b`."
    assert lost.startswith(
        "Right in your last hand-in, and not in this one: `b`, `c`. It costs the"
    )


def test_the_same_again_says_nothing_of_the_attempt_before() -> None:
    assert said(cells(a="+-"), cells(a="+-")) == ["Right in part: `a`."]
    assert said(cells(a="+-"), cells(other="-")) == ["Right in part: `a`."]
