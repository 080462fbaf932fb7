"""The folder that `make student` makes: what a student gets, and nothing of the instructor's."""

from argparse import Namespace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from autograder import ROOT
from autograder.commands import student
from autograder.commands.workspace import Workspace


def test_the_folder_has_what_a_student_gets(
    parameters: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(parameters.folder)
    folder = tmp_path / "student"
    assert student.main(Namespace(folder=str(folder))) == 0
    assert {path.name for path in folder.iterdir()} == {
        *("parameters", "course_data", "README.md", "requirements.txt", "nbgrader_config.py"),
    }
    given = folder / "parameters" / "parameters.ipynb"
    assert given.read_text() == parameters.notebook("release", "parameters").read_text()
    assert 'course_id = "pytorch-autograd"' in (folder / "nbgrader_config.py").read_text()
    page = (folder / "README.md").read_text()
    assert page.startswith("# For students")
    assert "jupyter lab" in page
    assert "For instructors" not in page

    given.write_text("work")
    student.main(Namespace(folder=str(folder)))
    assert given.read_text() == "work"


def test_what_is_asked_for_is_what_submissions_are_graded_with() -> None:
    asked = {Requirement(line).name: line for line in student.requirements()}
    assert {"torch", "nbgrader", "jupyterlab", "pillow", "seaborn"} <= asked.keys()
    assert "autograder" not in asked
    declared = (ROOT / "pyproject.toml").read_text()
    assert f'"{asked["torch"]}"' in declared
