"""The exporter of `nbgrader generate_feedback`: a page a submission, made within a budget.

The gradebook is asked in nbgrader's process; the page is made in the worker, since it holds what a
student wrote: there is always some text that a highlighter or a parser of markdown takes hours for.
"""

import glob
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import Exporter
from nbformat import NotebookNode
from traitlets import Integer
from traitlets.config import Config

from autograder.grading.report import SUMMARY_ID
from autograder.grading.worker import BudgetSpent, worker
from autograder.pipeline.dialog import keep_short
from autograder.submission.cells import grade_cells
from autograder.submission.intake import students

_TOO_MUCH = "This page shows results alone: with code and outputs it would take too long to make."


class FeedbackExporter(HTMLExporter):
    """Makes a feedback page as `HTMLExporter` does; past the budget, one of results alone."""

    seconds = Integer(60, help="The longest that making one page may take, in seconds.").tag(
        config=True
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.parent is not None and hasattr(self.parent, "coursedir"):
            keep_short(self.parent)
            self._find_all(self.parent)

    def _find_all(self, converter: Any) -> None:
        """Add what nbgrader does not find: names that are patterns, or begin with a dot."""
        directory = converter.coursedir
        graded = Path(directory.root, directory.autograded_directory)
        for student in students(graded, directory.assignment_id, directory.student_id):
            folder = graded / student / directory.assignment_id
            notebook = folder / f"{directory.assignment_id}.ipynb"
            if str(folder) not in converter.assignments and notebook.is_file():
                converter.assignments[str(folder)] = [str(notebook)]
                # It is not to be copied to the student, and nbgrader's own way fails here, too.
                directory.ignore = [*directory.ignore, glob.escape(str(notebook))]

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Make the page of a graded notebook."""
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kwargs)
        # Functions for templates cannot travel; they are made anew.
        plain = {name: value for name, value in resources.items() if not callable(value)}
        try:
            return self._rendered(nb, plain), resources
        except BudgetSpent as error:
            who = plain.get("nbgrader", {}).get("student")
            self.log.warning("The feedback page of %s has results alone: %s", who, error)
        return self._rendered(_results_alone(nb), plain), resources

    def _rendered(self, nb: NotebookNode, resources: dict[str, Any]) -> str:
        call: Callable[..., str] = worker.call
        return call(render, nb, resources, self.config, log=self.log, seconds=self.seconds)


def render(nb: NotebookNode, resources: dict[str, Any], config: Config) -> str:
    """The page of a notebook that needs no more steps; runs in the worker."""
    page: str = HTMLExporter(config=config).from_notebook_node(nb, resources)[0]
    return page


def _results_alone(nb: NotebookNode) -> NotebookNode:
    """The notebook without all that a student wrote or printed."""
    graded = grade_cells(nb).values()
    nb.cells = [
        cell
        for place, cell in enumerate(nb.cells)
        if place in graded or cell.get("id") == SUMMARY_ID
    ]
    if nb.cells and nb.cells[0].cell_type == "markdown":
        nb.cells[0].source = f"{_TOO_MUCH}\n\n{nb.cells[0].source}"
    return nb
