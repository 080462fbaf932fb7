"""What a course must be before anything is graded: cells, suites and data that belong together."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from nbgrader.api import Gradebook, MissingEntry

from autograder.errors import AutograderError

#: The folders below `course_data/` that an assignment's notebook reads.
DATASETS = {"manual_backward": ("digits_3_vs_8",)}


class CourseError(AutograderError):
    """The course is not fit to grade with; every line of the text says one thing to do."""


def check(assignment: str, db_url: str, course_data: Path, suites: Mapping[str, int]) -> None:
    """Check that the release, the suites and the data of `assignment` belong together.

    Args:
        assignment: its name, which is its notebook's name too.
        db_url: nbgrader's gradebook.
        course_data: the folder of the data that notebooks read.
        suites: the points of each suite, by the name of its grade cell.

    Raises:
        CourseError: a grade cell without its suite, a suite without its cell, points that do not
            add up, an assignment that was never released, or data that is not there.
    """
    with Gradebook(db_url) as gradebook:
        try:
            notebook = gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            raise CourseError(
                f"The gradebook knows no assignment '{assignment}' with a notebook of that name."
                f" Run first: nbgrader generate_assignment {assignment}"
            ) from None
        cells = {cell.name: cell.max_score for cell in notebook.grade_cells}
    problems = _compare(assignment, cells, suites)
    for name in DATASETS.get(assignment, ()):
        if not (course_data / name).is_dir():
            problems.append(
                f"The data is missing: {course_data / name}. Restore it from the repository, or"
                " write it again: python -m autograder.commands.course_data"
            )
    if problems:
        raise CourseError("\n".join(problems))


def _compare(assignment: str, cells: Mapping[str, float], suites: Mapping[str, int]) -> list[str]:
    folder = f"autograder/suites/{assignment}"
    problems = [
        f"Grade cell '{name}' has no suite: write {folder}/{name}.py"
        for name in sorted(cells.keys() - suites.keys())
    ]
    problems += [
        f"Suite {folder}/{name}.py has no grade cell '{name}' in the release: remove the suite, or"
        f" add the cell and run: nbgrader generate_assignment {assignment}"
        for name in sorted(suites.keys() - cells.keys())
    ]
    problems += [
        f"Grade cell '{name}' has {cells[name]:g} points, the tests of its suite {folder}/{name}.py"
        f" add up to {suites[name]}: make them equal"
        for name in sorted(cells.keys() & suites.keys())
        if cells[name] != suites[name]
    ]
    return problems


def secret(path: Path) -> bytes:
    """The course secret that seeds are made with; made on first use, readable by its owner only."""
    if not path.exists():
        # Whole from the moment it is there: several graders may start at once.
        with NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_bytes().strip()


def seed(secret: bytes, assignment: str, student: str, digest: str) -> str:
    """The recorded seed of a submission: the same for the same work, unknown without the secret.

    Args:
        digest: of everything that was handed in (see :mod:`autograder.submission.digest`). What a
            submission brings along may hold the answers to inputs that another one has printed.
    """
    text = "\0".join((assignment, student, digest))
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]
