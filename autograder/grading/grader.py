"""Grades one submission: runs its cells in a student kernel, and the hidden suites here.

Knows neither nbgrader nor the gradebook. It runs in the worker (`autograder.pipeline.worker`),
and what needs torch is imported late, since nbgrader's process refers to these functions, too.
"""

import gc
import hashlib
import logging
import sys
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder import sandbox
from autograder.grading.results import CellResult
from autograder.kernel.student_kernel import Launch, Limits, StudentKernel
from autograder.pipeline.restore import only_draws
from autograder.sandbox import SandboxLimits
from autograder.submission.recognise import grade_cells

NOT_DRAWN = "[This picture is not drawn while grading.]\n"

_LOG = logging.getLogger("autograder.grading.grader")


@dataclass(frozen=True)
class Terms:
    """On what terms submissions are graded.

    Attributes:
        limits: what a submission may use of time and output.
        course_data: the folder of the data that notebooks read.
        sandbox: what a kernel may use of the machine; None for one without a sandbox.
    """

    limits: Limits
    course_data: Path
    sandbox: SandboxLimits | None = field(default_factory=SandboxLimits)


@dataclass(frozen=True)
class Submission:
    """What is graded.

    Attributes:
        assignment: its name.
        notebook: made whole from the release (see `autograder.pipeline.restore`).
        folder: where the notebook's other files are; a kernel gets copies of them.
        seed: what the suites' inputs are drawn from.
    """

    assignment: str
    notebook: NotebookNode
    folder: Path
    seed: str


@dataclass(frozen=True)
class Graded:
    """What came of it.

    Attributes:
        notebook: the submission's, with the outputs that its cells had; none of the results.
        results: of each grade cell, by `grade_id`.
        notes: what else the student should know.
        seconds: how long it took.
    """

    notebook: NotebookNode
    results: dict[str, CellResult]
    notes: tuple[str, ...]
    seconds: float


def prepare(assignment: str, terms: Terms) -> dict[str, int]:
    """Start what takes long to start, and make sure that submissions can be graded.

    Returns:
        The points of each suite of the assignment.

    Raises:
        SandboxUnavailable: there is no sandbox on this machine.
        SuiteError: a suite cannot be read.
    """
    _import_torch()
    if terms.sandbox is not None:
        sandbox.check()
    from autograder.grading import session as suite

    return {name: each.points for name, each in suite.collect(assignment).items()}


def grade(submission: Submission, terms: Terms) -> Graded:
    """Run a submission's cells in a student kernel, and the suites here, each at its grade cell."""
    from autograder.exercise.student import Student
    from autograder.grading import session as suite

    started = time.monotonic()
    nb = submission.notebook
    places = grade_cells(nb)
    kernel = StudentKernel(nb, _launch(submission, terms), terms.limits, _LOG)
    cells = _Cells(nb, kernel)
    student = Student(kernel)

    def reach(grade_id: str) -> None:
        cells.run_until(places[grade_id] + 1)
        reached = nb.cells[: places[grade_id] + 1]
        student.has_run(cell.source for cell in reached if cell.cell_type == "code")

    try:
        kernel.start()
        results = suite.run(
            submission.assignment,
            list(places),
            reach,
            student,
            submission.seed,
            _LOG,
        )
        cells.run_until(len(nb.cells))
    finally:
        kernel.close()
    return Graded(nb, results, tuple(kernel.notes), time.monotonic() - started)


class _Cells:
    """The cells of a notebook on their way through the kernel, in order."""

    def __init__(self, nb: NotebookNode, kernel: StudentKernel) -> None:
        self._nb, self._kernel, self._next = nb, kernel, 0

    def run_until(self, end: int) -> None:
        """Run the cells before place `end` that have not run yet."""
        for index in range(self._next, end):
            if only_draws(self._nb.cells[index]):
                self._nb.cells[index].outputs = [new_output("stream", text=NOT_DRAWN)]
            else:
                self._kernel.run_cell(index)
        self._next = max(self._next, end)


def _launch(submission: Submission, terms: Terms) -> Launch:
    # Student code can find out its kernel's seed, which must tell nothing of the suites' one.
    digest = hashlib.sha256(f"kernel {submission.seed}".encode()).hexdigest()
    return Launch(
        folder=submission.folder,
        seed=int(digest[:8], 16),
        course_data=terms.course_data,
        sandbox=terms.sandbox,
    )


def _import_torch() -> None:
    """Import what needs torch, and keep the garbage collector from ever looking through that.

    It would, a few times in between and once more at the end of the process: a second in all.
    Torch gets one thread: its small sums here are done sooner than others are woken, and those
    would take the other core from the student kernel.
    """
    if "autograder.grading.session" in sys.modules:
        return
    collects = gc.isenabled()
    gc.disable()
    import_module("autograder.grading.session")
    import_module("torch").set_num_threads(1)
    gc.freeze()
    if collects:
        gc.enable()
