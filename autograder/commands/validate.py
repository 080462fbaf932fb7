"""Validates the course: solutions earn everything, releases nothing, by plain nbgrader."""

import tempfile
from argparse import Namespace
from pathlib import Path

from autograder.commands.corpora import assignments_of
from autograder.commands.workspace import Workspace
from autograder.grading.session import collect


def main(arguments: Namespace) -> int:
    """Validate the assignments that were named, or all; 0 where all is as it should be."""
    assignments = assignments_of(arguments.assignments)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="validate-") as folder:
        workspace = Workspace.make(Path(folder), assignments)
        for assignment in assignments:
            for student, step in (("solution", "source"), ("unsolved", "release")):
                workspace.submit(student, assignment, workspace.notebook(step, assignment))
            workspace.nbgrader("autograde", assignment)
            most = sum(suite.points for suite in collect(assignment).values())
            for student, wanted in (("solution", most), ("unsolved", 0)):
                score = workspace.score(assignment, student)
                wrong += score != wanted
                print(f"{assignment:16} {student:9} {score} of {most}", flush=True)
                for name, test in workspace.tests(assignment, student).items():
                    if wanted and test["earned"] < test["points"]:
                        print(f"    lost: {name}")
                    elif not wanted and test["earned"]:
                        print(f"    earned: {name}")
    return 1 if wrong else 0
