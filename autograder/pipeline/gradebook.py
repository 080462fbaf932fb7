"""All that is asked of nbgrader's gradebook, and all that is written to it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from nbgrader.api import BaseCell, Comment, Grade, Gradebook, MissingEntry

from autograder.grading.course import CourseError
from autograder.grading.standing import Sheet, Standing
from autograder.submission.rebuild import Release, ReleasedCell


def released(db_url: str, assignment: str) -> Release:
    """The release of an assignment, as the gradebook recorded it.

    Raises:
        CourseError: it was never released.
    """
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


def withdraw(db_url: str, assignment: str, student: str) -> None:
    """Take back the scores of an earlier grading: an old score never stands for new work.

    Nothing happens where there was none.
    """
    with Gradebook(db_url) as gradebook:
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
    with Gradebook(db_url) as gradebook:
        book = gradebook.find_submission_notebook(notebook, assignment, student)
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


def sheet(db_url: str, notebook: str, assignment: str, student: str) -> Sheet:
    """What stands for a submission in the gradebook.

    Raises:
        MissingEntry: there is no such submission.
    """
    with Gradebook(db_url) as gradebook:
        book = gradebook.find_submission_notebook(notebook, assignment, student)
        released = book.notebook
        grades = {grade.cell_id: grade for grade in book.grades}
        comments = {each.cell_id: each.manual_comment for each in book.comments}
        names = {
            cell.id: cell.name
            for cell in (*released.grade_cells, *released.solution_cells, *released.task_cells)
        }
        order = [cell.name for cell in released.source_cells]
        found = sorted(names.items(), key=lambda each: order.index(each[1]))
        return Sheet(
            assignment=assignment,
            cells=tuple(_standing(name, grades[id]) for id, name in found if id in grades),
            comments={name: comments[id] for id, name in found if comments.get(id)},
            penalty=book.late_submission_penalty or 0.0,
        )


def _standing(name: str, grade: Grade) -> Standing:
    by_person = grade.manual_score is not None
    return Standing(
        grade_id=name,
        most=grade.max_score,
        points=grade.manual_score if by_person else grade.auto_score,
        by_person=by_person,
        extra=grade.extra_credit or 0.0,
    )
