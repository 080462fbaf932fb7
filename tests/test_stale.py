"""Which feedback pages no longer fit: one question to the gradebook, whatever the class's size."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine

from autograder import ROOT
from autograder.grading import counting
from autograder.grading.counting import Best
from autograder.pipeline import gradebook
from autograder.pipeline.feedback import counting_of, fingerprint, stale
from autograder.submission.rebuild import Release

A = "parameters"
STAMP = "2026-03-04 05:06:07.000008 UTC"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CourseDirectory:
    """A course with three students whose work is graded."""
    tools = Path(sys.executable).parent  # nbgrader calls `alembic` by name
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    directory = CourseDirectory(root=str(tmp_path), assignment_id=A)
    released = nbformat.read(ROOT / "release" / A / f"{A}.ipynb", as_version=4)
    gradebook.write_release(directory.db_url, A, Release.of_notebook(released))
    add(directory, "ann", "ben", "cyd")
    return directory


def add(course: CourseDirectory, *students: str) -> None:
    """Graded work of students, each with a page that fits."""
    with Gradebook(course.db_url) as opened:
        for student in students:
            opened.update_or_create_student(student)
            (book,) = opened.add_submission(A, student).notebooks
            for grade in book.grades:
                grade.auto_score = 3
        opened.db.commit()
    for student in students:
        notebook = Path(course.root, "autograded", student, A, f"{A}.ipynb")
        notebook.parent.mkdir(parents=True)
        notebook.write_text(student)
        notebook.with_name("timestamp.txt").write_text(STAMP)
        make(course, student)


def make(course: CourseDirectory, student: str) -> None:
    notebook = Path(course.root, "autograded", student, A, f"{A}.ipynb")
    sheet = gradebook.sheet(course.db_url, A, A, student)
    path = Path(course.root, "feedback", student, A, f"{A}.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    made_of = fingerprint(notebook, sheet, counting_of(course, student, notebook))
    path.write_text(f"{made_of}</html>\n")


def found(course: CourseDirectory) -> list[str]:
    return [student for student, _ in stale(course)]


def comment(course: CourseDirectory) -> None:
    with Gradebook(course.db_url) as opened:
        opened.find_comment("MLP", A, A, "ben").manual_comment = "Nearly."
        opened.db.commit()


def overrule(course: CourseDirectory) -> None:
    with Gradebook(course.db_url) as opened:
        opened.find_grade("test_MLP", A, A, "ben").manual_score = 12
        opened.db.commit()


def grade_again(course: CourseDirectory) -> None:
    Path(course.root, "autograded", "ben", A, f"{A}.ipynb").write_text("other")


def let_the_best_count(course: CourseDirectory) -> None:
    counting.folder_of(Path(course.root), "ben", A).mkdir(parents=True)
    counting.write(Path(course.root), "ben", A, Best("2026-03-04T05:06:07.000008+00:00", 9, 10))


def cut_off(course: CourseDirectory) -> None:
    """What is left where nbgrader was killed while it wrote the page."""
    page = Path(course.root, "feedback", "ben", A, f"{A}.html")
    page.write_text(page.read_text().removesuffix("ml>\n"))


def take_back(course: CourseDirectory) -> None:
    """What the grader does where nothing can be taken of a hand-in."""
    Path(course.root, "autograded", "ben", A, f"{A}.ipynb").unlink()
    gradebook.withdraw(course.db_url, A, "ben")


@pytest.mark.parametrize(
    "change", [comment, overrule, grade_again, let_the_best_count, cut_off, take_back]
)
def test_a_page_that_shows_what_is_no_more_is_found(
    course: CourseDirectory, change: Callable[[CourseDirectory], None]
) -> None:
    assert found(course) == []
    change(course)
    assert found(course) == ["ben"]


def test_a_page_whose_grade_stands_stays_also_without_its_notebook(course: CourseDirectory) -> None:
    Path(course.root, "autograded", "ben", A, f"{A}.ipynb").unlink()
    assert found(course) == []


def test_all_sheets_are_as_one_by_one_and_asked_for_at_once(course: CourseDirectory) -> None:
    overrule(course)
    comment(course)
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *others: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        sheets = gradebook.sheets(course.db_url, A)
        of_three = len(asked)
        add(course, *map("s{}".format, range(20)))
        asked.clear()
        gradebook.sheets(course.db_url, A)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(asked) == of_three
    for student in ("ann", "ben", "cyd"):
        assert sheets[student] == gradebook.sheet(course.db_url, A, A, student)
    assert (sheets["ann"].score, sheets["ben"].score) == (15, 24)
    assert sheets["ben"].comments == {"MLP": "Nearly."}
    assert gradebook.sheets(course.db_url, "unknown") == {}
