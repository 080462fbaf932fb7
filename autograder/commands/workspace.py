"""A course folder of its own: releases, submissions and grades, by nbgrader's own commands.

For everything that grades beside the instructor's gradebook: validation, audit, benchmark, tests.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from autograder import ROOT
from autograder.grading import record, seeds
from autograder.grading.grader import Submission
from autograder.submission.cells import grade_cells
from autograder.submission.rebuild import Release

_NBGRADER = Path(sys.executable).with_name("nbgrader")


@dataclass(frozen=True)
class Workspace:
    """A folder that is a course to nbgrader: this course's config and sources, its own grades.

    Its secret is its own as well; the data is this course's, by a link.
    """

    folder: Path

    @classmethod
    def make(cls, folder: Path, assignments: list[str]) -> "Workspace":
        """Set up `folder` with the sources of `assignments`, and release them."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "nbgrader_config.py", folder)
        if not (folder / "course_data").exists():
            (folder / "course_data").symlink_to(ROOT / "course_data")
        seeds.secret(folder / "course_secret")  # copies of this folder then draw the same inputs
        workspace = cls(folder)
        for assignment in assignments:
            shutil.copytree(ROOT / "source" / assignment, folder / "source" / assignment)
            workspace.nbgrader("generate_assignment", assignment)
        return workspace

    def nbgrader(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an nbgrader command in the folder.

        Raises:
            RuntimeError: it failed and `check` is set; the text has the end of its log.
        """
        done = subprocess.run(
            [str(_NBGRADER), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"nbgrader {' '.join(words)} failed:\n{done.stderr[-4000:]}")
        return done

    def notebook(self, step: str, assignment: str, student: str = ".") -> Path:
        """The path of an assignment's notebook in one of nbgrader's folders."""
        name = f"{assignment}.ipynb"
        if step in ("source", "release"):
            return self.folder / step / assignment / name
        return self.folder / step / student / assignment / name

    def released(self, assignment: str) -> Release:
        """What was handed out of an assignment."""
        return Release.of_notebook(nbformat.read(self.notebook("release", assignment), 4))

    def submission(
        self, student: str, assignment: str, notebook: nbformat.NotebookNode
    ) -> Submission:
        """What `student` would hand in, as data: for grading without any folder."""
        made = Submission(
            assignment=assignment,
            notebook=nbformat.writes(notebook).encode(),
            release=self.released(assignment),
            seed="",
        )
        secret = seeds.secret(self.folder / "course_secret")
        return replace(made, seed=seeds.seed(secret, assignment, student, made.digest))

    def submit(self, student: str, assignment: str, notebook: nbformat.NotebookNode | Path) -> Path:
        """Hand in a notebook for `student`; return the path where it lies now."""
        path = self.notebook("submitted", assignment, student)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(notebook, Path):
            shutil.copy(notebook, path)
        else:
            nbformat.write(notebook, path)
        return path

    def gradebook(self) -> Gradebook:
        """The folder's gradebook, to be used as a context."""
        return Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}")

    def score(self, assignment: str, student: str) -> float | None:
        """A student's score, None where nothing has been graded."""
        with self.gradebook() as gradebook:
            try:
                submission = gradebook.find_submission(assignment, student)
            except MissingEntry:
                return None
            grades = [grade for book in submission.notebooks for grade in book.grades]
            if any(grade.auto_score is None for grade in grades):
                return None
            return float(submission.score)

    def tests(self, assignment: str, student: str) -> dict[str, dict[str, Any]]:
        """The public record of every test of a graded submission, by `<grade_id>.<test id>`."""
        found = {}
        nb = nbformat.read(self.notebook("autograded", assignment, student), as_version=4)
        for name, place in grade_cells(nb).items():
            for test in (record.public_of(nb.cells[place]) or {}).get("tests", ()):
                found[f"{name}.{test['id']}"] = dict(test)
        return found
