"""What a graded notebook holds of its results: the record, the public one, and the reports."""

import re
from dataclasses import replace
from typing import Any

from nbconvert.filters import markdown2html
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder.grading import record, report
from autograder.grading.dependence import Dependence
from autograder.grading.grader import Graded
from autograder.grading.record import Record
from autograder.grading.results import CellResult, TestResult
from autograder.grading.spent import Phases, Spent
from autograder.grading.standing import Sheet, Standing

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


def test_steps_are_a_table_that_marks_the_first_wrong_one() -> None:
    steps = (("wo", True), ("wq", False), ("x", False))
    page = report.cell(CellResult("test_f", "0", (replace(LOST, steps=steps),)))
    rows = re.findall(r"<th scope=\"row\"><code>(\w+)</code></th><td>(.*?)</td>", page)
    read = {name: re.sub(r"<[^>]*>", "", says).strip() for name, says in rows}
    assert read == {
        "wo": "✓ right",
        "wq": "✗ wrong, the first: look here",
        "x": "✗ wrong: may follow from wq",
    }


# ---------------------------------------------------------------------------- what a person decides


def told(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", "", page.partition("</style>")[2] or page).split())


def test_what_a_person_decided_stands_and_is_said() -> None:
    standing = Standing("test_f", 10, 8.5, by_person=True)
    assert "Sum of the checks 3 / 10 A person decided 8.5 / 10" in told(
        report.cell(RESULT, standing)
    )
    head = told(report.summary([RESULT], [], Sheet("a", (standing,))))
    assert "f 8.5 / 10 A person decided: 8.5 of 10. The checks alone came to 3. Your f is" in head


def test_full_marks_of_a_person_leave_no_complaint() -> None:
    sheet = Sheet("a", (Standing("test_f", 10, 10, by_person=True),))
    head = told(report.summary([RESULT], [], sheet))
    assert "A person decided: 10 of 10." in head
    assert "twice" not in head


def test_what_checks_could_not_grade_a_person_can() -> None:
    standing = Standing("test_g", 5, 4, by_person=True)
    for page in (
        report.cell(UNGRADED, standing),
        report.summary([UNGRADED], [], Sheet("a", (standing,))),
    ):
        assert "the suite broke. A person decided: 4 of 5." in told(page)
        assert "will look" not in page


def graded(*results: CellResult) -> NotebookNode:
    nb = new_notebook()
    for result in results:
        marks = {"grade_id": result.grade_id, "grade": True, "solution": False}
        nb.cells.append(new_code_cell(metadata={"nbgrader": marks}))
    report.write(nb, Graded(nb, {each.grade_id: each for each in results}))
    return nb


def test_a_page_begins_with_what_stands_in_the_end() -> None:
    def head(*cells: Standing, **more: Any) -> str:
        nb = graded(RESULT, UNGRADED)
        page = told(report.rewrite(nb, Sheet("a", cells, **more)))
        assert len(nb.cells) == 2
        return page

    mine, open_ = Standing("test_f", 10, 3), Standing("test_g", 5, None)
    so_far = "a 3 of 15 points so far 5 points are not graded yet. That costs you nothing"
    assert head(mine, open_).startswith(so_far)
    nothing = Standing("test_f", 10, None)
    assert head(nothing, open_).startswith("a Not graded yet. That costs you nothing")
    whole = head(mine, Standing("test_g", 5, 4, by_person=True, extra=1), penalty=2)
    assert whole.startswith(
        "a 6 of 15 points A person decided on a part of it: the table says where. It was handed in"
        " late: that took off 2 points."
    )
    assert "4 / 5 +1" in whole
    by_hand = head(mine, Standing("why", 5, None))
    assert "why not graded yet A person grades this answer." in by_hand


def test_one_reason_for_all_is_said_once() -> None:
    both = [UNGRADED, replace(UNGRADED, grade_id="test_f")]
    assert told(report.summary(both, [])).count("the suite broke") == 1
    assert told(report.summary([UNGRADED, RESULT], [])).count("the suite broke") == 1


def test_a_summary_is_one_block_with_notes_and_every_task() -> None:
    page = report.summary([RESULT, UNGRADED], ["Note of `mine` & yours."])
    assert "\n\n" not in page
    assert "3 / 10" in page
    assert "not graded" in page
    assert re.search(r"Note of <code[^>]*>mine</code> &amp; yours\.", page)
    assert "of the checks." not in page
    assert markdown2html(page).strip() == page


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
