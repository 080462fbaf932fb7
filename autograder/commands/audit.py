"""Audits the suites: runs the corpora of correct and wrong solutions through the real grading path.

A corpus is `tests/corpus/<assignment>.toml`: an entry says what replaces which solution cell, and
which tests that loses, with which diagnosis.
"""

import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.errors import AutograderError
from autograder.grading.session import collect

CORPUS = ROOT / "tests" / "corpus"


class CorpusError(AutograderError):
    """A corpus entry that cannot be built; the text says which and why."""


@dataclass(frozen=True)
class Entry:
    """One solution of the corpus: a perfect one with something replaced.

    Attributes:
        cells: the new source of whole solution cells, by `grade_id`.
        edits: (`grade_id`, old, new): substitutions in the solution notebook's own cells.
        before: the student's own code cells, by the `grade_id` of the cell that they precede.
        loses: the tests that it must lose, `<grade cell>.<test>`, each with its diagnosis.
    """

    assignment: str
    name: str
    why: str
    cells: dict[str, str] = field(default_factory=dict)
    edits: tuple[tuple[str, str, str], ...] = ()
    before: dict[str, str] = field(default_factory=dict)
    loses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What came of an entry; `problems` is empty where it was judged as it should be."""

    entry: Entry
    problems: tuple[str, ...]
    named: int
    unnamed: int
    misnamed: int


def load(assignment: str) -> list[Entry]:
    """Read the corpus of `assignment`: the correct entries, then the wrong ones."""
    data = tomllib.loads((CORPUS / f"{assignment}.toml").read_text(encoding="utf-8"))
    return [_entry(assignment, raw) for kind in ("correct", "wrong") for raw in data.get(kind, [])]


def _entry(assignment: str, raw: dict[str, Any]) -> Entry:
    unknown = raw.keys() - {"name", "why", "cells", "edits", "before", "loses"}
    if unknown:
        raise CorpusError(f"{assignment}, {raw.get('name')}: unknown keys {sorted(unknown)}")
    edits = tuple((edit["cell"], edit["old"], edit["new"]) for edit in raw.get("edits", ()))
    fields = {key: raw[key] for key in ("cells", "before", "loses") if key in raw}
    return Entry(assignment, raw["name"], raw["why"], edits=edits, **fields)


def build(entry: Entry) -> nbformat.NotebookNode:
    """The notebook that a student of this entry hands in.

    Raises:
        CorpusError: it names a cell that is not there, or replaces what does not occur once.
    """
    path = ROOT / "source" / entry.assignment / f"{entry.assignment}.ipynb"
    nb: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    cells = {
        cell.metadata.nbgrader.grade_id: cell for cell in nb.cells if "nbgrader" in cell.metadata
    }
    where = f"{entry.assignment}, {entry.name}"
    for name in {*entry.cells, *entry.before, *(edit[0] for edit in entry.edits)}:
        if name not in cells:
            raise CorpusError(f"{where}: there is no cell '{name}'")
    for name, source in entry.cells.items():
        cells[name].source = source
    for name, old, new in entry.edits:
        if cells[name].source.count(old) != 1:
            raise CorpusError(f"{where}: '{old}' does not occur once in cell '{name}'")
        cells[name].source = cells[name].source.replace(old, new)
    for name, source in entry.before.items():
        nb.cells.insert(nb.cells.index(cells[name]), new_code_cell(source.strip()))
    return nb


def run(entries: list[Entry], folder: Path, jobs: int = 2) -> list[Finding]:
    """Grade the entries with plain `nbgrader autograde`, `jobs` course folders at a time."""
    parts = [entries[start::jobs] for start in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        work = [
            pool.submit(_run_part, part, folder / str(place))
            for place, part in enumerate(parts)
            if part
        ]
        return [finding for each in work for finding in each.result()]


def _run_part(entries: list[Entry], folder: Path) -> list[Finding]:
    assignments = sorted({entry.assignment for entry in entries})
    workspace = Workspace.make(folder, assignments)
    for entry in entries:
        workspace.submit(entry.name, entry.assignment, build(entry))
    logs = ""
    for assignment in assignments:
        logs += workspace.nbgrader("autograde", assignment, check=False).stderr
    (folder / "log.txt").write_text(logs)
    return [_judge(entry, workspace) for entry in entries]


def _judge(entry: Entry, workspace: Workspace) -> Finding:
    try:
        tests = workspace.tests(entry.assignment, entry.name)
    except FileNotFoundError:
        return Finding(entry, (f"was not graded (see {workspace.folder / 'log.txt'})",), 0, 0, 0)
    problems = [f"{name} is no test" for name in entry.loses if name not in tests]
    if workspace.score(entry.assignment, entry.name) is None:
        problems.append(f"could not be graded (see {workspace.folder / 'log.txt'})")
    named = unnamed = misnamed = 0
    for name, test in tests.items():
        lost, expected = test["earned"] < test["points"], entry.loses.get(name)
        if lost and expected is None:
            problems.append(f"{name} should pass, but failed [{test['misconception'] or '-'}]")
        elif not lost and expected is not None:
            problems.append(f"{name} should fail, but passed")
        elif lost and expected != (test["misconception"] or ""):
            problems.append(
                f"{name} should be named [{expected or '-'}], was [{test['misconception'] or '-'}]"
            )
        if lost and test["misconception"]:
            right = test["misconception"] == expected
            named, misnamed = named + right, misnamed + (not right)
        elif lost and expected:
            unnamed += 1
    return Finding(entry, tuple(problems), named, unnamed, misnamed)


def untested(findings: list[Finding]) -> list[str]:
    """The tests that no wrong entry fails: each needs one, or has no use."""
    failed = {(each.entry.assignment, name) for each in findings for name in each.entry.loses}
    return [
        f"{assignment}, {suite.grade_id}.{check.id}"
        for assignment in sorted({each.entry.assignment for each in findings})
        for suite in collect(assignment).values()
        for check in suite.checks
        if (assignment, f"{suite.grade_id}.{check.id}") not in failed
    ]
