"""A gradebook on a PostgreSQL server: nbgrader's `db_url` says where, and all else is as ever."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.commands.workspace import Workspace
from autograder.submission.cells import cell_of
from tests import postgres

pytestmark = pytest.mark.kernel

WRONG = {"b": "MLP = None", "d": "MLP = None"}


def test_two_graders_at_once_on_one_server(
    tmp_path: Path, parameters: Workspace, solution: Callable[[str], nbformat.NotebookNode]
) -> None:
    course = Workspace(tmp_path / "course")
    shutil.copytree(parameters.folder, course.folder, symlinks=True)
    (course.folder / "gradebook.db").unlink()
    students = ["a", "b", "c", "d", "e", "f"]
    for student in students:
        nb = solution("parameters")
        cell_of(nb, "MLP").source = WRONG.get(student, cell_of(nb, "MLP").source)
        course.submit(student, "parameters", nb)

    with postgres.running() as url:
        option = f"--CourseDirectory.db_url={url}"
        course.nbgrader("generate_assignment", "parameters", option)
        graders = []
        for others in (students[::2], students[1::2]):
            words = [sys.executable, "-m", "autograder", "grade", "parameters", "--workers=2"]
            exclude = f"--CourseDirectory.student_id_exclude={','.join(others)}"
            graders.append(
                subprocess.Popen(
                    [*words, option, exclude],
                    cwd=course.folder,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        said = [grader.communicate()[0] for grader in graders]
        assert [grader.returncode for grader in graders] == [0, 0], said
        assert ["3 graded, 0 skipped, 0 failed" in each for each in said] == [True, True]
        with Gradebook(url) as gradebook:
            found = gradebook.assignment_submissions("parameters")
            scores = {each.student_id: each.score for each in found}
        assert scores == {name: 75 if name in WRONG else 100 for name in students}

        course.nbgrader("generate_feedback", "parameters", option)
        page = course.notebook("feedback", "parameters", "b").with_suffix(".html")
        assert "75" in page.read_text(encoding="utf-8")
    assert not (course.folder / "gradebook.db").exists()
