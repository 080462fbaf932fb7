"""nbgrader's exchange in a folder of its own, with students who hand in and fetch feedback."""

import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeFetchFeedback, ExchangeSubmit
from traitlets.config import Config

from autograder.commands.workspace import Workspace

COURSE = "pytorch-autograd"


class Exchange:
    """The exchange of a course folder; each student has a home of his own.

    It uses nbgrader's classes in this process: a command of nbgrader's takes a second to start.
    """

    def __init__(self, folder: Path, course: Workspace, *assignments: str) -> None:
        self.folder, self.course = folder, course
        self.root = folder / "exchange"
        self.root.mkdir()
        self.root.chmod(0o777)
        with (course.folder / "nbgrader_config.py").open("a") as file:
            file.write(f"\nc.Exchange.root = {str(self.root)!r}\n")
        for assignment in assignments:
            course.nbgrader("release_assignment", assignment)

    def home(self, student: str) -> Path:
        """Where a student works."""
        return self.folder / "homes" / student

    def submit(self, student: str, assignment: str, nb: nbformat.NotebookNode) -> None:
        """Hand in a notebook, as `nbgrader submit` does."""
        path = self.home(student) / assignment / f"{assignment}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, path)
        self._do(ExchangeSubmit, student, assignment)

    def feedback(self, student: str, assignment: str) -> list[str]:
        """The pages that `nbgrader fetch_feedback` brings, those of the first hand-in first."""
        fetched = self.home(student) / assignment / "feedback"
        shutil.rmtree(fetched, ignore_errors=True)
        self._do(ExchangeFetchFeedback, student, assignment)
        return [path.read_text() for path in sorted(fetched.glob(f"*/{assignment}.html"))]

    def _do(self, step: Any, student: str, assignment: str) -> None:
        config = Config()
        config.CourseDirectory.course_id = COURSE
        config.CourseDirectory.student_id = student
        config.CourseDirectory.assignment_id = assignment
        config.Exchange.root = str(self.root)
        config.Exchange.cache = str(self.home(student) / "cache")
        config.Exchange.assignment_dir = str(self.home(student))
        directory = CourseDirectory(config=config)
        step(coursedir=directory, authenticator=Authenticator(config=config), config=config).start()
