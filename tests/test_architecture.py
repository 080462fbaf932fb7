"""Data flows one way: who imports whom is what `docs/architecture.md` says; no arrow runs up."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import ROOT

PACKAGE = ROOT / "autograder"
PAGE = (ROOT / "docs/architecture.md").read_text()


def floors() -> dict[str, int]:
    """The rooms of the page's second drawing, each with its floor, from below."""
    drawing = PAGE.partition("## Floors")[2].split("```")[1]
    from_below = enumerate(reversed(drawing.split("\n")))
    return {room: floor for floor, line in from_below for room in line.split()}


def room_of(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py") if parts else ""


def arrows(path: Path) -> Iterator[str]:
    """The rooms that a file imports from, wherever in it; empty for the package itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            project, *inner = name.split(".")
            if project == "autograder":
                yield room_of(tuple(inner)) if inner != ["ROOT"] else ""


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_arrow_runs_up(path: Path) -> None:
    floor, file = floors(), str(path.relative_to(PACKAGE))
    here = room_of(path.relative_to(PACKAGE).parts)
    for there in set(arrows(path)) - {here, ""}:
        assert floor[there] < floor[here], f"{file} imports from {there}/"


def test_the_page_has_every_room() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] not in "_."}
    table = PAGE.partition("## Rooms")[2].partition("## Floors")[0]
    assert set(re.findall(r"^\| `(\w+)/`", table, re.MULTILINE)) == rooms
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert set(floors()) == rooms - {"holdout"} | modules


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w./]+\.py)`", PAGE))))
def test_the_page_names_files_that_are_there(name: str) -> None:
    places = (ROOT / name, PACKAGE / name, *PACKAGE.glob(f"**/{name}"), *ROOT.glob(f"*/*/*/{name}"))
    assert name == "probes.py" or any(place.is_file() for place in places)
