"""Validates the course: solutions earn everything, releases nothing.

Each is graded twice, by plain `nbgrader autograde` and by `grade` in a worker: what the audit and
the tests see of the grader is what nbgrader's gradebook gets.
"""

import logging
import tempfile
from argparse import Namespace
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.commands.corpora import assignments_of
from autograder.commands.workspace import Workspace
from autograder.grading.grader import Graded, Terms
from autograder.grading.pool import Pool

_LOG = logging.getLogger(__name__)
#: Who hands in what of an assignment: the folder that it lies in.
_HANDED_IN = {"solution": "source", "unsolved": "release"}


def main(arguments: Namespace) -> int:
    """Validate the assignments that were named, or all; 0 where all is as it should be."""
    assignments = assignments_of(arguments.assignments)
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="validate-") as folder,
        Pool(assignments, Terms(ROOT / "course_data"), 1, _LOG) as pool,
    ):
        workspace = Workspace.make(Path(folder), assignments)
        for assignment in assignments:
            work = {
                student: nbformat.read(workspace.notebook(step, assignment), 4)
                for student, step in _HANDED_IN.items()
            }
            submissions = [workspace.submission(who, assignment, nb) for who, nb in work.items()]
            both = dict(zip(work, pool.grade(submissions), strict=True))
            for student, nb in work.items():
                workspace.submit(student, assignment, nb)
            workspace.nbgrader("autograde", assignment)
            most = sum(pool.suites[assignment].values())
            for student, wanted in (("solution", most), ("unsolved", 0)):
                wrong += not _is_right(workspace, assignment, student, wanted, both[student])
                score = workspace.score(assignment, student)
                print(f"{assignment:16} {student:9} {score} of {most}", flush=True)
    return 1 if wrong else 0


def _is_right(
    workspace: Workspace, assignment: str, student: str, wanted: int, graded: Graded
) -> bool:
    """Whether nbgrader gave what is wanted, and `grade` the same; what is not is printed."""
    tests = workspace.tests(assignment, student)
    problems = []
    for name, test in tests.items():
        if wanted and test["earned"] < test["points"]:
            problems.append(f"lost: {name}")
        elif not wanted and test["earned"]:
            problems.append(f"earned: {name}")
    alone = {name: (test.earned, test.misconception) for name, test in graded.tests.items()}
    for name in sorted(tests.keys() | alone.keys()):
        test = tests.get(name, {})
        if alone.get(name) != (test.get("earned"), test.get("misconception")):
            problems.append(f"by `grade` alone it is another: {name}")
    for problem in problems:
        print(f"    {problem}")
    return not problems and workspace.score(assignment, student) == wanted
