"""The corpora of solutions: what students might hand in, as the perfect notebook with changes.

`tests/corpus/<assignment>.toml` has correct and wrong solutions, each with the tests that it must
lose; `tests/samples.toml` has the submissions of made-up students, each with its score.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell

from autograder import ROOT
from autograder.errors import AutograderError
from autograder.submission.cells import places

CORPUS = ROOT / "tests" / "corpus"
SAMPLES = ROOT / "tests" / "samples.toml"

_CHANGES = {"why", "cells", "edits", "before"}


class CorpusError(AutograderError):
    """An entry that cannot be built; the text says which and why."""


@dataclass(frozen=True)
class Entry:
    """One solution of a corpus: a perfect one with something replaced.

    Attributes:
        cells: the new source of whole solution cells, by `grade_id`.
        edits: (`grade_id`, old, new): substitutions in the solution notebook's own cells.
        before: the student's own code cells, by the `grade_id` of the cell that they precede.
        loses: the tests that it must lose, `<grade cell>.<test>`, each with its diagnosis.
        earns: the points that such a test earns all the same, where it is not none: from, to. They
            are two numbers where the inputs that happen to be drawn decide.
    """

    assignment: str
    name: str
    why: str
    cells: dict[str, str] = field(default_factory=dict)
    edits: tuple[tuple[str, str, str], ...] = ()
    before: dict[str, str] = field(default_factory=dict)
    loses: dict[str, str] = field(default_factory=dict)
    earns: dict[str, tuple[int, int]] = field(default_factory=dict)

    def may_earn(self, test: str, points: int) -> bool:
        """Whether a test that is lost earns so many points all the same."""
        least, most = self.earns.get(test, (0, 0))
        return least <= points <= most


@dataclass(frozen=True)
class Sample:
    """A made-up student's submission, and the score that it deserves."""

    student: str
    entry: Entry
    untouched: bool
    score: int


def assignments_of(names: list[str]) -> list[str]:
    """The assignments that were named, or all that have a source notebook."""
    return names or sorted(path.parent.name for path in (ROOT / "source").glob("*/*.ipynb"))


def load(assignment: str) -> list[Entry]:
    """Read the corpus of `assignment`: the correct entries, then the wrong ones.

    Raises:
        CorpusError: an entry has a key that means nothing, or earns part of what it does not lose.
    """
    data = _read(CORPUS / f"{assignment}.toml")
    return [
        _entry(assignment, raw["name"], raw, {"name", "loses", "earns"})
        for kind in ("correct", "wrong")
        for raw in data.get(kind, [])
    ]


def samples() -> list[Sample]:
    """The sample submissions.

    Raises:
        CorpusError: one has a key that means nothing.
    """
    known = {"student", "assignment", "untouched", "score"}
    return [
        Sample(
            raw["student"],
            _entry(raw["assignment"], raw["student"], raw, known),
            raw.get("untouched", False),
            raw["score"],
        )
        for raw in _read(SAMPLES)["submission"]
    ]


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _entry(assignment: str, name: str, raw: dict[str, Any], known: set[str]) -> Entry:
    if unknown := raw.keys() - known - _CHANGES:
        raise CorpusError(f"{assignment}, {name}: unknown keys {sorted(unknown)}")
    if kept := raw.get("earns", {}).keys() - raw.get("loses", {}).keys():
        raise CorpusError(f"{assignment}, {name}: earns of tests it does not lose {sorted(kept)}")
    edits = tuple((edit["cell"], edit["old"], edit["new"]) for edit in raw.get("edits", ()))
    fields = {key: raw[key] for key in ("cells", "before", "loses") if key in raw}
    earns = {
        test: (points, points) if isinstance(points, int) else tuple(points)
        for test, points in raw.get("earns", {}).items()
    }
    return Entry(assignment, name, raw["why"], edits=edits, earns=earns, **fields)


def build(entry: Entry) -> nbformat.NotebookNode:
    """The notebook that a student of this entry hands in.

    Raises:
        CorpusError: it names a cell that is not there, or replaces what does not occur once.
    """
    path = ROOT / "source" / entry.assignment / f"{entry.assignment}.ipynb"
    nb: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    cells = {name: nb.cells[place] for name, place in places(nb).items()}
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
