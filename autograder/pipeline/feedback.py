"""The exporter of `nbgrader generate_feedback`: a page a submission, made within a budget.

The gradebook is asked in nbgrader's process; the page is made in the worker, since it holds what a
student wrote: there is always some text that a highlighter or a parser of markdown takes hours for.

A page says in its head what it was made of. Where that is not what is there now (a regrade, an
override, a comment), nbgrader's run makes it anew; all others it leaves.
"""

import glob
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import Exporter
from nbformat import NotebookNode
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import rmtree
from traitlets import Integer

from autograder.grading import counting
from autograder.grading.standing import Sheet
from autograder.grading.worker import BudgetSpent, worker
from autograder.language import Text
from autograder.pipeline import gradebook, page
from autograder.pipeline.dialog import keep_short
from autograder.pipeline.page import Told
from autograder.pipeline.trouble import Trouble, Turn, refusing
from autograder.submission.cells import grade_cells
from autograder.submission.intake import students

_TOO_MUCH = Text(
    "This page shows results alone: with code and outputs it would take too long to make."
)
#: So much of a page is read to see what it was made of.
_HEAD = 2_000
#: How a page ends that was written to its end, and in how many bytes that is looked for.
_LAST, _TAIL = b"</html>", 20


class FeedbackExporter(HTMLExporter):
    """Makes a feedback page; past the budget, one of results alone."""

    seconds = Integer(60, help="The longest that making one page may take, in seconds.").tag(
        config=True
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.parent is not None and hasattr(self.parent, "coursedir"):
            self._converter: Any = self.parent
            keep_short(self._converter)
            self._trouble = Trouble(self.log, lambda why: None)
            with refusing(self.log):
                self._find_all(self._converter)
                self._renew(self._converter.coursedir)

    def _find_all(self, converter: Any) -> None:
        """Add what nbgrader does not find: names that are patterns, or begin with a dot."""
        directory = converter.coursedir
        for _, notebook in graded(directory):
            folder = notebook.parent
            if str(folder) not in converter.assignments:
                converter.assignments[str(folder)] = [str(notebook)]
                # It is not to be copied to the student, and nbgrader's own way fails here, too.
                directory.ignore = [*directory.ignore, glob.escape(str(notebook))]

    def _renew(self, directory: CourseDirectory) -> None:
        """Take away the pages that no longer fit: nbgrader makes those that are not there.

        One that can be made anew goes when its turn comes: what ends the run leaves the others.
        """
        excluded = directory.student_id_exclude.split(",")
        old = {student: path for student, path in stale(directory) if student not in excluded}
        turns = {}
        for folder, notebooks in self._converter.assignments.items():
            student = Path(folder).parent.name
            turns[folder] = Turn(partial(self._begin, notebooks, student, old.pop(student, None)))
        for student, path in old.items():
            self._take_away(student, path)
        self._converter.assignments = turns

    def _begin(self, notebooks: list[str], student: str, old: Path | None) -> list[str]:
        """The notebooks of a submission, whose page is made next if it is not there.

        Raises:
            NbGraderException: the machine refused something: others would meet the same.
        """
        if self._trouble.why:
            raise NbGraderException(self._trouble.why)
        if old is not None:
            with refusing(self.log):
                self._take_away(student, old)
        return notebooks

    def _take_away(self, student: str, page: Path) -> None:
        self.log.warning("The feedback page of %s no longer fits, and goes", student)
        rmtree(str(page.parent))

    def from_filename(  # type: ignore[override]
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Make the page of a graded notebook that lies there."""
        self._path = Path(filename)
        made: tuple[str, dict[str, Any]] = super().from_filename(filename, resources, **kwargs)
        return made

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Make the page of a graded notebook."""
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kwargs)
        # Functions for templates cannot travel; they are made anew.
        plain = {name: value for name, value in resources.items() if not callable(value)}
        where = plain["nbgrader"]
        student = where["student"]
        sheet = gradebook.sheet(where["db_url"], where["notebook"], where["assignment"], student)
        counts = counting_of(self._converter.coursedir, student, self._path)
        told = Told(sheet, fingerprint(self._path, sheet, counts), counts=counts)
        try:
            return self._rendered(nb, plain, told), resources
        except BudgetSpent as error:
            self.log.warning("The feedback page of %s has results alone: %s", student, error)
        told = replace(told, notes=(_TOO_MUCH,))
        return self._rendered(_results_alone(nb), plain, told), resources

    def _rendered(self, nb: NotebookNode, resources: dict[str, Any], told: Told) -> str:
        call: Callable[..., str] = worker.call
        return call(page.make, nb, resources, told, self.config, log=self.log, seconds=self.seconds)


def _results_alone(nb: NotebookNode) -> NotebookNode:
    """The notebook without all that a student wrote or printed."""
    nb.cells = [nb.cells[place] for place in grade_cells(nb).values()]
    return nb


# --------------------------------------------------------------------------- what no longer fits


def fingerprint(notebook: Path, sheet: Sheet, counts: Text | None) -> str:
    """What a page is made of, as hexadecimal digits.

    That is a graded notebook, what stands for it, and what is said of the hand-in that counts.
    """
    stands = json.dumps(asdict(sheet), sort_keys=True) + str(counts or "")
    return hashlib.sha256(notebook.read_bytes() + stands.encode()).hexdigest()


def counting_of(directory: CourseDirectory, student: str, notebook: Path) -> Text | None:
    """What is to be said, at a graded notebook, of the hand-in that counts."""
    assignment = notebook.parent.name
    best = counting.read(Path(directory.root), student, assignment)
    return counting.says(best, directory.get_existing_timestamp(str(notebook.parent)))


def graded(directory: CourseDirectory) -> Iterator[tuple[str, Path]]:
    """The graded notebooks of an assignment, by student."""
    assignment = directory.assignment_id
    folder = Path(directory.root, directory.autograded_directory)
    for student in students(folder, assignment, directory.student_id) if folder.is_dir() else ():
        notebook = folder / student / assignment / f"{assignment}.ipynb"
        if notebook.is_file():
            yield student, notebook


def _ends(page: Path) -> str:
    """The beginning of a page; empty where it was cut off, and has no end."""
    with page.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, page.stat().st_size - _TAIL))
        whole = file.read().rstrip().endswith(_LAST)
    return head.decode(errors="replace") if whole else ""


def stale(directory: CourseDirectory) -> Iterator[tuple[str, Path]]:
    """The feedback pages of an assignment that no longer fit, by student.

    They show another grade, another comment or another notebook than there is now, or were cut off
    when they were written; or there is no graded notebook any more, and no grade that stands:
    nothing could be taken of a later hand-in.
    """
    assignment = directory.assignment_id
    sheets = gradebook.sheets(directory.db_url, assignment)
    notebooks = dict(graded(directory))
    folder = Path(directory.root, directory.feedback_directory)
    for student in students(folder, assignment, directory.student_id) if folder.is_dir() else ():
        path = folder / student / assignment / f"{assignment}.html"
        sheet = sheets.get(student)
        if sheet is None or not path.is_file():
            continue
        if notebook := notebooks.get(student):
            of = fingerprint(notebook, sheet, counting_of(directory, student, notebook))
            fits = of in _ends(path)
        else:
            fits = not sheet.open
        if not fits:
            yield student, path
