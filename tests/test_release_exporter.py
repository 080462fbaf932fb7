"""What is released: one notebook of the assignment's name, with its due date, if there is one."""

import shutil
from pathlib import Path

import nbformat
import pytest

from autograder.commands.workspace import Workspace
from autograder.pipeline.release import DUE_ID, why_not_one


def test_one_notebook_of_its_own_name(tmp_path: Path) -> None:
    assert "holds none" in why_not_one(tmp_path, "lesson", tmp_path.parent)
    (tmp_path / "lesson.ipynb").touch()
    (tmp_path / "helpers.py").touch()
    assert why_not_one(tmp_path, "lesson", tmp_path.parent) == ""
    (tmp_path / "more.ipynb").touch()
    assert "holds lesson.ipynb, more.ipynb" in why_not_one(tmp_path, "lesson", tmp_path.parent)


@pytest.mark.kernel
def test_several_notebooks_are_refused_in_one_sentence(
    parameters: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(parameters.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    own = Workspace(tmp_path)
    before = own.notebook("release", "parameters").stat().st_mtime_ns
    source = own.notebook("source", "parameters")
    shutil.copy(source, source.with_name("parameters2.ipynb"))
    done = own.nbgrader("generate_assignment", "parameters", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "source/parameters holds parameters.ipynb, parameters2.ipynb: rename it" in line
    assert own.notebook("release", "parameters").stat().st_mtime_ns == before


@pytest.mark.kernel
def test_the_due_date_stands_below_the_title(parameters: Workspace, tmp_path: Path) -> None:
    shutil.copytree(parameters.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    own = Workspace(tmp_path)
    path = own.notebook("release", "parameters")
    before = nbformat.read(path, as_version=4)
    assert DUE_ID not in {cell.id for cell in before.cells}
    own.nbgrader(
        "db", "assignment", "add", "parameters", "--duedate=2026-12-04 18:00 Europe/Zurich"
    )
    for option, told in (
        ("--NbGraderAPI.timezone=UTC", "**Due:** Friday, 4 December 2026, 17:00 (UTC)"),
        ("--DueDate.timezone=Europe/Zurich", "4 December 2026, 18:00 (Europe/Zurich)"),
    ):
        own.nbgrader("generate_assignment", "parameters", option)
        after = nbformat.read(path, as_version=4)
        assert after.cells[1].source.endswith(told)
        assert after.cells.pop(1).id == DUE_ID
        assert after == before
