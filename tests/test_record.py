"""What a graded notebook holds of its results: the record, the public one, and the reports."""

import re

from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder.grading import record, report
from autograder.grading.dependence import Dependence
from autograder.grading.record import Record
from autograder.grading.results import CellResult, TestResult
from autograder.grading.spent import Phases, Spent

PASSED = TestResult("test_shape", 3, 3, "`f` keeps the shape.")
LOST = TestResult(
    *("test_value", 7, 0, "`f` is right."),
    "Your `f` is <b>twice</b> too large.",
    "doubled",
    "f(1)",
    (("w", True), ("x", False)),
)
RESULT = CellResult("test_f", "5" * 32, (PASSED, LOST))
UNGRADED = CellResult("test_g", "", (), "the suite broke")


def test_a_record_is_read_as_it_was_written() -> None:
    written = Record(
        notes=("One cell was missing.",),
        ungraded="",
        cells=(RESULT, UNGRADED),
        spent={"cells": Spent(0.25, 2**20), "suites": Spent(1.5, 2**21)},
        depends_on=Dependence("1", "2", "3", "4", "5", "6"),
    )
    nb = new_notebook()
    record.write(nb, written)
    assert record.read(nb) == written
    assert set(nb.metadata) == {"autograder"}
    assert nb.metadata["autograder"]["version"] == record.VERSION


def test_another_version_is_not_misread() -> None:
    nb = new_notebook(metadata={"autograder": {"version": record.VERSION + 1, "notes": "?"}})
    assert record.read(nb) == Record()
    assert record.read(new_notebook()) == Record()


def test_the_public_record_has_its_keys() -> None:
    test = {"id": "test_shape", "points": 3, "earned": 3, "misconception": None}
    lost = {"id": "test_value", "points": 7, "earned": 0, "misconception": "doubled"}
    assert record.public(RESULT) == {"autograder": {"seed": "5" * 32, "tests": [test, lost]}}
    assert record.public(UNGRADED)["autograder"] == {
        "seed": "",
        "tests": [],
        "graded": False,
        "ungraded": "the suite broke",
    }


def test_a_cell_that_could_not_be_graded_has_no_result_that_stands() -> None:
    def shown(result: CellResult) -> object:
        output = new_output("execute_result", data={}, metadata=record.public(result))
        return record.is_graded(new_code_cell("", outputs=[new_output("stream"), output]))

    assert shown(RESULT)
    assert not shown(UNGRADED)
    assert not record.is_graded(new_code_cell(""))


def test_a_report_says_what_was_checked_and_what_went_wrong() -> None:
    page = report.cell(RESULT)
    assert page.count("What was checked") == 1
    assert re.search(r"<code[^>]*>f</code> keeps the shape\.", page)
    assert "twice" in page
    assert "<b>twice</b>" not in page
    assert "f(1)" in page
    assert "It cost you nothing" in report.cell(UNGRADED)


def test_a_summary_is_one_block_with_notes_and_every_task() -> None:
    page = report.summary([RESULT, UNGRADED], ["Note of `mine` & yours."])
    assert "\n\n" not in page
    assert "3 / 10" in page
    assert "not graded" in page
    assert re.search(r"Note of <code[^>]*>mine</code> &amp; yours\.", page)
    assert "of the checks" not in page


def test_a_summary_says_which_checks_the_points_came_from() -> None:
    depends_on = Dependence("1", "2", "0123456789ab", "4", "5", "6")
    page = report.summary([RESULT], [], depends_on=depends_on)
    assert re.search(r"Graded by version <code[^>]*>01234567</code> of the checks\.", page)


def test_a_phase_within_another_interrupts_it() -> None:
    phases = Phases()
    with phases("suites"):
        with phases("cells"):
            pass
        with phases("cells"):
            kept = bytearray(64 * 2**20)
    assert list(phases.spent) == ["suites", "cells"]
    assert phases.spent["cells"].peak_bytes >= len(kept)
    assert phases.spent["suites"].seconds > 0
    before = phases.spent
    with phases("end"):
        assert phases.spent["suites"] == before["suites"]
