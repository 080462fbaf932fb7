"""What is exported: a verdict for everybody, and no zero where somebody has to look."""

import csv
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin, ExportPlugin
from traitlets.config import LoggingConfigurable

from autograder.pipeline.exports import Canvas, Grades, Moodle

STAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: By student: the points of a test cell, given by the grader and by a person, and those of an
#: answer by hand, given by a person; then the verdict.
WORK = {
    "ann": (30, None, 12.5, "graded"),
    "bea": (30, 40, 12, "to be reviewed"),
    "cyd": (30, None, None, "to be graded by hand"),
    "dot": (None, None, 12, "could not be graded"),
    "eve": (None, 25, 5, "to be reviewed"),
}


class Parent(LoggingConfigurable):
    """Stands for the application: it has a course folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.log = logging.getLogger("exports")  # not that of an application of another test's
        self.coursedir = SimpleNamespace(root=str(folder), submitted_directory="submitted")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def gradebook(folder: Path) -> Iterator[Gradebook]:
    """A gradebook in which there is one of everything; fay has handed in, gus has not."""
    with pytest.MonkeyPatch.context() as patch:  # nbgrader calls `alembic` by name
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        made = Gradebook(f"sqlite:///{folder / 'gradebook.db'}")
    with made:
        for assignment in ("first", "second"):
            made.add_assignment(assignment)
            made.add_notebook(assignment, assignment)
            made.add_grade_cell("test_f", assignment, assignment, max_score=40, cell_type="code")
            made.add_grade_cell("why", assignment, assignment, max_score=20, cell_type="markdown")
            made.add_solution_cell("why", assignment, assignment)
        for student, (auto, manual, by_hand, _) in WORK.items():
            made.add_student(student, last_name=f"{student}son, Jr.", first_name=student.title())
            made.add_submission("first", student, timestamp=STAMP.replace(tzinfo=None))
            test = made.find_grade("test_f", "first", "first", student)
            test.auto_score, test.manual_score = auto, manual
            test.needs_manual_grade = manual is not None or auto is None
            written = made.find_grade("why", "first", "first", student)
            written.manual_score, written.needs_manual_grade = by_hand, by_hand is None
        made.find_submission("first", "ann").notebooks[0].late_submission_penalty = 2.25
        made.add_student("gus", last_name="gus", first_name="", lms_user_id="77")
        made.db.commit()
        for student in ("fay", "odd\udcff"):
            (folder / "submitted" / student / "first").mkdir(parents=True)
        yield made


def exported(plugin: type[ExportPlugin], gradebook: Gradebook, folder: Path) -> list[list[str]]:
    to = folder / "out.csv"
    made = plugin(parent=Parent(folder), to=str(to))
    made.export(gradebook)
    with to.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_grades_have_nbgraders_columns_and_the_verdict(gradebook: Gradebook, folder: Path) -> None:
    header, *rows = exported(Grades, gradebook, folder)
    stock = exported(CsvExportPlugin, gradebook, folder)[0]
    assert [name for name in header if name != "verdict"] == stock
    found = {
        row["student_id"]: row
        for row in (dict(zip(header, row, strict=True)) for row in rows)
        if row["assignment"] == "first"
    }
    verdicts = {student: row["verdict"] for student, row in found.items()}
    assert verdicts == {
        **{student: work[-1] for student, work in WORK.items()},
        "fay": "not graded yet",
        "gus": "not handed in",
        r"odd\udcff": "not graded yet",
    }
    scores = {student: (row["raw_score"], row["score"]) for student, row in found.items()}
    assert scores == {
        "ann": ("42.5", "40.25"),
        "bea": ("52.0", "52.0"),
        "cyd": ("", ""),
        "dot": ("", ""),
        "eve": ("30.0", "30.0"),
        "fay": ("", ""),
        "gus": ("0.0", "0.0"),
        r"odd\udcff": ("", ""),
    }
    assert found["ann"]["late_submission_penalty"] == "2.25"
    assert found["ann"]["timestamp"] == "2026-01-02 03:04:05"
    assert (found["ann"]["last_name"], found["gus"]["last_name"]) == ("annson, Jr.", "")


def test_what_has_no_score_is_listed(
    gradebook: Gradebook, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exported(Grades, gradebook, folder)
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warned == [
        "first, cyd: to be graded by hand: no score",
        "first, dot: could not be graded: no score",
        "first, fay: not graded yet: no score",
        r"first, odd\udcff: not graded yet: no score",
    ]


def test_canvas(gradebook: Gradebook, folder: Path) -> None:
    header, possible, *rows = exported(Canvas, gradebook, folder)
    assert header == [
        *("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "first", "second"),
    ]
    assert possible == ["    Points Possible", "", "", "", "", "60", "60"]
    assert {row[3]: row[5] for row in rows} == {
        **{"ann": "40.25", "bea": "52", "cyd": "", "dot": "", "eve": "30", "fay": "", "gus": ""},
        r"odd\udcff": "",
    }
    assert {row[6] for row in rows} == {""}
    people = {row[3]: tuple(row[:2]) for row in rows}
    assert people["ann"] == ("annson, Jr., Ann", "")
    assert (people["gus"], people["fay"]) == (("gus", "77"), ("fay", ""))


def test_moodle(gradebook: Gradebook, folder: Path) -> None:
    header, *rows = exported(Moodle, gradebook, folder)
    assert header == ["Username", "First name", "Last name", "Email address", "first", "second"]
    assert {row[0]: row[4] for row in rows} == {
        **{"ann": "40.25", "bea": "52", "cyd": "-", "dot": "-", "eve": "30", "fay": "-"},
        **{"gus": "-", r"odd\udcff": "-"},
    }
    assert rows[0][:4] == ["ann", "Ann", "annson, Jr.", ""]


def test_some_of_it(gradebook: Gradebook, folder: Path) -> None:
    to = folder / "some.csv"
    Moodle(to=str(to), student=["ann"], assignment=["second"]).export(gradebook)
    assert to.read_text() == (
        'Username,First name,Last name,Email address,second\nann,Ann,"annson, Jr.",,-\n'
    )
