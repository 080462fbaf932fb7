"""Many submissions at once, in workers: each has its verdict, whatever the others do."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import nbformat
import pytest

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.grading import grader
from autograder.grading.grader import Graded, Submission, Terms
from autograder.grading.pool import Pool, WorkerPool
from autograder.grading.worker import BudgetSpent
from autograder.submission.cells import cell_of

Solution = Callable[[str], nbformat.NotebookNode]
LOG = logging.getLogger(__name__)
TERMS = Terms(ROOT / "course_data")
GRADE = grader.grade
#: What ends the worker that has it, in a test.
DEADLY = b"THE END"


def ends_at_a_sign(submission: Submission, *rest: Any) -> Graded:
    """Like `grade`, for a submission that ends the grader's process, if that can be."""
    if b"THE END" in submission.notebook:
        os._exit(3)
    return GRADE(submission, *rest)


def test_one_that_ends_its_worker_is_no_other_s_matter(
    parameters: Workspace, solution: Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grader, "grade", ends_at_a_sign)
    right, wrong, deadly = (solution("parameters") for _ in range(3))
    cell_of(wrong, "MLP").source = "MLP = None"
    cell_of(deadly, "MLP").source = "# THE END"
    work = [
        parameters.submission(str(number), "parameters", nb)
        for number, nb in enumerate([right, deadly, wrong, right])
    ]
    with Pool(["parameters"], TERMS, 2, LOG) as pool:
        assert sum(pool.suites["parameters"].values()) == 100
        came = list(pool.grade(work))
    earned = [sum(cell.earned for cell in each.results.values()) for each in came]
    assert earned == [100, 0, 75, 100]
    for each in came:
        why = {cell.ungraded for cell in each.results.values()}
        died = {"the grader's process died of it (status 3)"}
        assert why == (died if each is came[1] else {""})
        assert len(each.results) == 5
    assert came[0].spent["start"].seconds < 60


def ends_or_tells(submission: Submission, *rest: Any) -> tuple[int, int]:
    """The numbers of the process that this runs in, and of the one it comes from."""
    if submission.notebook == DEADLY:
        os._exit(3)
    time.sleep(0.5)  # all have some
    return os.getpid(), os.getppid()


def test_workers_and_those_in_their_place_come_from_one_process(
    parameters: Workspace, solution: Solution
) -> None:
    well = parameters.submission("ann", "parameters", solution("parameters"))
    deadly = replace(well, notebook=DEADLY)
    work = [*[well] * 3, *[deadly] * 4, *[well] * 3]
    pool = WorkerPool(ends_or_tells, ["parameters"], TERMS, 3, LOG)
    try:
        assert len([start.result() for start in pool._starts]) == 3
        came = dict(pool.outcomes(work))
    finally:
        pool.close()
    found = [came[place] for place, each in enumerate(work) if each is well]
    assert all(isinstance(came[place], BudgetSpent) for place in range(3, 7))
    before = dict(each for each in found[:3] if isinstance(each, tuple))
    assert len(before) == 3
    assert sorted(before.values()).count(os.getpid()) == 1
    (nursery,) = {*before.values()} - {os.getpid()}
    after = dict(each for each in found[3:] if isinstance(each, tuple) and each[0] not in before)
    assert {*after.values()} == {nursery}


def test_nothing_is_graded_where_no_worker_can(parameters: Workspace) -> None:
    with Pool(["no_such_assignment"], TERMS, 1, LOG) as pool:
        assert pool.suites == {"no_such_assignment": {}}
    broken = Terms(ROOT / "nowhere")
    with Pool(["parameters"], broken, 1, LOG) as pool, pytest.raises(Exception, match="nowhere"):
        next(pool.grade([]))
