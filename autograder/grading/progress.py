"""What a report opens with: what is right, and what has become of the attempt before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.grading.results import CellResult
from autograder.language import Text

_ALL = "All of it is right."
_RIGHT = "Right: {tasks}."
_IN_PART = "Right in part: {tasks}."
_MENDED = "Mended since your last hand-in: {tasks}."
_LOST = (
    "Right in your last hand-in, and not in this one: {tasks}. It costs the points of those checks"
    " and nothing beyond them. What you handed in then is still there: compare the two."
)


@dataclass(frozen=True)
class Before:
    """What is known of the attempt before this one.

    Attributes:
        passed: the tests that earned all their points, by `<grade_id>.<test id>`.
        failed: those that did not.
    """

    passed: tuple[str, ...]
    failed: tuple[str, ...]


def opening(cells: Sequence[CellResult], before: Before | None) -> list[Text]:
    """The first sentences of a report; none where nothing is right, and nothing was before.

    Args:
        cells: the results of this attempt.
        before: what is known of the one before, if there was one.
    """
    graded = [cell for cell in cells if not cell.ungraded and cell.points]
    whole = [cell.task for cell in graded if cell.earned == cell.points]
    some = [cell.task for cell in graded if 0 < cell.earned < cell.points]
    sentences = []
    if whole and len(whole) == len(cells):
        sentences.append(Text(_ALL))
    elif whole:
        sentences.append(Text(_RIGHT, tasks=_named(whole)))
    if some:
        sentences.append(Text(_IN_PART, tasks=_named(some)))
    if before is not None:
        tests = _tests(graded)
        mended = [name for name in before.failed if tests.get(name) is True]
        lost = [name for name in before.passed if tests.get(name) is False]
        sentences += [Text(_MENDED, tasks=_by_task(mended))] * bool(mended)
        sentences += [Text(_LOST, tasks=_by_task(lost))] * bool(lost)
    return sentences


def _tests(cells: Iterable[CellResult]) -> dict[str, bool]:
    """Whether each test earned all its points, by `<grade_id>.<test id>`."""
    return {
        f"{cell.grade_id}.{test.id}": test.earned == test.points
        for cell in cells
        if not cell.ungraded
        for test in cell.tests
    }


def _by_task(tests: Iterable[str]) -> str:
    return _named(name.partition(".")[0].removeprefix("test_") for name in tests)


def _named(tasks: Iterable[str]) -> str:
    return ", ".join(f"`{task}`" for task in dict.fromkeys(tasks))
