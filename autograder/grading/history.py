"""What became of a student's hand-ins: a line for each grading, added once and never changed.

nbgrader keeps the last grading alone. What was repaired since the hand-in before, and what a
correction of the suites has changed, follows from these lines.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from autograder.grading.dependence import Dependence
from autograder.grading.progress import Before
from autograder.grading.results import CellResult
from autograder.language import Text

VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """What one test came to."""

    points: int
    earned: int
    misconception: str | None


@dataclass(frozen=True)
class Grading:
    """One grading of what a student handed in.

    Attributes:
        when: it was graded, UTC, in ISO 8601.
        depends_on: what the results follow from: two with the same `submission` are of one hand-in.
        tests: the outcome of each test, by `<grade cell>.<test>`; none of a cell that could not
            be graded.
    """

    when: str
    depends_on: Dependence
    tests: Mapping[str, Outcome]

    @property
    def earned(self) -> int:
        """The points of all tests."""
        return sum(test.earned for test in self.tests.values())

    @property
    def misconceptions(self) -> frozenset[str]:
        """The known mistakes that cost points."""
        lost = (test for test in self.tests.values() if test.earned < test.points)
        return frozenset(test.misconception for test in lost if test.misconception)


def path_of(course: Path, student: str, assignment: str) -> Path:
    """Where the lines about a student's hand-ins are, in a course's folder."""
    return course / "history" / student / f"{assignment}.jsonl"


def outcomes(cells: Sequence[CellResult]) -> dict[str, Outcome]:
    """The outcome of each test, by `<grade cell>.<test>`, of the cells that could be graded."""
    return {
        f"{cell.grade_id}.{test.id}": Outcome(test.points, test.earned, test.misconception)
        for cell in cells
        if not cell.ungraded
        for test in cell.tests
    }


def add(path: Path, cells: Sequence[CellResult], depends_on: Dependence) -> None:
    """Add the line of a grading; several graders may do so at once.

    Raises:
        OSError: the file cannot be written.
    """
    when = datetime.now(UTC).isoformat(timespec="seconds")
    grading = Grading(when, depends_on, outcomes(cells))
    line = json.dumps({"version": VERSION, **asdict(grading)}) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":  # a line that was cut off stays apart
            line = "\n" + line
        os.write(file, line.encode())
    finally:
        os.close(file)


def read(path: Path) -> list[Grading]:
    """The gradings that a file tells of, the first one first; none where there is no file.

    A line that was cut off, or is of another version, is passed over.

    Raises:
        OSError: the file is there, but cannot be read.
    """
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if told.get("version") == VERSION:
            tests = {name: Outcome(**test) for name, test in told["tests"].items()}
            found.append(Grading(told["when"], Dependence(**told["depends_on"]), tests))
    return found


def hand_ins(gradings: Sequence[Grading]) -> list[Grading]:
    """The last grading of each hand-in, the first hand-in first."""
    runs = groupby(gradings, key=lambda grading: grading.depends_on.submission)
    return [list(run)[-1] for _, run in runs]


def before(gradings: Sequence[Grading], depends_on: Dependence) -> Before | None:
    """What the hand-in before this one came to; None where this is the first.

    A hand-in has its place from when it was first graded: grading it again changes nothing.

    Args:
        gradings: all before this one.
        depends_on: what this one follows from.
    """
    last = {grading.depends_on.submission: grading for grading in gradings}
    order = [*last, depends_on.submission]
    place = order.index(depends_on.submission)
    if not place:
        return None
    tests = last[order[place - 1]].tests
    right = {name: test.earned == test.points for name, test in tests.items()}
    return Before(
        passed=tuple(name for name, passed in right.items() if passed),
        failed=tuple(name for name, passed in right.items() if not passed),
    )


def corrected(
    gradings: Sequence[Grading], cells: Sequence[CellResult], depends_on: Dependence
) -> Text:
    """What a student is to know where the same work has other points now; else an empty text.

    Args:
        gradings: all before this one.
        cells: what this grading came to.
        depends_on: what it follows from.
    """
    now = outcomes(cells)
    for before in reversed(gradings):
        if before.depends_on.submission != depends_on.submission:
            break
        # What could not be graded in one of them tells nothing.
        both = {_cell(name) for name in before.tests} & {_cell(name) for name in now}
        then, this = (
            {name: test.earned for name, test in tests.items() if _cell(name) in both}
            for tests in (before.tests, now)
        )
        if then != this:
            return Text(
                "This page was updated: your work was graded again, without your doing anything,"
                " since the checks were corrected. They gave it {before} points before; they give"
                " it {now} now.",
                before=sum(then.values()),
                now=sum(this.values()),
            )
    return Text("")


def _cell(test: str) -> str:
    return test.partition(".")[0]
