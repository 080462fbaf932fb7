"""`grade` as a whole, without nbgrader and without a kernel: data in, data out."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from autograder import ROOT
from autograder.grading import record, report
from autograder.grading.grader import NOT_DRAWN, UNSAFE, Graded, Submission, Terms, grade
from autograder.kernel.same_process import SameProcess
from autograder.submission.cells import cell_of
from autograder.submission.rebuild import Release

Notebook = nbformat.NotebookNode
Solution = Callable[[str], Notebook]

TERMS = Terms(ROOT / "course_data")
HANDED_OUT = ROOT / "release" / "parameters" / "parameters.ipynb"


def submission(nb: Notebook) -> Submission:
    release = Release.of_notebook(nbformat.read(HANDED_OUT, as_version=4))
    return Submission("parameters", nbformat.writes(nb).encode(), release, seed="5" * 32)


def graded(work: Submission, terms: Terms = TERMS) -> Graded:
    return grade(work, terms, lambda nb, *_: SameProcess(nb))


@pytest.fixture(scope="module")
def wrong() -> Submission:
    """The solution, with one mistake, one note to be made, and a cell that shows something."""
    nb = nbformat.read(ROOT / "source" / "parameters" / "parameters.ipynb", as_version=4)
    own = cell_of(nb, "MyLinear")
    own.source = own.source.replace("y + self.bias", "y - self.bias")
    cell_of(nb, "test_MLP").source = "no check"
    nb.cells.append(new_code_cell("print('seen'); 1 + 1"))
    return replace(submission(nb), notes=("The file `x` was not used: it is too large.",))


@pytest.fixture(scope="module")
def verdict(wrong: Submission) -> Graded:
    return graded(wrong)


def test_a_solution_earns_everything(solution: Solution) -> None:
    came = graded(submission(solution("parameters")))
    assert {name: (cell.earned, cell.points) for name, cell in came.results.items()} == {
        "test_MyLinear": (30, 30),
        "test_parameter_names": (10, 10),
        "test_count_parameters": (10, 10),
        "test_Standardize": (25, 25),
        "test_MLP": (25, 25),
    }
    assert came.notes == ()
    assert cell_of(came.notebook, "picture_standardize").outputs[0].text == NOT_DRAWN


def test_a_mistake_costs_its_own_test_and_is_named(verdict: Graded) -> None:
    lost = {name: test.misconception for name, test in verdict.tests.items() if not test.earned}
    assert lost == {"test_MyLinear.test_forward": "bias-subtracted"}
    assert verdict.results["test_MLP"].seed == "5" * 32


def test_cells_have_their_outputs_and_the_notebook_none_of_the_results(verdict: Graded) -> None:
    shown = [
        (out.get("text") or out.data["text/plain"]) for out in verdict.notebook.cells[-1].outputs
    ]
    assert shown == ["seen\n", "2"]
    assert "bias-subtracted" not in nbformat.writes(verdict.notebook)
    assert record.read(verdict.notebook) == record.Record()


def test_notes_come_in_the_order_in_which_they_were_made(verdict: Graded) -> None:
    assert verdict.notes == (
        "The file `x` was not used: it is too large.",
        "The locked cell `test_MLP` had been changed; it was put back.",
    )


def test_that_there_was_no_sandbox_is_noted(wrong: Submission) -> None:
    assert UNSAFE in graded(wrong, replace(TERMS, sandbox=None)).notes


def test_every_phase_is_measured(verdict: Graded) -> None:
    assert list(verdict.spent) == ["read", "restore", "start", "suites", "cells", "end"]
    assert all(each.peak_bytes > 10**7 for each in verdict.spent.values())
    assert verdict.spent["suites"].seconds > 0.01
    assert verdict.seconds == sum(each.seconds for each in verdict.spent.values())


def test_the_same_again_is_the_same_and_depends_on_the_same(
    wrong: Submission, verdict: Graded
) -> None:
    again = graded(wrong)
    assert (again.results, again.notes) == (verdict.results, verdict.notes)
    assert again.depends_on == verdict.depends_on


@pytest.mark.parametrize("part", ["submission", "release", "limits"])
def test_what_a_result_depends_on_shows_in_its_digest(
    part: str, wrong: Submission, verdict: Graded
) -> None:
    terms, work = TERMS, wrong
    if part == "submission":
        work = replace(wrong, files=b"\0" * 1024)
    elif part == "release":
        first, *others = wrong.release.cells
        changed = replace(first, source=first.source + "\n")
        work = replace(wrong, release=replace(wrong.release, cells=(changed, *others)))
    else:
        terms = replace(TERMS, limits=replace(TERMS.limits, cell_seconds=61))
    assert verdict.depends_on is not None
    other = graded(work, terms).depends_on
    assert other is not None
    before, after = vars(verdict.depends_on), vars(other)
    assert {name for name in before if before[name] != after[name]} == {part}


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "is empty"), (b"PK\x03\x04", "is a zip archive"), (b"My homework", "is not JSON")],
)
def test_what_cannot_be_read_could_not_be_graded(data: bytes, why: str, wrong: Submission) -> None:
    came = graded(replace(wrong, notebook=data))
    assert len(came.results) == 5
    for cell in came.results.values():
        assert str(cell.ungraded).startswith(f"the file `parameters.ipynb` {why}")
        assert cell.tests == ()
    assert came.notes == wrong.notes
    assert came.depends_on is None


def test_submission_and_verdict_can_travel(wrong: Submission, verdict: Graded) -> None:
    assert pickle.loads(pickle.dumps(wrong)) == wrong
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    assert pickle.loads(pickle.dumps(TERMS)) == TERMS


def test_what_is_written_can_be_read_again(verdict: Graded) -> None:
    nb = nbformat.reads(nbformat.writes(verdict.notebook), as_version=4)
    report.write(nb, verdict)
    nb = nbformat.reads(nbformat.writes(nb), as_version=4)
    found = record.read(nb)
    assert found.notes == verdict.notes
    assert found.cells == tuple(verdict.results.values())
    assert found.depends_on == verdict.depends_on
    assert {name: each.peak_bytes for name, each in found.spent.items()} == {
        name: each.peak_bytes for name, each in verdict.spent.items()
    }
