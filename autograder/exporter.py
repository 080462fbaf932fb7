"""Where nbgrader meets a submission first: the exporter that reads its file.

Its constructor runs before any submission is touched: there the course is checked, and what
nbgrader would follow or copy blindly is put out of its way.
"""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import parse_utc, rmtree
from traitlets import Unicode

from autograder import ROOT
from autograder.grade import GradeNotebook
from autograder.restore import notes_about, withdraw
from autograder.submission import NotANotebook, Refused, read, refused_files, unsafe

#: No student's name: it comes after all of them in nbgrader's order, and is left out of the run.
LAST = "\U0010ffff"


class _Verdict:
    """The end of a run: nbgrader looks for notebooks in it, and learns what was not graded."""

    def __init__(self, ungraded: list[str], log: Any) -> None:
        self._ungraded, self._log = ungraded, log

    def __iter__(self) -> Iterator[str]:
        """No notebooks.

        Raises:
            NbGraderException: something could not be graded; nbgrader ends with status 1.
        """
        for line in self._ungraded:
            self._log.error("Could not be graded: %s", line)
        if self._ungraded:
            raise NbGraderException(f"{len(self._ungraded)} could not be graded (see above)")
        return iter(())


class SubmissionExporter(NotebookExporter):
    """Reads submissions for `nbgrader autograde`; refuses the run where the course is not fit.

    Raises:
        CourseError, SuiteError: on construction, when the assignment cannot be graded at all.
    """

    course_data = Unicode(
        str(ROOT / "course_data"), help="The folder of the data that notebooks read."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._refused: dict[str, list[Refused]] = {}
        self._ungraded: list[str] = []
        if self.parent is None or not hasattr(self.parent, "coursedir"):
            return
        self._converter: Any = self.parent
        self._directory = self._converter.coursedir
        assignment = self._directory.assignment_id
        try:
            GradeNotebook(parent=self).prepare()
            from autograder import course  # it needs torch: see GradeNotebook

            course.check(assignment, self._directory.db_url, Path(self.course_data))
        except Exception as error:
            for line in str(error).splitlines():
                self.log.error(line)
            raise
        for folder in map(Path, list(self._converter.assignments)):
            if not self._excluded(self._student(folder)):
                self._prepare(folder)
        self._report_missing(assignment)
        self._end_run_by(_Verdict(self._ungraded, self.log))

    # ------------------------------------------------------------------ before anything is graded

    def _prepare(self, folder: Path) -> None:
        student = self._student(folder)
        if folder.is_symlink():
            self.log.error("%s is a symbolic link and is not followed", folder)
            self._directory.ignore = [*self._directory.ignore, glob.escape(str(folder))]
            self._converter.assignments[str(folder)] = []  # nbgrader lists it as failed
            return
        self._set_aside_timestamp(folder / "timestamp.txt")
        refused = refused_files(folder, self._directory.assignment_id)
        self._refused[str(folder)] = refused
        # nbgrader copies what lies beside a notebook, following links; an ignored path it leaves.
        ignored = [glob.escape(str(item.path)) for item in refused]
        self._directory.ignore = [*self._directory.ignore, *ignored]
        done = self._graded_folder(student)
        if done.is_dir() and not self._finished(done):
            self.log.warning("Grading of %s had been cut off; it is graded again", student)
            rmtree(str(done))

    def _end_run_by(self, verdict: "_Verdict") -> None:
        """Put an entry behind those of all students, whose turn is the end of the run."""
        folder = self._directory.format_path(
            self._directory.submitted_directory, LAST, self._directory.assignment_id
        )
        self._converter.assignments[folder] = verdict
        if not self._excluded(LAST):
            excluded = [self._directory.student_id_exclude, LAST]
            self._directory.student_id_exclude = ",".join(filter(None, excluded))

    def _set_aside_timestamp(self, path: Path) -> None:
        """Move a time stamp away that nbgrader would follow, hang on or fail at."""
        if not os.path.lexists(path):
            return
        why = unsafe(path, 1024)
        if not why:
            try:
                parse_utc(path.read_text(encoding="utf-8").strip() or "2000-01-01")
                return
            except (ValueError, OverflowError, UnicodeDecodeError):
                why = "no time stamp that nbgrader can read"
        aside = path.with_name("timestamp.txt.refused")
        self.log.warning("%s is %s: moved to %s", path, why, aside.name)
        path.rename(aside)

    def _finished(self, folder: Path) -> bool:
        """Whether every notebook of a graded folder has the results that are written last."""
        notebooks = list(folder.glob("*.ipynb"))
        return bool(notebooks) and all(_has_results(path) for path in notebooks)

    def _report_missing(self, assignment: str) -> None:
        """List who handed in no notebook of the right name; their old scores go."""
        pattern = self._directory.format_path(
            self._directory.submitted_directory, self._directory.student_id, assignment
        )
        for name in sorted(glob.glob(pattern)):
            folder = Path(name)
            if (folder / f"{assignment}.ipynb").exists() or self._directory.notebook_id != "*":
                continue
            student = self._student(folder)
            if self._excluded(student):
                continue
            found = ", ".join(sorted(path.name for path in folder.glob("*.ipynb"))) or "none"
            self.log.error(
                "%s handed in no notebook named %s.ipynb (found: %s). No score is made up: rename"
                " the file, or ask for it again.",
                *(student, assignment, found),
            )
            with Gradebook(self._directory.db_url) as gradebook:
                try:
                    withdraw(gradebook, assignment, student)
                except MissingEntry:
                    continue

    def _excluded(self, student: str) -> bool:
        """Whether this run leaves a student's work alone; another may be grading it right now."""
        return student in self._directory.student_id_exclude.split(",")

    def _student(self, folder: Path) -> str:
        pattern = self._directory.format_path(
            self._directory.submitted_directory,
            "(?P<student>.*)",
            "(?P<assignment>.*)",
            escape=True,
        )
        match = re.match(pattern, str(folder))
        return match["student"] if match else folder.parent.name

    def _graded_folder(self, student: str) -> Path:
        return Path(
            self._directory.format_path(
                self._directory.autograded_directory, student, self._directory.assignment_id
            )
        )

    # ------------------------------------------------------------------------------ one submission

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Read a notebook: strictly where a student made it, plainly where nbgrader did.

        A file that is no notebook becomes an empty one, with a note that says why: it is then
        graded like an assignment that nobody has started.
        """
        path = Path(filename)
        if resources is None or path.parent == self._graded_folder(
            resources["nbgrader"]["student"]
        ):
            text, resources = super().from_filename(filename, resources, **kwargs)
            for why in resources["nbgrader"].get("ungraded", ()):
                self._ungraded.append(f"{resources['nbgrader']['student']}: {why}")
            return text, resources
        notes = notes_about(self._refused.get(str(path.parent), []), path.parent)
        try:
            nb = read(path)
        except NotANotebook as error:
            self.log.error("%s is not a notebook: %s", path, error)
            notes.append(
                f"The file `{path.name}` could not be graded: {error}. What follows is the empty"
                " assignment. Hand in the notebook again, as Jupyter saves it."
            )
            nb = nbformat.v4.new_notebook()
        resources["nbgrader"]["notes"] = notes
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        return self.from_notebook_node(nb, resources, **kwargs)


def _has_results(path: Path) -> bool:
    try:
        nb = nbformat.read(path, as_version=4)
    except Exception:
        return False
    graded = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return all(
        any("autograder" in output.get("metadata", {}) for output in cell.get("outputs", ()))
        for cell in graded
        if not cell.metadata.nbgrader.get("solution")
    )
