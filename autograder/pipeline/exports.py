"""What `nbgrader export` writes: grades with a verdict, for people, for Canvas and for Moodle.

Work that could not be graded, or that waits for a person, is no zero: it has no score in any of
these files, and is listed when they are written.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Gradebook, Student, SubmittedAssignment
from nbgrader.apps.baseapp import NbGrader
from nbgrader.plugins import ExportPlugin

from autograder.errors import AutograderError
from autograder.pipeline import gradebook as book
from autograder.pipeline.trouble import AGAIN, told
from autograder.submission import intake
from autograder.text import escaped, write_whole

Table = Iterator[Iterable[Any]]


class Verdict(StrEnum):
    """What stands behind a score, or behind there being none."""

    GRADED = "graded"
    REVIEW = "to be reviewed"  # graded again after a person had decided: his points stand
    BY_HAND = "to be graded by hand"
    UNGRADED = "could not be graded"
    WAITING = "not graded yet"
    MISSING = "not handed in"


#: There is no score, and somebody has to do something about it.
OPEN = (Verdict.BY_HAND, Verdict.UNGRADED, Verdict.WAITING)


@dataclass(frozen=True)
class Result:
    """What a student has for an assignment.

    Attributes:
        score: without the penalty; None where there is none.
        penalty: for handing in late, taken off the score.
        timestamp: when it was handed in, in UTC, where that is known.
    """

    verdict: Verdict
    score: float | None = None
    penalty: float = 0.0
    timestamp: datetime | None = None

    @property
    def final(self) -> float | None:
        """The score that counts."""
        return None if self.score is None else max(0.0, self.score - self.penalty)


@dataclass(frozen=True)
class Person:
    """A student as the roster has him; what it does not know is empty."""

    id: str
    last_name: str = ""
    first_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @classmethod
    def of(cls, student: Student) -> "Person":
        """A student of the gradebook."""
        if not book.has_name(student):
            return cls(student.id, email=student.email or "", lms_user_id=_known(student))
        return cls(
            id=student.id,
            last_name=student.last_name or "",
            first_name=student.first_name or "",
            email=student.email or "",
            lms_user_id=_known(student),
        )


def _known(student: Student) -> str:
    return student.lms_user_id or ""


class CannotExport(AutograderError):
    """The file cannot be written; the text says what to do."""


class _Export(ExportPlugin):
    """Writes a table of all results to a file.

    Where the machine refuses something, there is a line in the log that says what to do, nbgrader
    ends with status 1, and a file of an earlier export is as it was.

    Attributes:
        name: of the file, where `--to` does not give another.
    """

    name = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(self.parent, NbGrader):
            with self._refusals():  # nbgrader opens it next, and has only a traceback
                directory = self.parent.coursedir
                Gradebook(directory.db_url, directory.course_id).close()

    def export(self, gradebook: Gradebook) -> None:
        """Write the file, and list what has no score in it."""
        with self._refusals():
            self._export(gradebook)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """End the command with a line, in place of a traceback, where the machine is to blame."""
        try:
            yield
        except Exception as error:
            if not (why := told(error)):
                raise
            self.log.error(why)
            raise SystemExit(1) from None

    def _export(self, gradebook: Gradebook) -> None:
        chosen, wanted = [str(each) for each in self.assignment], [str(s) for s in self.student]
        assignments = [each for each in gradebook.assignments if not chosen or each.name in chosen]
        handed_in = {each.name: self._handed_in(each.name) for each in assignments}
        people = {student.id: Person.of(student) for student in gradebook.students}
        for student in sorted(set().union(*handed_in.values()) - people.keys()):
            people[student] = Person(student)
        people = {name: each for name, each in people.items() if not wanted or name in wanted}
        results = {each.name: _results(each, people, handed_in[each.name]) for each in assignments}
        to = Path(self.to or self.name)
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(self.table(assignments, list(people.values()), results))
        try:
            write_whole(to, text.getvalue())
        except OSError as error:
            raise CannotExport(
                f"{to} cannot be written: {error.strerror}. See to that, or name another file by"
                f" --to, {AGAIN}"
            ) from None
        self.log.info("The grades are in %s", to)
        for assignment, found in results.items():
            for student, result in found.items():
                if result.verdict in OPEN:
                    self.log.warning("%s, %s: %s: no score", assignment, student, result.verdict)

    def table(
        self,
        assignments: list[Assignment],
        people: list[Person],
        results: Mapping[str, Mapping[str, Result]],
    ) -> Table:
        """The rows of the file, the first with the names of its columns.

        Args:
            assignments: in the gradebook's order.
            people: the roster's, then whoever else handed something in.
            results: by the name of the assignment, then the id of the student; all of them.
        """
        raise NotImplementedError

    def _handed_in(self, assignment: str) -> set[str]:
        """Who handed something in, graded or not; nobody where there is no course folder."""
        directory = getattr(self.parent, "coursedir", None)
        if directory is None:
            return set()
        submitted = Path(directory.root, directory.submitted_directory)
        found = intake.students(submitted, assignment) if submitted.is_dir() else ()
        return {escaped(student) for student in found}  # as the gradebook would have it


def _results(
    assignment: Assignment, people: Iterable[str], handed_in: set[str]
) -> dict[str, Result]:
    graded = {each.student.id: each for each in assignment.submissions}
    found = {}
    for student in people:
        if student in graded:
            found[student] = _result(graded[student])
        else:
            verdict = Verdict.WAITING if student in handed_in else Verdict.MISSING
            found[student] = Result(verdict)
    return found


def _result(submission: SubmittedAssignment) -> Result:
    open_cells = [book.is_by_hand(grade) for grade in book.undecided(submission)]
    if open_cells:
        verdict = Verdict.BY_HAND if all(open_cells) else Verdict.UNGRADED
        return Result(verdict, timestamp=submission.timestamp)
    return Result(
        verdict=Verdict.REVIEW if submission.needs_manual_grade else Verdict.GRADED,
        score=submission.score,
        penalty=submission.late_submission_penalty or 0.0,
        timestamp=submission.timestamp,
    )


class Grades(_Export):
    """`grades.csv`: a row for each student and assignment, nbgrader's columns and the verdict."""

    name = "grades.csv"

    def table(
        self,
        assignments: list[Assignment],
        people: list[Person],
        results: Mapping[str, Mapping[str, Result]],
    ) -> Table:
        """Missing work has a score of zero here, as in nbgrader's own file."""
        yield (
            *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name"),
            *("email", "verdict", "raw_score", "late_submission_penalty", "score", "max_score"),
        )
        for assignment in assignments:
            for person in people:
                result = results[assignment.name][person.id]
                if result.verdict is Verdict.MISSING:
                    result = Result(result.verdict, 0.0)
                penalty = None if result.score is None else result.penalty
                yield (
                    *(assignment.name, assignment.duedate, result.timestamp),
                    *(person.id, person.last_name, person.first_name, person.email),
                    *(result.verdict, result.score, penalty, result.final, assignment.max_score),
                )


class Canvas(_Export):
    """`canvas.csv`: for *Import* in Canvas's gradebook; a row for each student.

    `lms_user_id` of the roster is Canvas's ID, the student's id here is the login there. Canvas
    finds assignments by their name, and makes those that are new. An empty field is no grade.
    """

    name = "canvas.csv"

    def table(
        self,
        assignments: list[Assignment],
        people: list[Person],
        results: Mapping[str, Mapping[str, Result]],
    ) -> Table:
        """As Canvas's own export has it: the second row has the points that are possible."""
        names = [assignment.name for assignment in assignments]
        yield ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", *names)
        possible = (_number(assignment.max_score) for assignment in assignments)
        yield ("    Points Possible", "", "", "", "", *possible)
        for person in people:
            name = ", ".join(filter(None, (person.last_name, person.first_name))) or person.id
            scores = (_number(results[each][person.id].final) for each in names)
            yield (name, person.lms_user_id, "", person.id, "", *scores)


class Moodle(_Export):
    """`moodle.csv`: for *Import, CSV file* in Moodle's gradebook; a row for each student.

    Map `Username`, or `Email address`, to the user, and each assignment to its grade item. A dash
    is no grade; an empty field would make a zero of it where the item is new.
    """

    name = "moodle.csv"

    def table(
        self,
        assignments: list[Assignment],
        people: list[Person],
        results: Mapping[str, Mapping[str, Result]],
    ) -> Table:
        """As Moodle's own export has it."""
        names = [assignment.name for assignment in assignments]
        yield ("Username", "First name", "Last name", "Email address", *names)
        for person in people:
            scores = (_number(results[each][person.id].final) or "-" for each in names)
            yield (person.id, person.first_name, person.last_name, person.email, *scores)


def _number(points: float | None) -> str:
    """Points with two decimals at most; empty where there are none."""
    return "" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")
