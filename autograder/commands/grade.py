"""Grades an assignment with several nbgrader processes, each with students of its own."""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory

from autograder.submission import intake

NBGRADER = Path(sys.executable).with_name("nbgrader")


def main(arguments: Namespace) -> int:
    """Grade an assignment as the command line says."""
    return run(arguments.assignment, arguments.workers, arguments.options)


def run(assignment: str, workers: int, options: Sequence[str] = ()) -> int:
    """Run `nbgrader autograde ASSIGNMENT` in the current folder, `workers` times at once.

    Args:
        assignment: its name.
        workers: how many processes; each needs a core, and 2 GB of memory beside submissions'.
        options: more of nbgrader's options, for all of them.

    Returns:
        0 where every process succeeded, else 1, like nbgrader's own status.
    """
    students = _students(assignment)
    workers = max(1, min(workers, len(students)))
    if any("," in student for student in students):
        print("Student ids with commas in them: grading one at a time.", file=sys.stderr)
        workers = 1
    running = []
    for place in range(workers):
        others = [name for number, name in enumerate(students) if number % workers != place]
        exclude = [f"--CourseDirectory.student_id_exclude={','.join(others)}"] if others else []
        words = [str(NBGRADER), "autograde", assignment, *exclude, *options]
        running.append(subprocess.Popen(words))
    # An interrupt from the keyboard reaches them all: they end by themselves, and are waited for.
    while True:
        try:
            return int(any([process.wait() for process in running]))
        except KeyboardInterrupt:
            continue


def _students(assignment: str) -> list[str]:
    """Who handed something in, by the folder's own nbgrader configuration."""
    app = NbGrader()
    app.initialize([])
    course = CourseDirectory(config=app.config)
    submitted = Path(course.root, course.submitted_directory)
    return intake.students(submitted, assignment) if submitted.is_dir() else []
