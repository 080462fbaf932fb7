"""All that is asked of nbgrader's gradebook, and all that is written to it."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Engine, event, make_url

from autograder.grading.course import CourseError
from autograder.grading.standing import Sheet, Standing
from autograder.submission.rebuild import Release, ReleasedCell

#: Seconds to wait for another program that is writing to a gradebook which is a file.
PATIENCE = 30


@event.listens_for(Engine, "connect")
def _be_patient(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {1000 * PATIENCE}")


@contextmanager
def _kept(db_url: str) -> Iterator[Gradebook]:
    """A gradebook that is opened again and again in one run; no connection to it stays open.

    nbgrader looks for its tables each time, and SQLAlchemy makes each question anew, which takes
    longer than most answers. Here it is kept as long as it is the same file.
    """
    try:
        found = os.stat(make_url(db_url).database or "")
        gradebook = _gradebook(db_url, found.st_dev, found.st_ino, os.getpid())
    except OSError:  # it is no file
        gradebook = _gradebook(db_url, os.getpid())
    try:
        yield gradebook
    finally:
        gradebook.close()


@lru_cache(maxsize=1)
def _gradebook(db_url: str, *where: int) -> Gradebook:
    return Gradebook(db_url)


def released(db_url: str, assignment: str) -> Release:
    """The release of an assignment, as the gradebook recorded it.

    Raises:
        CourseError: it was never released.
    """
    _gradebook.cache_clear()  # a run begins: whatever has become of the file since the last one
    with Gradebook(db_url) as gradebook:
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            raise CourseError(
                f"The gradebook knows no assignment '{assignment}' with a notebook of that name."
                f" Run first: nbgrader generate_assignment {assignment}"
            ) from None
        marked = [*notebook.grade_cells, *notebook.task_cells]
        points = {cell.name: cell.max_score for cell in marked}
        solutions = {cell.name for cell in notebook.solution_cells}
        tasks = {cell.name for cell in notebook.task_cells}
        cells = [
            ReleasedCell(
                grade_id=cell.name,
                cell_type=cell.cell_type,
                source=cell.source,
                locked=cell.locked,
                solution=cell.name in solutions,
                task=cell.name in tasks,
                points=points.get(cell.name),
                checksum=cell.checksum,
            )
            for cell in notebook.source_cells
        ]
        return Release(tuple(cells), json.loads(notebook.kernelspec or "null") or {})


def due_date(db_url: str, assignment: str) -> datetime | None:
    """Until when an assignment can be handed in, in UTC; None where there is no such date."""
    with Gradebook(db_url) as gradebook:
        try:
            found: datetime | None = gradebook.find_assignment(assignment).duedate
        except MissingEntry:  # it is released without the gradebook
            return None
    return found


def withdraw(db_url: str, assignment: str, student: str) -> None:
    """Take back the scores of an earlier grading: an old score never stands for new work.

    Nothing happens where there was none.
    """
    with _kept(db_url) as gradebook:
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = None
            for grade in notebook.grades:
                grade.auto_score = None
                grade.needs_manual_grade = True
        gradebook.db.commit()


@contextmanager
def entries(
    db_url: str, notebook: str, assignment: str, student: str
) -> Iterator[tuple[dict[str, Grade], dict[str, Comment]]]:
    """Grades and comments of a submission by `grade_id`, to be changed: together, or not at all."""
    with _kept(db_url) as gradebook:
        book = gradebook.find_submission_notebook(notebook, assignment, student)
        if not has_name(book.student):
            book.student.last_name, book.student.first_name = student, ""
        released = book.notebook
        # All at once: asked for by its name, each would be a search through six tables.
        cells: list[BaseCell] = [
            *released.grade_cells,
            *released.solution_cells,
            *released.task_cells,
        ]
        names = {cell.id: cell.name for cell in cells}
        yield (
            {names[grade.cell_id]: grade for grade in book.grades},
            {names[comment.cell_id]: comment for comment in book.comments},
        )
        gradebook.db.commit()


def has_name(student: Student) -> bool:
    """Whether a student has a name: one who was never in a roster is called by his id.

    nbgrader knows no name of him, and its pages would call him "None, None".
    """
    return (student.last_name, student.first_name) not in ((None, None), (student.id, ""))


def undecided(submission: SubmittedAssignment) -> list[Grade]:
    """The grades of a submission that neither the grader nor a person has given."""
    grades = (grade for notebook in submission.notebooks for grade in notebook.grades)
    return [each for each in grades if each.auto_score is None and each.manual_score is None]


def is_by_hand(grade: Grade) -> bool:
    """Whether a grade is for a person to give."""
    released = grade.notebook.notebook
    cells = (*released.solution_cells, *released.task_cells)
    return grade.cell.name in {cell.name for cell in cells}


@dataclass(frozen=True)
class Score:
    """What the gradebook says of a student's work on one assignment.

    Attributes:
        score: with a person's points, less the penalty for being late; None where something has no
            score: it could not be graded, or waits for a person.
        points: the most that it can be.
    """

    score: float | None
    points: float


def names(db_url: str) -> dict[str, str]:
    """Every student whom the gradebook knows by id, with a name; an empty one where it has none."""
    with Gradebook(db_url) as gradebook:
        return {
            student.id: f"{student.first_name or ''} {student.last_name or ''}".strip()
            if has_name(student)
            else ""
            for student in gradebook.students
        }


def standings(db_url: str) -> dict[str, dict[str, Score]]:
    """How all students stand, by assignment and student."""
    with Gradebook(db_url) as gradebook:
        # One question for all: by submission, it would be one for each of a thousand.
        unscored = (
            gradebook.db.query(SubmittedAssignment.id)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .filter(Grade.auto_score.is_(None), Grade.manual_score.is_(None))
        )
        missing = {row.id for row in unscored}
        rows = gradebook.db.query(
            Assignment.name,
            SubmittedAssignment.id,
            SubmittedAssignment.student_id,
            SubmittedAssignment.score,
            SubmittedAssignment.late_submission_penalty,
            SubmittedAssignment.max_score,
        ).join(SubmittedAssignment, SubmittedAssignment.assignment_id == Assignment.id)
        found: dict[str, dict[str, Score]] = {}
        for assignment, number, student, score, penalty, points in rows:
            earned = None if number in missing else float(score - penalty)
            found.setdefault(assignment, {})[student] = Score(earned, float(points))
        return found


def write_release(db_url: str, assignment: str, release: Release) -> None:
    """Record a release in a gradebook that does not know the assignment yet."""
    with Gradebook(db_url) as gradebook:
        gradebook.add_assignment(assignment)
        kernelspec = json.dumps(dict(release.kernelspec))
        gradebook.add_notebook(assignment, assignment, kernelspec=kernelspec)
        for cell in release.cells:
            where = cell.grade_id, assignment, assignment
            gradebook.add_source_cell(
                *where,
                cell_type=cell.cell_type,
                source=cell.source,
                locked=cell.locked,
                checksum=cell.checksum,
            )
            if cell.points is not None:
                add = gradebook.add_task_cell if cell.task else gradebook.add_grade_cell
                add(*where, max_score=cell.points, cell_type=cell.cell_type)
            if cell.solution:
                gradebook.add_solution_cell(*where)


def sheet(db_url: str, notebook: str, assignment: str, student: str) -> Sheet:
    """What stands for a submission in the gradebook.

    Raises:
        MissingEntry: there is no such submission.
    """
    with Gradebook(db_url) as gradebook:
        book = gradebook.find_submission_notebook(notebook, assignment, student)
        return _sheets(gradebook, book.notebook, assignment, SubmittedNotebook.id == book.id)[
            student
        ]


def sheets(db_url: str, assignment: str) -> dict[str, Sheet]:
    """What stands for all submissions of an assignment, by student; of nobody if it is unknown."""
    with Gradebook(db_url) as gradebook:
        try:
            released = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            return {}
        of_all = SubmittedNotebook.notebook_id == released.id
        return _sheets(gradebook, released, assignment, of_all)


def _sheets(
    gradebook: Gradebook, released: Notebook, assignment: str, which: Any
) -> dict[str, Sheet]:
    """The sheets of the submissions that a condition chooses: a question for all, not for each."""
    cells = {cell.id: cell for cell in (*released.grade_cells, *released.task_cells)}
    names = {id: cell.name for id, cell in cells.items()}
    names |= {cell.id: cell.name for cell in released.solution_cells}
    order = {cell.name: place for place, cell in enumerate(released.source_cells)}

    def rows(of: Any) -> list[tuple[str, Any]]:
        """Grades or comments, each with its student, in the notebook's order."""
        found = (
            gradebook.db.query(SubmittedAssignment.student_id, of)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(of, of.notebook_id == SubmittedNotebook.id)
            .filter(which)
        )
        return sorted(found, key=lambda row: order[names[row[1].cell_id]])

    standings: dict[str, list[Standing]] = {}
    for student, grade in rows(Grade):
        cell = cells[grade.cell_id]
        standings.setdefault(student, []).append(_standing(cell.name, cell.max_score, grade))
    comments: dict[str, dict[str, str]] = {}
    for student, comment in rows(Comment):
        if comment.manual_comment:
            name = names[comment.cell_id]
            comments.setdefault(student, {})[name] = comment.manual_comment
    books = (
        gradebook.db.query(
            SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty
        )
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(which)
    )
    return {
        student: Sheet(
            assignment=assignment,
            cells=tuple(standings.get(student, ())),
            comments=comments.get(student, {}),
            penalty=penalty or 0.0,
        )
        for student, penalty in books
    }


def _standing(name: str, most: float, grade: Grade) -> Standing:
    by_person = grade.manual_score is not None
    return Standing(
        grade_id=name,
        most=most,
        points=grade.manual_score if by_person else grade.auto_score,
        by_person=by_person,
        extra=grade.extra_credit or 0.0,
    )
