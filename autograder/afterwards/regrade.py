"""What grading again would change: the results that stand, and new ones, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from autograder.grading import history
from autograder.grading.history import Outcome
from autograder.grading.record import Record
from autograder.language import Sentence


class Verdict(Enum):
    """What grading the same folder again came to."""

    SAME = "the same points"
    CHANGED = "other points"
    NEW = "something else was handed in since"
    LOST = "it could not be graded any more"


@dataclass(frozen=True)
class TestChange:
    """A test that gives other points now; None where there is no such test, or no result of it."""

    __test__ = False

    test: str
    before: Outcome | None
    after: Outcome | None


@dataclass(frozen=True)
class Change:
    """What grading a student's work again came to.

    Attributes:
        before, after: the points that the checks gave and give; None where it could not be graded.
        tests: those that give other points.
        other_suites: whether the grade that stands came from other suites than there are now.
        why: it could not be graded any more.
    """

    student: str
    verdict: Verdict
    before: int | None
    after: int | None
    tests: tuple[TestChange, ...] = ()
    other_suites: bool = False
    why: Sentence = ""


def compare(student: str, before: Record, after: Record) -> Change:
    """Compare the record that stands with that of grading again."""
    old, new = before.depends_on, after.depends_on
    tests = tuple(_changes(before, after))
    earned, earns = _earned(before), _earned(after)
    if old is not None and new is not None and old.submission != new.submission:
        verdict = Verdict.NEW
    elif earns is None and earned is not None:
        verdict = Verdict.LOST
    else:
        verdict = Verdict.CHANGED if tests else Verdict.SAME
    return Change(
        student=student,
        verdict=verdict,
        before=earned,
        after=earns,
        tests=tests,
        other_suites=old is not None and new is not None and old.suites != new.suites,
        why=next((why for why in (after.ungraded, *_reasons(after)) if why), ""),
    )


def in_lines(change: Change) -> Iterator[str]:
    """A change for a terminal: who, from what to what, and through which checks."""
    before, after = ("not graded" if n is None else f"{n}" for n in (change.before, change.after))
    if change.verdict is Verdict.NEW:
        yield f"{change.student}: {change.verdict.value}: nbgrader autograde grades it"
        return
    yield f"{change.student}: {before} -> {after}" + (f" ({change.why})" if change.why else "")
    for test in change.tests:
        yield f"    {test.test.removeprefix('test_')}: {_told(test.before)} -> {_told(test.after)}"


def _told(outcome: Outcome | None) -> str:
    if outcome is None:
        return "no result"
    name = f" ({outcome.misconception})" if outcome.misconception else ""
    return f"{outcome.earned} of {outcome.points}{name}"


def _changes(before: Record, after: Record) -> Iterator[TestChange]:
    old, new = history.outcomes(before.cells), history.outcomes(after.cells)
    for name in dict.fromkeys([*old, *new]):
        was, is_now = old.get(name), new.get(name)
        if was is None or is_now is None or was.earned != is_now.earned:
            yield TestChange(name, was, is_now)


def _earned(record: Record) -> int | None:
    """The points of a record; None where something could not be graded, or nothing was."""
    if record.ungraded or not record.cells or any(cell.ungraded for cell in record.cells):
        return None
    return sum(cell.earned for cell in record.cells)


def _reasons(record: Record) -> Iterator[Sentence]:
    return (cell.ungraded for cell in record.cells)
