"""What tests share: course folders of their own, and ways to change a submission."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, sync_playwright

from autograder import ROOT
from autograder.commands.workspace import Workspace

Notebook = nbformat.NotebookNode


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a released course waits for nbgrader."""
    for item in items:
        if isinstance(item, pytest.Function) and "parameters" in item.fixturenames:
            item.add_marker("kernel")


@pytest.fixture(scope="session", autouse=True)
def no_service(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is tested meets no service that somebody has started."""
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a test starts can be interrupted, also where a shell runs the tests in background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of the system's."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no Chromium is installed: see `make browser`"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


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
