"""First of nbgrader's sanitisers: makes the submitted notebook whole again.

Every locked and grade cell is as it was released, missing cells are back, all metadata is the
gradebook's, and the order is the release's. The student keeps the source of the solution cells
and their own cells. What had to be mended is noted for the feedback.
"""

import json
from dataclasses import dataclass

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook, Notebook
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.submission import new_cell

#: A locked cell whose `grade_id` begins so only draws: nothing depends on it.
PICTURE = "picture_"


@dataclass(frozen=True)
class ReleasedCell:
    """A cell of the release, as the gradebook recorded it; `points` is None where not graded."""

    grade_id: str
    cell_type: str
    source: str
    locked: bool
    solution: bool
    task: bool
    points: float | None
    checksum: str | None

    @property
    def keeps_source(self) -> bool:
        """Whether what the student wrote there counts."""
        return not self.locked


def released_cells(notebook: Notebook) -> list[ReleasedCell]:
    """The recorded cells of a released notebook, in its order."""
    graded = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
    solutions = {cell.name for cell in notebook.solution_cells}
    tasks = {cell.name for cell in notebook.task_cells}
    return [
        ReleasedCell(
            grade_id=cell.name,
            cell_type=cell.cell_type,
            source=cell.source,
            locked=cell.locked,
            solution=cell.name in solutions,
            task=cell.name in tasks,
            points=graded.get(cell.name),
            checksum=cell.checksum,
        )
        for cell in notebook.source_cells
    ]


def rebuild(
    cells: list[NotebookNode], release: list[ReleasedCell]
) -> tuple[list[NotebookNode], list[str]]:
    """Rebuild a submission's cells from the release; return them and what had to be mended.

    A student's own cell keeps its place: before the next recorded cell that follows it. Where a
    recorded cell was copied, the last copy counts and the earlier ones are the student's own.
    """
    known = {cell.grade_id: cell for cell in release}
    last = {_id(cell): place for place, cell in enumerate(cells) if _id(cell) in known}
    notes: list[str] = []
    own: dict[str | None, list[NotebookNode]] = {}
    submitted: dict[str, NotebookNode] = {}
    waiting: list[NotebookNode] = []
    for place, cell in enumerate(cells):
        name = _id(cell)
        if name is not None and last.get(name) == place:
            submitted[name] = cell
            own[name] = waiting
            waiting = []
            continue
        if name in known:
            notes.append(f"The cell `{name}` was there more than once; its last copy was graded.")
            if known[name].locked:
                continue
        cell.metadata.pop("nbgrader", None)
        waiting.append(cell)
    own[None] = waiting

    order = [cell.grade_id for cell in release if cell.grade_id in submitted]
    if order != list(submitted):
        notes.append("Cells of the assignment had been moved; they ran in the release's order.")
    rebuilt: list[NotebookNode] = []
    for released in release:
        rebuilt += own.get(released.grade_id, [])
        rebuilt.append(_restored(released, submitted.get(released.grade_id), notes))
    return rebuilt + own[None], list(dict.fromkeys(notes))


def _id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _restored(cell: ReleasedCell, submitted: NotebookNode | None, notes: list[str]) -> NotebookNode:
    source = cell.source
    if submitted is None:
        notes.append(f"The cell `{cell.grade_id}` was missing; it was put back as released.")
    elif cell.keeps_source:
        source = submitted.source
    elif cell.grade_id.startswith(PICTURE):
        pass  # whoever plays with a picture has changed nothing that counts
    elif submitted.source.strip() != source.strip() or submitted.cell_type != cell.cell_type:
        notes.append(f"The locked cell `{cell.grade_id}` had been changed; it was put back.")
    made = new_cell(cell.cell_type, source)
    nbgrader = {
        "grade": cell.points is not None and not cell.task,
        "grade_id": cell.grade_id,
        "locked": cell.locked,
        "schema_version": MetadataValidator.schema_version,
        "solution": cell.solution,
        "task": cell.task,
        "cell_type": cell.cell_type,
    }
    if cell.points is not None:
        nbgrader["points"] = cell.points
    if cell.checksum is not None:
        nbgrader["checksum"] = cell.checksum
    made.metadata["nbgrader"] = nbgrader
    return made


def only_draws(cell: NotebookNode) -> bool:
    """Whether a cell of a rebuilt notebook can be left out: it draws what the student has seen."""
    nbgrader = cell.metadata.get("nbgrader", {})
    return nbgrader.get("locked", False) and nbgrader["grade_id"].startswith(PICTURE)


def withdraw(gradebook: Gradebook, assignment: str, student: str) -> None:
    """Take back the scores of an earlier grading: an old score never stands for new work."""
    for notebook in gradebook.find_submission(assignment, student).notebooks:
        notebook.late_submission_penalty = None
        for grade in notebook.grades:
            grade.auto_score = None
            grade.needs_manual_grade = True
    gradebook.db.commit()


class RestoreNotebook(NbGraderPreprocessor):
    """Rebuilds a submission from the gradebook's record of the release."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Make `nb` whole; what was mended goes to its metadata, with what the reading noted."""
        told = resources["nbgrader"]
        with Gradebook(told["db_url"]) as gradebook:
            withdraw(gradebook, told["assignment"], told["student"])
            notebook = gradebook.find_notebook(told["notebook"], told["assignment"])
            release = released_cells(notebook)
            kernelspec = json.loads(notebook.kernelspec or "null")
        ungraded: str = told.get("ungraded", "")
        nb.cells, notes = rebuild(nb.cells, release)
        if ungraded:
            notes = []  # nothing was read: that all cells are missing is no news
        for place, cell in enumerate(nb.cells):
            cell["id"] = f"cell-{place}"
        notes = [*told.get("notes", ()), *notes]
        for note in notes:
            self.log.warning("%s: %s", told["student"], note)
        nb.metadata = NotebookNode({"autograder": {"notes": notes, "ungraded": ungraded}})
        if kernelspec:
            nb.metadata["kernelspec"] = NotebookNode(kernelspec)
        return nb, resources
