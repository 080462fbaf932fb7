"""Makes a submission's notebook whole again: rebuilds it from the release, and notes what for.

Every locked and grade cell is as it was released, missing cells are back, all metadata is the
release's, and so is the order. The student keeps the source of the solution cells and their own
cells. What had to be mended is noted for the feedback.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from autograder.language import Text
from autograder.submission.cells import PICTURE, grade_id, is_locked, marks
from autograder.submission.read import new_cell
from autograder.submission.recognise import asked_for, binds, plain, recognise

#: What nbgrader knows of, but does not hand out: how a person is to grade a task, say.
_HIDDEN = re.compile(
    r"^[^\n]*BEGIN (MARK SCHEME|HIDDEN TESTS).*?END \1[^\n]*\n?", re.DOTALL | re.MULTILINE
)

#: Of the metadata that nbgrader writes on cells.
SCHEMA_VERSION = 3

LOST = (
    "Cells had lost the marks that nbgrader knows them by, as they do when they are copied into a"
    " new notebook. They were found again by what is in them: {cells}. That cost you nothing. Next"
    " time, work in the notebook that you were given."
)
EXCHANGED = (
    "The marks of the cells {cells} had been exchanged; each was graded as what it holds. That cost"
    " you nothing."
)
MERGED = (
    "The locked cell `{cell}` had become one with code of yours. It was put back as released, and"
    " your code ran after it. That cost you nothing."
)
UNTOUCHED = (
    "The cell `{cell}` is as it was released, and another one of yours does what it asks for: that"
    " one was graded. It cost you nothing."
)
ELSEWHERE = (
    "The cell `{cell}` was missing, and another one does what it asks for: that one was graded. It"
    " cost you nothing."
)
DELETED = "The cell `{cell}` was missing, and nothing else does what it asks for."
COPIED = "The cell `{cell}` was there more than once; its last copy was graded."
MOVED = "Cells of the assignment had been moved; they ran in the release's order."
CHANGED = "The locked cell `{cell}` had been changed; it was put back."
MISSING = "The cell {cells} was missing; it was put back as released."
ALL_MISSING = "The cells {cells} were missing; they were put back as released."
ANSWERS_ALONE = (
    "None of the cells that were handed out are in this notebook, but what they ask for is. They"
    " were put back beside your own, and that cost you nothing. Next time, work in the notebook"
    " that you were given."
)
NOTHING_KNOWN = (
    "Nothing in this notebook is of this assignment: it is empty, or another one. Hand in the"
    " notebook that you worked in."
)


@dataclass(frozen=True)
class ReleasedCell:
    """A cell of the release that nbgrader knows; `points` is None where it is not graded."""

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

    @property
    def by_hand(self) -> bool:
        """Whether a person gives its points: an answer that is graded itself, or a task."""
        return self.points is not None and (self.solution or self.task)


@dataclass(frozen=True)
class Release:
    """What was handed out: the cells that nbgrader knows, in their order.

    Attributes:
        cells: all others are the students' own.
        kernelspec: the notebook's, empty where it has none.
    """

    cells: tuple[ReleasedCell, ...]
    kernelspec: Mapping[str, Any]

    @classmethod
    def of_notebook(cls, nb: NotebookNode) -> "Release":
        """The release as the released notebook itself has it."""
        cells = [
            ReleasedCell(
                grade_id=told["grade_id"],
                cell_type=cell.cell_type,
                source=cell.source,
                locked=told["locked"],
                solution=told["solution"],
                task=told.get("task", False),
                points=told.get("points"),
                checksum=told.get("checksum"),
            )
            for cell in nb.cells
            if (told := marks(cell))
        ]
        return cls(tuple(cells), dict(nb.metadata.get("kernelspec", {})))

    @property
    def points(self) -> dict[str, float]:
        """The points of each cell that a suite grades, by `grade_id`."""
        return {
            cell.grade_id: cell.points
            for cell in self.cells
            if cell.points is not None and not cell.by_hand
        }

    @property
    def by_hand(self) -> dict[str, float]:
        """The points of each cell that a person grades, by `grade_id`."""
        return {
            cell.grade_id: cell.points
            for cell in self.cells
            if cell.points is not None and cell.by_hand
        }


def restored(cells: list[NotebookNode], release: Release) -> tuple[NotebookNode, list[Text]]:
    """The notebook that a submission's cells make with the release, and what had to be mended."""
    cells, notes = rebuild(cells, release.cells)
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    nb = new_notebook(cells=cells)
    if release.kernelspec:
        nb.metadata["kernelspec"] = NotebookNode(release.kernelspec)
    return nb, notes


def rebuild(
    cells: list[NotebookNode], release: Sequence[ReleasedCell]
) -> tuple[list[NotebookNode], list[Text]]:
    """Rebuild a submission's cells from the release; return them and what had to be mended.

    A student's own cell keeps its place: before the next recorded cell that follows it. Where a
    recorded cell was copied, the last copy counts and the earlier ones are the student's own.
    Nothing that was released overwrites an answer: a solution cell that is gone or untouched comes
    back empty where its names are bound in another cell, and is graded after that one.
    """
    places, lost, exchanged = recognise(cells, release)
    notes = [Text(LOST, cells=_named(lost))] * bool(lost)
    notes += [Text(EXCHANGED, cells=_named(exchanged))] * bool(exchanged)
    known = {cell.grade_id: cell for cell in release}
    stubs = {plain(cell.source) for cell in release if cell.solution and cell.source.strip()}
    own: dict[str | None, list[NotebookNode]] = {}
    submitted: dict[str, NotebookNode] = {}
    waiting: list[NotebookNode] = []
    merged: set[str] = set()
    for place, cell in enumerate(cells):
        name = places.get(place)
        if name is not None:
            submitted[name] = cell
            own[name] = waiting
            waiting = []
            if extra := _beside(known[name], cell):
                waiting.append(new_cell("code", extra))
                merged.add(name)
                notes.append(Text(MERGED, cell=name))
            continue
        mark = grade_id(cell)
        if mark in known:
            notes.append(Text(COPIED, cell=mark))
            if known[mark].locked:
                continue
        elif plain(cell.source) in stubs:
            continue  # a copy that lost its mark: the cell itself is there, or its answer is
        cell.metadata.pop("nbgrader", None)
        waiting.append(cell)
    own[None] = waiting

    order = [cell.grade_id for cell in release if cell.grade_id in submitted]
    if order != list(submitted):
        notes.append(Text(MOVED))
    bound = [binds(cell.source) for each in own.values() for cell in each if _is_code(cell)]
    bound += [
        binds(cell.source)
        for name, cell in submitted.items()
        if known[name].keeps_source
        and known[name].cell_type == "code"
        and not _is_untouched(known[name], cell)
    ]
    elsewhere = set[str]().union(*bound)
    missing: list[str] = []
    rebuilt: list[NotebookNode] = []
    for released in release:
        name = released.grade_id
        rebuilt += own.get(name, [])
        handed_in = submitted.get(name)
        source = released.source
        if released.keeps_source and handed_in is not None:
            source = handed_in.source
            code = released.cell_type == "code"
            if code and _is_untouched(released, handed_in) and binds(source) & elsewhere:
                source = ""
                notes.append(Text(UNTOUCHED, cell=name))
        elif released.solution and handed_in is None:
            source = ""
            there = asked_for(released) <= elsewhere
            notes.append(Text(ELSEWHERE if there else DELETED, cell=name))
        elif handed_in is None:
            missing.append(name)
        elif not _is_as_released(released, handed_in) and name not in merged.union(lost):
            notes.append(Text(CHANGED, cell=name))
        rebuilt.append(_restored(released, source, handed_in))
    tasks = any(_is_of_a_task(known[name]) for name in submitted)
    some = not tasks and any(asked_for(cell) <= elsewhere for cell in release if cell.solution)
    if not places and some:
        notes = [Text(ANSWERS_ALONE)]
    elif not tasks and not some:
        notes = [Text(NOTHING_KNOWN)]  # what is given may be in other notebooks, too
    elif missing:
        notes.append(_missing(missing))
    ordered = _after_their_answers(rebuilt + own[None], release)
    binds.cache_clear()  # it may hold on to all that was handed in
    return ordered, list(dict.fromkeys(notes))


def _is_of_a_task(cell: ReleasedCell) -> bool:
    return cell.solution or cell.points is not None


def _missing(names: list[str]) -> Text:
    return Text(MISSING if len(names) == 1 else ALL_MISSING, cells=_named(names))


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _is_code(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "code")


def _is_untouched(released: ReleasedCell, cell: NotebookNode) -> bool:
    return released.solution and plain(cell.source) == plain(released.source)


def _is_as_released(released: ReleasedCell, cell: NotebookNode) -> bool:
    if released.grade_id.startswith(PICTURE):
        return True  # whoever plays with a picture has changed nothing that counts
    shown = _HIDDEN.sub("", released.source)
    texts = (plain(released.source), plain(shown))
    return plain(cell.source) in texts and cell.cell_type == released.cell_type


def _beside(released: ReleasedCell, cell: NotebookNode) -> str:
    """What a student's code a locked cell holds beside its own: two cells that became one."""
    text = released.source.strip()
    if not released.locked or not text or released.cell_type != "code":
        return ""
    before, found, after = cell.source.partition(text)
    extra = f"{before}\n{after}".strip()
    return extra if found and binds(extra) else ""


def _after_their_answers(
    cells: list[NotebookNode], release: Sequence[ReleasedCell]
) -> list[NotebookNode]:
    """Grade each task after the cell that answers it, where that is not its own but a later one."""
    last: dict[str, int] = {}
    for place, cell in enumerate(cells):
        if _is_code(cell) and not is_locked(cell):
            last |= dict.fromkeys(binds(cell.source), place)
    where = {name: place for place, cell in enumerate(cells) if (name := grade_id(cell))}
    behind: dict[int, list[int]] = {}
    task: ReleasedCell | None = None
    for released in release:
        if released.by_hand:
            continue
        if released.solution:
            task = released
        elif task is not None and released.points is not None:
            own, place = where[task.grade_id], where[released.grade_id]
            wanted = asked_for(task)
            if wanted & binds(cells[own].source) or not wanted <= last.keys():
                continue
            answer = max(last[name] for name in wanted)
            if answer > place:
                behind.setdefault(answer, []).append(place)
    moved = {place for found in behind.values() for place in found}
    ordered: list[NotebookNode] = []
    for place, cell in enumerate(cells):
        if place not in moved:
            ordered.append(cell)
        ordered += [cells[each] for each in behind.get(place, ())]
    return ordered


def _restored(cell: ReleasedCell, source: str, handed_in: NotebookNode | None) -> NotebookNode:
    made = new_cell(cell.cell_type, source)
    own = handed_in if cell.keeps_source and cell.cell_type == "markdown" else None
    if own is not None and "attachments" in own:  # the photograph of a derivation, say
        made["attachments"] = own.attachments
    nbgrader = {
        "grade": cell.points is not None and not cell.task,
        "grade_id": cell.grade_id,
        "locked": cell.locked,
        "schema_version": SCHEMA_VERSION,
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
