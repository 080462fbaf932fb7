"""What nbgrader has written on a cell: the one reader of a cell's `nbgrader` metadata."""

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from autograder.language import Text
from autograder.text import printable

#: A locked cell whose `grade_id` begins so only draws: nothing depends on it.
PICTURE = "picture_"


def marks(cell: NotebookNode) -> Mapping[str, Any]:
    """All that nbgrader has written on a cell; nothing for a student's own one."""
    found: Mapping[str, Any] = cell.metadata.get("nbgrader", {})
    return found


def grade_id(cell: NotebookNode) -> str | None:
    """The name of a cell; None for a student's own one."""
    return marks(cell).get("grade_id")


def is_locked(cell: NotebookNode) -> bool:
    """Whether a cell is to stay as it was released."""
    return bool(marks(cell).get("locked"))


def only_draws(cell: NotebookNode) -> bool:
    """Whether a cell of a rebuilt notebook can be left out: it draws what the student has seen."""
    return is_locked(cell) and (grade_id(cell) or "").startswith(PICTURE)


def described(cell: NotebookNode) -> Text:
    """What to call a cell in a sentence: by its name, or by how the student's own one begins."""
    if name := grade_id(cell):
        return Text("the cell `{name}`", name=name)
    lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
    return Text("your cell that begins `{line}`", line=printable(lines[0][:60] if lines else ""))


def places(nb: NotebookNode) -> dict[str, int]:
    """The place of each cell that has a name."""
    return {name: place for place, cell in enumerate(nb.cells) if (name := grade_id(cell))}


def grade_cells(nb: NotebookNode) -> dict[str, int]:
    """The place of each cell of a notebook that a suite grades, by `grade_id`."""
    return {
        name: place
        for name, place in places(nb).items()
        if (told := marks(nb.cells[place])).get("grade") and not told.get("solution")
    }


def cell_of(nb: NotebookNode, name: str) -> NotebookNode:
    """The cell of that name.

    Raises:
        KeyError: there is none.
    """
    cell: NotebookNode = nb.cells[places(nb)[name]]
    return cell
