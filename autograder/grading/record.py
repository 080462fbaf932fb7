"""The one record of a graded notebook: what is written into its metadata, and how it is read again.

`metadata.autograder` of a grade cell's output is **public**: its keys stay, more may come.
`metadata.autograder` of the notebook is this module's own: nothing else looks into it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nbformat import NotebookNode

from autograder.grading.dependence import Dependence
from autograder.grading.grader import Graded
from autograder.grading.progress import Before
from autograder.grading.results import CellResult, TestResult
from autograder.grading.spent import Spent
from autograder.language import Sentence, Text, as_data, from_data

VERSION = 1

_KEY = "autograder"
_OF_TEST = ("id", "points", "earned", "misconception")


@dataclass(frozen=True)
class Record:
    """What is known of a submission beside its cells.

    Attributes:
        notes: what the student is to know beside the results.
        ungraded: why nothing of it could be graded, in one line; empty where something could.
        cells: the results, none before it has been graded.
        spent: what grading it took, by phase.
        depends_on: what the results follow from.
        before: what is known of the attempt before this one.
    """

    notes: tuple[Sentence, ...] = ()
    ungraded: Sentence = ""
    cells: tuple[CellResult, ...] = ()
    spent: Mapping[str, Spent] = field(default_factory=dict)
    depends_on: Dependence | None = None
    before: Before | None = None


def of(graded: Graded) -> Record:
    """The record of what grading came to."""
    return Record(
        notes=graded.notes,
        ungraded=graded.ungraded,
        cells=tuple(graded.results.values()),
        spent=graded.spent,
        depends_on=graded.depends_on,
        before=graded.before,
    )


def write(nb: NotebookNode, record: Record) -> None:
    """Write a record into a notebook, in the place of any other."""
    nb.metadata[_KEY] = {
        "version": VERSION,
        "notes": [as_data(note) for note in record.notes],
        "ungraded": as_data(record.ungraded),
        "cells": [
            {
                "grade_id": cell.grade_id,
                "seed": cell.seed,
                "ungraded": as_data(cell.ungraded),
                "tests": [{**vars(test), "message": as_data(test.message)} for test in cell.tests],
            }
            for cell in record.cells
        ],
        "seconds": {name: round(each.seconds, 4) for name, each in record.spent.items()},
        "peak_bytes": {name: each.peak_bytes for name, each in record.spent.items()},
        "depends_on": asdict(record.depends_on) if record.depends_on else None,
        "before": asdict(record.before) if record.before else None,
    }


def read(nb: NotebookNode) -> Record:
    """The record of a notebook; an empty one where there is none, or one of another version."""
    found = nb.metadata.get(_KEY, {})
    if found.get("version") != VERSION:
        return Record()
    peaks = found["peak_bytes"]
    return Record(
        notes=tuple(from_data(note) for note in found["notes"]),
        ungraded=from_data(found["ungraded"]),
        cells=tuple(
            CellResult(
                grade_id=cell["grade_id"],
                seed=cell["seed"],
                tests=tuple(_test(test) for test in cell["tests"]),
                ungraded=from_data(cell["ungraded"]),
            )
            for cell in found["cells"]
        ),
        spent={name: Spent(seconds, peaks[name]) for name, seconds in found["seconds"].items()},
        depends_on=Dependence(**found["depends_on"]) if found["depends_on"] else None,
        before=_before(found.get("before")),
    )


def _before(data: Mapping[str, Any] | None) -> Before | None:
    return Before(tuple(data["passed"]), tuple(data["failed"])) if data else None


def _test(data: Mapping[str, Any]) -> TestResult:
    steps = tuple((name, right) for name, right in data.get("steps", ()))
    return TestResult(**{**data, "message": Text(from_data(data["message"])), "steps": steps})


# --------------------------------------------------------------------------- a grade cell's output


def public(result: CellResult) -> dict[str, Any]:
    """The metadata of a grade cell's output, with the public record of its result."""
    record: dict[str, Any] = {
        "seed": result.seed,
        "tests": [{key: getattr(test, key) for key in _OF_TEST} for test in result.tests],
    }
    if result.ungraded:
        record |= {"graded": False, "ungraded": str(result.ungraded)}
    return {_KEY: record}


def public_of(cell: NotebookNode) -> dict[str, Any] | None:
    """The public record that a grade cell's outputs hold; None where they hold none."""
    for output in cell.get("outputs", ()):
        record: dict[str, Any] | None = output.get("metadata", {}).get(_KEY)
        if record is not None:
            return record
    return None


def is_graded(cell: NotebookNode) -> bool:
    """Whether a grade cell shows a result that stands: it has a score."""
    record = public_of(cell)
    return record is not None and record.get("graded", True)
