"""What PyTorch itself says of a mistake: its words, in an exception, name a misconception.

Only the exception's type and own text count, never the sentence that a student reads: that one
quotes the student's line, in which any word may stand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from autograder.exercise.checks import Misconception, fail
from autograder.exercise.student import StudentError


@dataclass(frozen=True)
class Says:
    """An exception of PyTorch's: the name of its type, words of its text, and what they mean."""

    type: str
    words: str
    mistake: Misconception


@contextmanager
def named_by_pytorch(*table: Says) -> Iterator[None]:
    """Name the mistake where the student's code ended in an exception of the table.

    Raises:
        Failure: named by the first row that fits.
        StudentError: as it came, where none does.
    """
    try:
        yield
    except StudentError as error:
        for row in table:
            if error.kind == "error" and error.type == row.type and row.words in error.text:
                fail("", because=row.mistake)
        raise
