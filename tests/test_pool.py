"""Many submissions at once, in workers: each has its verdict, whatever the others do."""

import logging
import os
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.grading import grader
from autograder.grading.grader import Graded, Submission, Terms
from autograder.grading.pool import Pool
from autograder.submission.cells import cell_of

Solution = Callable[[str], nbformat.NotebookNode]
LOG = logging.getLogger(__name__)
TERMS = Terms(ROOT / "course_data")
GRADE = grader.grade


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


def test_nothing_is_graded_where_no_worker_can(parameters: Workspace) -> None:
    with Pool(["no_such_assignment"], TERMS, 1, LOG) as pool:
        assert pool.suites == {"no_such_assignment": {}}
    broken = Terms(ROOT / "nowhere")
    with Pool(["parameters"], broken, 1, LOG) as pool, pytest.raises(Exception, match="nowhere"):
        next(pool.grade([]))
