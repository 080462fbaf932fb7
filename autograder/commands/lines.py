"""How many lines of suite an exercise costs, beside its prose: `python -m autograder lines`."""

import tokenize
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.suites import SUITES

_LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


@dataclass(frozen=True)
class Lines:
    """The lines of some files.

    Attributes:
        all: how many there are, empty ones too.
        prose: those that hold nothing but text that people read: strings and comments.
    """

    all: int
    prose: int

    @property
    def suite(self) -> int:
        """What it costs beside its prose."""
        return self.all - self.prose

    def __add__(self, other: "Lines") -> "Lines":
        return Lines(self.all + other.all, self.prose + other.prose)


def count(path: Path) -> Lines:
    """Count the lines of a Python file."""
    text, code = set[int](), set[int]()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            lines = range(token.start[0], token.end[0] + 1)
            if token.type in (tokenize.STRING, tokenize.COMMENT):
                text.update(lines)
            elif token.type not in (*_LAYOUT, tokenize.ENCODING) and token.string != ",":
                code.update(lines)
    return Lines(len(path.read_bytes().splitlines()), len(text - code))


def table() -> Iterator[tuple[str, int, Lines]]:
    """By assignment: its name, how many exercises it has, and the lines of their suites."""
    for folder in sorted(path for path in SUITES.iterdir() if (path / "__init__.py").exists()):
        exercises = len(list(folder.glob("test_*.py")))
        yield folder.name, exercises, sum(map(count, folder.glob("*.py")), Lines(0, 0))


def main(arguments: Namespace) -> int:
    """Print the table: each file, and the mean of each assignment's exercises."""
    for name, exercises, whole in table():
        for path in sorted((SUITES / name).glob("*.py")):
            each = count(path)
            print(f"{name}/{path.name:28} {each.all:5} lines, {each.suite:4} beside prose")
        print(f"{name}: {exercises} exercises, {whole.suite / exercises:.0f} lines each\n")
    rows = list(table())
    suites, exercises = sum(row[2].suite for row in rows), sum(row[1] for row in rows)
    print(f"all: {exercises} exercises, {suites / exercises:.0f} lines of suite each on average")
    return 0
