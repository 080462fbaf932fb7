"""The exporter of `nbgrader generate_assignment`: refuses what could not be graded later.

It also writes the due date, where the gradebook knows one, into the head of what is handed out.
"""

import os
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode, default

from autograder.language import Text
from autograder.pipeline import gradebook
from autograder.pipeline.dialog import keep_short

#: The id of the cell with the due date.
DUE_ID = "due-date"


class ReleaseExporter(NotebookExporter):
    """Writes what is handed out.

    Raises:
        NbGraderException: on construction, where the assignment is not one notebook of its name.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.parent is None or not hasattr(self.parent, "coursedir"):
            return
        keep_short(self.parent)
        directory = self.parent.coursedir
        assignment = directory.assignment_id
        source = Path(directory.format_path(directory.source_directory, ".", assignment))
        if why := why_not_one(source, assignment, Path(directory.root)):
            self.log.error(why)
            raise NbGraderException(why)
        self.register_preprocessor(DueDate, enabled=True)


def why_not_one(source: Path, assignment: str, root: Path) -> str:
    """Why a folder of sources cannot be released, in one sentence; empty where it can be.

    Args:
        source: the folder.
        assignment: its name.
        root: the course's folder, which paths are told relative to.
    """
    found = sorted(path.name for path in source.glob("*.ipynb"))
    if found == [f"{assignment}.ipynb"]:
        return ""
    return (
        f"An assignment is one notebook of its own name, {assignment}.ipynb, but"
        f" {os.path.relpath(source, root)} holds"
        f" {', '.join(found) or 'none'}: rename it, or give every other notebook a folder of its"
        " own name beside this one."
    )


class DueDate(NbGraderPreprocessor):
    """Writes below the title until when an assignment can be handed in.

    The cell has no marks of nbgrader's: it may change after work has been handed in.
    """

    timezone = Unicode(
        help="The time zone that due dates are told in, like Europe/Zurich; nbgrader's own, if it"
        " is not set (`NbGraderAPI.timezone`)."
    ).tag(config=True)

    @default("timezone")
    def _as_on_nbgraders_pages(self) -> str:
        return str(self.config.get("NbGraderAPI", {}).get("timezone", "UTC"))

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Add the cell, where the gradebook knows a date."""
        told = resources["nbgrader"]
        due = gradebook.due_date(told["db_url"], told["assignment"])
        if due is not None:
            here = due.replace(tzinfo=UTC).astimezone(ZoneInfo(self.timezone))
            text = Text(
                "**Due:** {day}, {time} ({zone})",
                day=f"{here:%A}, {here.day} {here:%B %Y}",
                time=f"{here:%H:%M}",
                zone=self.timezone,
            )
            cell = new_markdown_cell(str(text))
            cell["id"] = DUE_ID
            title = bool(nb.cells) and nb.cells[0].cell_type == "markdown"
            nb.cells.insert(int(title), cell)
        return nb, resources
