"""The demonstration: grades the sample submissions from scratch and says why points were lost.

With `--clear`, it takes away what it has written.
"""

import shutil
import sys
from argparse import Namespace
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.commands.corpora import Sample, build, samples
from autograder.commands.workspace import Workspace
from autograder.errors import AutograderError
from autograder.grading import record
from autograder.grading.reasons import lost_points


class InUse(AutograderError):
    """The course folder holds work of others than the sample students."""


def main(arguments: Namespace) -> int:
    """Run the demonstration; 0 where every sample got the score that it deserves."""
    try:
        if arguments.clear:
            clear(Workspace(ROOT))
            return 0
        return 1 if run() else 0
    except InUse as error:
        print(error, file=sys.stderr)
        return 2


def run() -> int:
    """Release, grade and give feedback on the samples in the course's own folders.

    Returns:
        The number of samples that did not get the score that they deserve.

    Raises:
        InUse: somebody else's work is there; nothing has been touched then.
    """
    course = Workspace(ROOT)
    clear(course)
    todo = samples()
    assignments = sorted({sample.entry.assignment for sample in todo})
    for assignment in assignments:
        print(f"nbgrader generate_assignment {assignment}", flush=True)
        course.nbgrader("generate_assignment", assignment)
    for sample in todo:
        released = course.notebook("release", sample.entry.assignment)
        work = nbformat.read(released, 4) if sample.untouched else build(sample.entry)
        course.submit(sample.student, sample.entry.assignment, work)
    for assignment in assignments:
        print(f"nbgrader autograde {assignment}", flush=True)
        course.nbgrader("autograde", assignment)
        print(f"nbgrader generate_feedback {assignment}", flush=True)
        course.nbgrader("generate_feedback", assignment)
    return _table(course, todo)


def clear(course: Workspace) -> None:
    """Take away the sample students' work, grades and feedback, and the gradebook.

    Raises:
        InUse: somebody else's work is there; nothing has been touched then.
    """
    students = {sample.student for sample in samples()}
    _refuse_others(course, students)
    for step in ("submitted", "autograded", "feedback", "history"):
        folder = course.folder / step
        for student in students:
            shutil.rmtree(folder / student, ignore_errors=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    (course.folder / "gradebook.db").unlink(missing_ok=True)


def _refuse_others(course: Workspace, students: set[str]) -> None:
    folder = course.folder / "submitted"
    others = {path.name for path in folder.iterdir()} - students if folder.is_dir() else set()
    if (course.folder / "gradebook.db").exists():
        with course.gradebook() as gradebook:
            others |= {student.id for student in gradebook.students} - students
    if others:
        raise InUse(
            f"This course already has work of {', '.join(sorted(others))}: the demonstration would"
            " mix sample students into its gradebook. Run it in a fresh clone."
        )


def _table(course: Workspace, todo: list[Sample]) -> int:
    wrong = 0
    print(f"\n{'student':8} {'assignment':16} {'score':>6}   reasons for lost points")
    for sample in todo:
        assignment = sample.entry.assignment
        score = course.score(assignment, sample.student)
        reasons = _reasons(course.notebook("autograded", assignment, sample.student))
        print(f"{sample.student:8} {assignment:16} {score!s:>6}   {reasons[0] if reasons else ''}")
        for reason in reasons[1:]:
            print(f"{'':34} {reason}")
        if score != sample.score:
            wrong += 1
            print(f"{'':34} EXPECTED {sample.score}: {sample.entry.why}")
    print(f"\nThe feedback pages: {ROOT / 'feedback'}/<student>/<assignment>/<assignment>.html")
    return wrong


def _reasons(path: Path) -> list[str]:
    """What cost points in a graded notebook, and what was noted, one line each."""
    told = record.read(nbformat.read(path, as_version=4))
    return [*lost_points(told.cells), *(f"     note: {note}" for note in told.notes)]
