"""Hostile submissions: one idea to a file, in `cheating`, `reading`, `getting_out`, `wearing_down`.

A file is a docstring (what it tries, what must happen), a head of comment lines, and sections:

    # score: 70                 what its honest parts earn; none where it cannot be graded
    # loses: MyLinear           the tasks that do not get all points; none where it is left out
    # says: regular expression  found in what the graded notebook shows; may be there more than once
    # never: regular expression never found there, nor in the feedback
    # assignment: parameters    the notebook that it starts from, solved; this one if left out

    # cell: MyLinear            what follows replaces the source of this cell
    # cell: before MLP          a code cell of the student's own, put before that one
    # cell: after test_MLP      or after it
    # markdown: before MLP      the same for text
    # handed in:                what follows runs in the test: it changes `nb`, or fills `folder`

Words in angle brackets stand for something on the grader's machine: see `Entry.cells`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

HERE = Path(__file__).parent
_SECTION = re.compile(r"^# (cell|markdown|handed in):(?: (.*))?$", re.M)
_FIELD = re.compile(r"^# (\w+): ?(.*)$", re.M)
_FIELDS = {"score", "loses", "says", "never", "assignment"}


@dataclass(frozen=True)
class Entry:
    """One hostile submission, as its file describes it."""

    path: Path

    @property
    def name(self) -> str:
        """Its kind and its idea."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def student(self) -> str:
        """Who hands it in."""
        return self.name.replace("/", "-").replace("_", "-")

    @cached_property
    def _text(self) -> tuple[str, list[tuple[str, str, str]]]:
        head, *rest = _SECTION.split(self.path.read_text(encoding="utf-8"))
        return head, [
            (kind, where or "", text.strip("\n"))
            for kind, where, text in zip(*[iter(rest)] * 3, strict=True)
        ]

    def _fields(self, name: str) -> list[str]:
        found = _FIELD.findall(self._text[0])
        unknown = {key for key, _ in found} - _FIELDS
        assert not unknown, f"{self.path}: unknown {unknown}"
        return [value.strip() for key, value in found if key == name]

    @property
    def score(self) -> int | None:
        """The score that it deserves; None where there is nothing that could be graded."""
        (value,) = self._fields("score")
        return None if value == "none" else int(value)

    @property
    def loses(self) -> set[str]:
        """The tasks that it deserves less than all points for."""
        return {name for value in self._fields("loses") for name in value.split()}

    @property
    def says(self) -> list[str]:
        """Patterns of what the graded notebook must show."""
        return self._fields("says")

    @property
    def never(self) -> list[str]:
        """Patterns of what nobody may be shown."""
        return self._fields("never")

    @property
    def assignment(self) -> str:
        """The assignment that it is handed in for."""
        return (self._fields("assignment") or ["parameters"])[0]

    def hand_in(self, solution: nbformat.NotebookNode, folder: Path, words: dict[str, str]) -> None:
        """Write what is handed in, made from the `solution`, into `folder`."""
        nb = nbformat.from_dict(solution)
        for kind, where, text in self._text[1]:
            for word, value in words.items():
                text = text.replace(f"<{word}>", value)
            if kind == "handed in":
                exec(compile(text, str(self.path), "exec"), {"nb": nb, "folder": folder})
                continue
            make = new_code_cell if kind == "cell" else new_markdown_cell
            place, _, name = where.rpartition(" ")
            cell = next(
                c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name
            )
            if not place:
                cell.source = text
                continue
            assert place in ("before", "after"), f"{self.path}: {where}"
            nb.cells.insert(nb.cells.index(cell) + (place == "after"), make(text))
        if not (folder / f"{self.assignment}.ipynb").exists():
            nbformat.write(nb, folder / f"{self.assignment}.ipynb")


def entries() -> Iterator[Entry]:
    """All of them, in the order of their names."""
    for path in sorted(HERE.glob("*/*.py")):
        yield Entry(path)
