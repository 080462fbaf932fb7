"""Reads what is known of everybody's work: graded notebooks, gradebook, history of hand-ins."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode, v4
from nbgrader.coursedir import CourseDirectory

from autograder.errors import AutograderError
from autograder.grading import history, record
from autograder.grading.history import Grading
from autograder.grading.record import Record
from autograder.grading.results import TestResult
from autograder.pipeline import gradebook
from autograder.pipeline.gradebook import Score
from autograder.submission.cells import marks, places

#: What a program prints or raises where the sandbox let it go no further.
_REFUSED = re.compile(
    "Operation not permitted|Permission denied|Read-only file system|Network is unreachable"
    "|name resolution|Name or service not known|Connection refused"
)
_MOST_REFUSALS, _MOST_LETTERS = 5, 200


class CannotReport(AutograderError):
    """There is nothing to report on; the text says what to do."""


@dataclass(frozen=True)
class Work:
    """What is known of one student's work on an assignment.

    Attributes:
        student: the id.
        name: of the person; empty where the gradebook has none.
        standing: in the gradebook; None where nothing was handed in.
        others: the standings in the other assignments, by name.
        record: of the graded notebook; an empty one where there is none.
        history: the gradings of this assignment, the first one first.
        earlier: the misconceptions that cost points in other assignments, by assignment.
        solutions: the code of each task, by the name of its cell.
        refused: what its cells printed or raised where the sandbox had stopped them.
        page: the feedback page, where there is one.
    """

    student: str
    name: str = ""
    standing: Score | None = None
    others: Mapping[str, Score] = field(default_factory=dict)
    record: Record = field(default_factory=Record)
    history: Sequence[Grading] = ()
    earlier: Mapping[str, frozenset[str]] = field(default_factory=dict)
    solutions: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    page: Path | None = None

    @property
    def failed(self) -> list[tuple[str, TestResult]]:
        """The tests that cost points, each with the name of its grade cell."""
        return [
            (cell.grade_id, test)
            for cell in self.record.cells
            if not cell.ungraded
            for test in cell.tests
            if test.earned < test.points
        ]

    @property
    def misconceptions(self) -> frozenset[str]:
        """The known mistakes that cost points."""
        return frozenset(test.misconception for _, test in self.failed if test.misconception)

    @property
    def hand_ins(self) -> list[Grading]:
        """The last grading of each hand-in that is known of, the first one first."""
        return history.hand_ins(self.history)


def works(directory: CourseDirectory, assignment: str) -> list[Work]:
    """Everybody's work on an assignment, in the order of their ids.

    Raises:
        CannotReport: nothing of it has been graded.
    """
    root = Path(directory.root)
    standings = gradebook.standings(directory.db_url)
    mine = standings.pop(assignment, {})
    if not mine:
        raise CannotReport(
            f"The gradebook of {root} has no grades of an assignment '{assignment}'. Run this in"
            f" the course's folder, after: nbgrader autograde {assignment}"
        )
    found = []
    for student, name in sorted(gradebook.names(directory.db_url).items()):
        graded = _path(directory, directory.autograded_directory, student, assignment, "ipynb")
        page = _path(directory, directory.feedback_directory, student, assignment, "html")
        nb = read(graded)
        others = {
            other: all_of_it[student]
            for other, all_of_it in standings.items()
            if student in all_of_it
        }
        found.append(
            Work(
                student=student,
                name=name,
                standing=mine.get(student),
                others=others,
                record=record.read(nb),
                history=history.read(history.path_of(root, student, assignment)),
                earlier={
                    other: gradings[-1].misconceptions
                    for other in others
                    if (gradings := history.read(history.path_of(root, student, other)))
                },
                solutions=solutions(nb),
                refused=refused(nb),
                page=page if page.is_file() else None,
            )
        )
    return found


def read(path: Path) -> NotebookNode:
    """A notebook that nbgrader wrote, as it is: nbformat's reader, which checks it, is slow.

    One that is not there, or was cut off, is an empty one.
    """
    notebook: NotebookNode
    try:
        notebook = v4.reads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        notebook = v4.new_notebook()
    return notebook


def solutions(nb: NotebookNode) -> dict[str, str]:
    """The code of each solution cell of a graded notebook, by its name."""
    return {
        name: nb.cells[place].source
        for name, place in places(nb).items()
        if marks(nb.cells[place]).get("solution") and nb.cells[place].cell_type == "code"
    }


def refused(nb: NotebookNode) -> tuple[str, ...]:
    """The lines of a graded notebook's outputs that say that something is not allowed there."""
    lines = []
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text") or f"{output.get('ename', '')}: {output.get('evalue', '')}"
            # Line by line: a pattern for whole lines takes hours for one long one.
            said = (line.strip()[:_MOST_LETTERS] for line in text.splitlines())
            lines += [line for line in said if _REFUSED.search(line)]
    return tuple(dict.fromkeys(lines))[:_MOST_REFUSALS]


def _path(
    directory: CourseDirectory, step: str, student: str, assignment: str, ending: str
) -> Path:
    return Path(directory.format_path(step, student, assignment), f"{assignment}.{ending}")
