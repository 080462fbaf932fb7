"""Where nbgrader meets a submission first: the exporter that reads its file.

Its constructor runs before any submission is touched: there the course is checked, and nbgrader is
given clean copies to work on instead of what was handed in.
"""

import glob
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import rmtree

from autograder.grading import course, record
from autograder.grading.course import CourseError
from autograder.grading.report import SUMMARY_ID
from autograder.grading.worker import BudgetSpent, why_not, worker
from autograder.language import Sentence, Text
from autograder.pipeline import gradebook
from autograder.pipeline.dialog import keep_short
from autograder.pipeline.grade import GradeNotebook
from autograder.pipeline.settings import gathered, limit
from autograder.submission.cells import grade_cells
from autograder.submission.intake import STAMP, Intake, Taken, students
from autograder.submission.limits import IntakeLimits, ReadLimits
from autograder.submission.read import NotANotebook, read_file
from autograder.suites import datasets
from autograder.text import PlainLog, escaped

#: No student's name: it comes after all of them in nbgrader's order, and is left out of the run.
LAST = "\U0010ffff"


class _Turn:
    """A submission or the end of the run: its turn comes when nbgrader looks for its notebooks."""

    def __init__(self, begin: Callable[[], list[str]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[str]:
        return iter(self._begin())


class SubmissionExporter(NotebookExporter):
    """Reads submissions for `nbgrader autograde`; refuses the run where the course is not fit.

    Raises:
        CourseError, SuiteError: on construction, when the assignment cannot be graded at all.
    """

    notebook_file_bytes = limit(IntakeLimits, "notebook_file_bytes")
    files = limit(IntakeLimits, "files")
    folder_bytes = limit(IntakeLimits, "folder_bytes")
    depth = limit(IntakeLimits, "depth")
    entries = limit(IntakeLimits, "entries")
    path_bytes = limit(IntakeLimits, "path_bytes")
    notebook_bytes = limit(ReadLimits, "notebook_bytes")
    cells = limit(ReadLimits, "cells")
    source_length = limit(ReadLimits, "source_length")
    values = limit(ReadLimits, "values")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ungraded: list[str] = []
        if self.parent is None or not hasattr(self.parent, "coursedir"):
            return
        if not any(isinstance(each, PlainLog) for each in self.log.filters):
            self.log.addFilter(PlainLog())
        self._converter: Any = self.parent
        keep_short(self._converter)
        self._directory = self._converter.coursedir
        self._assignment = self._directory.assignment_id
        try:
            if not self._directory.directory_structure.startswith("{nbgrader_step}" + os.sep):
                raise CourseError("`directory_structure` must be the one that nbgrader begins with")
            step = GradeNotebook(parent=self)
            suites = step.prepare(self._assignment)
            self._release = gradebook.released(self._directory.db_url, self._assignment)
            course.check(
                self._assignment,
                self._release.points,
                suites,
                datasets(self._assignment),
                step.data_folder(),
            )
        except Exception as error:
            for line in str(error).splitlines():
                self.log.error(line)
            raise
        self._take_over()

    # ------------------------------------------------------------------ before anything is graded

    def _take_over(self) -> None:
        """Replace what nbgrader has found by what is there, and its folder by the clean copies."""
        submitted = Path(self._directory.root, self._directory.submitted_directory)
        source = self._directory.format_path(
            self._directory.source_directory, ".", self._assignment
        )
        self._intake = Intake(
            submitted,
            self._assignment,
            self._directory.ignore,
            source=Path(source),
            limits=gathered(self, IntakeLimits),
        )
        self._taken: Taken | None = None
        # Of this converter alone: the formgrader has one of them for all that it does.
        names = CourseDirectory.class_trait_names(config=True)
        values = {name: getattr(self._directory, name) for name in names}
        values["submitted_directory"] = str(self._intake.folder)
        excluded = self._directory.student_id_exclude.split(",")
        values["student_id_exclude"] = ",".join([*filter(None, excluded), LAST])
        self._ignore = self._directory.ignore
        turns: dict[str, _Turn] = {}
        for student in students(submitted, self._assignment, self._directory.student_id):
            if student in excluded:  # another process may be grading it right now
                continue
            if why := self._intake.why_not(student):
                self._withdraw(student)
                self._ungraded.append(f"{escaped(student)}: {why}")
            else:
                turns[str(self._intake.path(student))] = _Turn(partial(self._begin, student))
        turns[str(self._intake.path(LAST))] = _Turn(self._end)
        self._directory = CourseDirectory(parent=self._directory.parent, **values)
        self._converter.coursedir = self._directory
        self._converter.assignments = turns

    def _begin(self, student: str) -> list[str]:
        """Take a submission in; nbgrader finds its notebook in the clean copy."""
        self._taken = taken = self._intake.take(student)
        # nbgrader's own way to leave it out of what it copies fails at names like `[a]`.
        self._directory.ignore = [*self._ignore, glob.escape(str(taken.notebook))]
        done = self._graded_folder(student)
        if done.is_dir() and taken.ungraded:
            rmtree(str(done))
        elif done.is_dir() and not self._finished(done):
            self.log.warning("Grading of %s had been cut off; it is graded again", student)
            rmtree(str(done))
        elif done.is_dir() and taken.stamped and not (done / STAMP).exists():
            # nbgrader would find nothing to compare its time with.
            self.log.warning("%s handed in again, now with a time stamp", student)
            rmtree(str(done))
        return [str(taken.notebook)]

    def _end(self) -> list[str]:
        """Say what could not be graded.

        Raises:
            NbGraderException: something could not be; nbgrader ends with status 1.
        """
        self._intake.close()
        for line in self._ungraded:
            self.log.error("Could not be graded: %s", line)
        if self._ungraded:
            raise NbGraderException(f"{len(self._ungraded)} could not be graded (see above)")
        return []

    def _withdraw(self, student: str) -> None:
        """Take back what an earlier grading came to: nothing stands for what cannot be read."""
        if self._graded_folder(student).is_dir():
            rmtree(str(self._graded_folder(student)))
        gradebook.withdraw(self._directory.db_url, self._assignment, escaped(student))

    def _finished(self, folder: Path) -> bool:
        """Whether every notebook of a graded folder has the results that are written last."""
        notebooks = list(folder.glob("*.ipynb"))
        return bool(notebooks) and all(_has_results(path) for path in notebooks)

    def _graded_folder(self, student: str) -> Path:
        return Path(
            self._directory.format_path(
                self._directory.autograded_directory, student, self._assignment
            )
        )

    # ------------------------------------------------------------------------------ one submission

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Read a notebook: strictly where a student made it, plainly where nbgrader did.

        A file that is no notebook becomes an empty one, and a reason why it could not be graded.
        """
        path = Path(filename)
        if resources is None or self._taken is None:
            return super().from_filename(filename, resources, **kwargs)
        told = resources["nbgrader"]
        told["digest"] = self._taken.digest
        if path != self._taken.notebook:
            nb = nbformat.read(path, as_version=4)
            folder = self._intake.for_kernel(path.parent)
        else:
            told["release"] = self._release
            nb, told["notes"], told["ungraded"] = self._read(self._taken)
            folder = path.parent
        resources["metadata"] = {"name": path.stem, "path": str(folder)}
        text, resources = self.from_notebook_node(nb, resources, **kwargs)
        if path != self._taken.notebook:
            told = resources["nbgrader"]
            self._ungraded += [f"{told['student']}: {why}" for why in told.get("ungraded", ())]
        return text, resources

    def _read(self, taken: Taken) -> tuple[Any, list[Text], Sentence]:
        """The notebook, what is to be noted about it, and why it could not be graded, if so."""
        notes, why = list(taken.notes), taken.ungraded
        if not why:
            try:
                nb, more = worker.call(
                    read_file, taken.notebook, gathered(self, ReadLimits), log=self.log
                )
                return nb, [*notes, *more], ""
            except NotANotebook as error:
                why = Text("the file `{name}` {why}", name=taken.notebook.name, why=error.text)
            except BudgetSpent as error:
                name = taken.notebook.name
                why = Text("the file `{name}` cannot be read: {why}", name=name, why=error.text)
            except Exception as error:
                why = why_not(error, self.log, f"Reading {taken.notebook}")
        return nbformat.v4.new_notebook(), notes, why


def _has_results(path: Path) -> bool:
    try:
        nb = nbformat.read(path, as_version=4)
    except Exception:
        return False
    written = [cell for cell in nb.cells if cell.get("id") == SUMMARY_ID]
    graded = all(record.is_graded(nb.cells[place]) for place in grade_cells(nb).values())
    return bool(written) and graded and not record.read(nb).ungraded
