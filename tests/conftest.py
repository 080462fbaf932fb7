"""What tests share: course folders of their own, and ways to change a submission."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from autograder import ROOT
from autograder.commands.workspace import Workspace

Notebook = nbformat.NotebookNode


@pytest.fixture(scope="session")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A course folder with `parameters` released and nothing handed in, for reading only."""
    return Workspace.make(tmp_path_factory.mktemp("released"), ["parameters"])


@pytest.fixture(scope="session")
def solution() -> Callable[[str], Notebook]:
    """Gives the solution notebook of an assignment, to be changed at will."""

    def read(assignment: str) -> Notebook:
        path: Path = ROOT / "source" / assignment / f"{assignment}.ipynb"
        return nbformat.read(path, as_version=4)

    return read
