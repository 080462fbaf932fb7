"""Grades one submission: reads what was handed in, makes it whole, runs its cells and the suites.

What comes in and what goes out are data: no folder layout, no gradebook, nothing of nbgrader's. So
a submission can be graded in any process, and on any machine that has the package and the course's
data. Whoever calls `grade` does so within bounds of time and memory that are kept from outside, in
a worker (`autograder.grading.worker`): a submission may be made to wear its reader down.

`grade` is made of three parts: `read`, `restored` and `run`. nbgrader's steps call these, each
within bounds of its own, rather than `grade`: between them nbgrader writes the notebook that was
made whole to `autograded/`, puts the instructor's files over the student's, and reads both again.

What needs torch is imported late, since nbgrader's process refers to these functions, too.
"""

import gc
import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder import sandbox
from autograder.grading import dependence
from autograder.grading.dependence import Dependence
from autograder.grading.progress import Before
from autograder.grading.results import CellResult, TestResult
from autograder.grading.spent import Phases, Spent
from autograder.grading.worker import Worker
from autograder.kernel.protocol import Kernel, Launch, Limits
from autograder.kernel.student_kernel import StudentKernel
from autograder.language import Sentence, Text
from autograder.sandbox import SandboxLimits
from autograder.sandbox.folder import with_file
from autograder.submission.cells import grade_cells, is_locked, marks, only_draws
from autograder.submission.limits import ReadLimits
from autograder.submission.read import NotANotebook, read
from autograder.submission.rebuild import Release, restored

NOT_DRAWN = "[This picture is not drawn while grading.]\n"
UNSAFE = "This submission ran without a sandbox: `run_without_sandbox` is set."

#: Makes the kernel of a notebook.
MakeKernel = Callable[[NotebookNode, Launch, Limits, logging.Logger], Kernel]

_LOG = logging.getLogger("autograder.grading.grader")


@dataclass(frozen=True)
class Terms:
    """On what terms submissions are graded.

    Attributes:
        course_data: the folder of the data that notebooks read, if there is any.
        limits: what a submission may use of time and output.
        sandbox: what a kernel may use of the machine; None for one without a sandbox.
        reading: what a notebook may be.
    """

    course_data: Path | None = None
    limits: Limits = field(default_factory=Limits)
    sandbox: SandboxLimits | None = field(default_factory=SandboxLimits)
    reading: ReadLimits = field(default_factory=ReadLimits)


@dataclass(frozen=True)
class Submission:
    """What was handed in. It tells nothing of who did: the seed follows from that.

    Attributes:
        assignment: its name.
        notebook: the file of the notebook, as it was handed in: it may be anything.
        release: what was handed out.
        seed: what the suites' inputs are drawn from (`autograder.grading.seeds`).
        files: what the kernel finds in its working folder beside the notebook, a tar archive that
            `autograder.sandbox.folder.archive` made of clean copies; empty for nothing.
        notes: what the student is to know of how it was taken in.
        ungraded: why no notebook could be taken, in one line; empty where one was.
        taken: the digest of all that was handed in, where that is more than notebook and files.
    """

    assignment: str
    notebook: bytes
    release: Release
    seed: str
    files: bytes = b""
    notes: tuple[Sentence, ...] = ()
    ungraded: Sentence = ""
    taken: str = ""

    @property
    def digest(self) -> str:
        """Of all that was handed in, as hexadecimal digits."""
        if self.taken:
            return self.taken
        parts = (hashlib.sha256(part).digest() for part in (self.notebook, self.files))
        return hashlib.sha256(b"".join(parts)).hexdigest()


@dataclass(frozen=True)
class Whole:
    """A submission that has been read and made whole: what is run.

    Attributes:
        notebook: every cell of the release is in it, as it must be.
        digest: of all that was handed in.
        assignment, seed, files: as of a `Submission`.

    The kernel finds the notebook beside the files, as it was made whole.
    """

    assignment: str
    notebook: NotebookNode
    seed: str
    digest: str
    files: bytes = b""


@dataclass(frozen=True)
class Graded:
    """What came of it.

    Attributes:
        notebook: made whole, with the outputs that its cells had; nothing of the results is in it,
            and nothing of it is safe to open yet, unless `safe` is set.
        results: of each grade cell, by `grade_id`, in the notebook's order.
        notes: what the student is to know beside the results.
        spent: what it took, by phase: read, restore, start, cells, suites, end.
        depends_on: what the results follow from; None where there are none.
        ungraded: why nothing of it could be graded; empty where something could.
        safe: whether the notebook has been made safe to open.
        before: what is known of the student's attempt before this one, if that is known.
    """

    notebook: NotebookNode
    results: dict[str, CellResult]
    notes: tuple[Sentence, ...] = ()
    spent: dict[str, Spent] = field(default_factory=dict)
    depends_on: Dependence | None = None
    ungraded: Sentence = ""
    safe: bool = False
    before: Before | None = None

    @property
    def tests(self) -> dict[str, TestResult]:
        """The result of every test, by `<grade_id>.<test id>`."""
        cells = self.results.values()
        return {f"{cell.grade_id}.{test.id}": test for cell in cells for test in cell.tests}

    @property
    def seconds(self) -> float:
        """How long it took in all."""
        return sum(each.seconds for each in self.spent.values())


def prepare(assignment: str, terms: Terms) -> dict[str, int]:
    """Start what takes long to start, and make sure that submissions can be graded.

    Returns:
        The points of each suite of the assignment.

    Raises:
        SandboxUnavailable: there is no sandbox on this machine.
        SuiteError: a suite cannot be read.
    """
    import_torch()
    if terms.sandbox is not None:
        _has_sandbox()
    return _points(assignment)


# A process does these once: where suites are not what they were, it is not asked any more.


@cache
def _has_sandbox() -> None:
    sandbox.check()


@cache
def _points(assignment: str) -> dict[str, int]:
    from autograder.grading import session as suite

    return {name: each.points for name, each in suite.collect(assignment).items()}


def prepare_worker(
    worker: Worker,
    assignments: Sequence[str],
    terms: Terms,
    log: logging.Logger,
    made_of: Mapping[str, str] | None = None,
) -> dict[str, dict[str, int]]:
    """Start a worker that submissions of some assignments are to be graded in.

    See `prepare`, and `Worker.prepare`.

    Returns:
        The points of each suite, by assignment and grade cell.
    """
    # The kernels' template imports what it needs beside the worker.
    early = [] if terms.sandbox is None else [(sandbox.warm_up, (terms.course_data,))]
    steps = [(prepare, (assignment, terms)) for assignment in assignments]
    answers = worker.prepare(*early, *steps, log=log, made_of=made_of)
    return dict(zip(assignments, answers[len(early) :], strict=True))


def grade(submission: Submission, terms: Terms, make_kernel: MakeKernel = StudentKernel) -> Graded:
    """Grade what was handed in, whatever it is.

    What cannot be read has a verdict for each grade cell, too: it could not be graded.

    Raises:
        whatever goes wrong in the grader itself; that is no submission's fault, and no verdict.
    """
    phases = Phases()
    nb, notes, why = made_whole(submission, terms, phases)
    if why:
        return replace(ungraded(nb, why, notes), spent=phases.spent)
    whole = Whole(
        assignment=submission.assignment,
        notebook=nb,
        seed=submission.seed,
        digest=submission.digest,
        files=submission.files,
    )
    graded = run(whole, terms, make_kernel, phases)
    return replace(graded, notes=(*notes, *graded.notes))


def made_whole(
    submission: Submission, terms: Terms, phases: Phases
) -> tuple[NotebookNode, list[Sentence], Sentence]:
    """Read what was handed in, and make it whole.

    Returns:
        the notebook, what the student is to know, and why it cannot be graded, if so: then every
        cell of the notebook is as it was released.
    """
    notes: list[Sentence] = list(submission.notes)
    cells: list[NotebookNode] = []
    why = submission.ungraded
    with phases("read"):
        try:
            if not why:
                nb, more = read(submission.notebook, terms.reading)
                cells, notes = nb.cells, [*notes, *more]
        except NotANotebook as error:
            name = f"{submission.assignment}.ipynb"
            why = Text("the file `{name}` {why}", name=name, why=error.text)
    with phases("restore"):
        nb, mended = restored(cells, submission.release)
    # Where nothing was read, that nothing is known of it is no news.
    return nb, notes if why else [*notes, *mended], why


def run(
    whole: Whole,
    terms: Terms,
    make_kernel: MakeKernel = StudentKernel,
    phases: Phases | None = None,
) -> Graded:
    """Run a submission's cells in a kernel, and the suites here, each at its grade cell.

    Args:
        whole: its notebook gets the cells' outputs in place.
        terms: for all submissions alike.
        make_kernel: makes the kernel; none but a sandboxed one is for work that nobody has read.
        phases: what has been measured of it before.
    """
    from autograder.exercise.student import Student
    from autograder.grading import session as suite

    phases = phases or Phases()
    if terms.course_data is not None:
        os.environ["COURSE_DATA"] = str(terms.course_data)  # for suites, as it is for notebooks
    nb = whole.notebook
    places = grade_cells(nb)
    kernel = make_kernel(nb, _launch(whole, terms), terms.limits, _LOG)
    cells = _Cells(nb, kernel, phases)
    student = Student(kernel)

    def reach(grade_id: str) -> None:
        cells.run_until(places[grade_id] + 1)
        reached = nb.cells[: places[grade_id] + 1]
        student.has_run(cell.source for cell in reached if cell.cell_type == "code")

    try:
        with phases("start"):
            kernel.start()
        with phases("suites"):
            results = suite.run(whole.assignment, list(places), reach, student, whole.seed, _LOG)
        cells.run_until(len(nb.cells))
    finally:
        with phases("end"):
            kernel.close()
    unsafe = [Text(UNSAFE)] * (terms.sandbox is None)
    return Graded(
        notebook=nb,
        results=results,
        notes=(*unsafe, *(_with_cost(note, results.values()) for note in kernel.notes)),
        spent=phases.spent,
        depends_on=_dependence(whole, terms),
    )


def ungraded(nb: NotebookNode, why: Sentence, notes: Sequence[Sentence] = ()) -> Graded:
    """The third verdict, on every grade cell of a notebook: it could not be graded.

    Args:
        nb: made whole from the release.
        why: in one line.
        notes: what the student is to know beside that.
    """
    results = {name: CellResult(name, "", (), why) for name in grade_cells(nb)}
    return Graded(nb, results, tuple(notes), ungraded=why)


def _with_cost(note: Text, results: Iterable[CellResult]) -> Text:
    """A note of the kernel about a cell, with the sentence that it cost nothing, where it is so."""
    lost = [test for result in results for test in result.tests if not test.passed]
    cell = note.values.get("cell")
    # What was lost for a mistake that is known was not lost for the cell's end.
    apart = all(test.misconception and str(cell) not in test.message for test in lost)
    return Text("{note} It cost no points.", note=note) if cell and apart else note


class _Cells:
    """The cells of a notebook on their way through the kernel, in order."""

    def __init__(self, nb: NotebookNode, kernel: Kernel, phases: Phases) -> None:
        self._nb, self._kernel, self._phases = nb, kernel, phases
        self._next = 0

    def run_until(self, end: int) -> None:
        """Run the cells before place `end` that have not run yet."""
        with self._phases("cells"):
            for index in range(self._next, end):
                if only_draws(self._nb.cells[index]):
                    self._nb.cells[index].outputs = [new_output("stream", text=NOT_DRAWN)]
                else:
                    self._kernel.run_cell(index)
        self._next = max(self._next, end)


def _launch(whole: Whole, terms: Terms) -> Launch:
    # Student code can find out its kernel's seed, which must tell nothing of the suites' one.
    digest = hashlib.sha256(f"kernel {whole.seed}".encode()).hexdigest()
    return Launch(
        seed=int(digest[:8], 16),
        course_data=terms.course_data,
        files=with_file(whole.files, f"{whole.assignment}.ipynb", text(whole.notebook).encode()),
        sandbox=terms.sandbox,
    )


def text(nb: NotebookNode) -> str:
    """A notebook as nbgrader writes it to a file."""
    written: str = nbformat.writes(nb, version=4)
    return written if written.endswith("\n") else written + "\n"


def _dependence(whole: Whole, terms: Terms) -> Dependence:
    return dependence_of(whole.assignment, whole.notebook, whole.digest, terms)


def dependence_of(
    assignment: str, whole: NotebookNode, submission: str, terms: Terms
) -> Dependence:
    """What the results of a submission follow from.

    Args:
        assignment: its name.
        whole: any notebook that was made whole: the locked cells are the same in all of them.
        submission: the digest of all that was handed in.
        terms: on which it is graded.
    """
    locked = [cell for cell in whole.cells if is_locked(cell)]
    released = [f"{json.dumps(marks(c), sort_keys=True)}{c.source}" for c in locked]
    return Dependence(
        submission=submission,
        release=dependence.of_text(*released),
        suites=dependence.of_suites(assignment),
        data=dependence.of_data(assignment, terms.course_data),
        limits=dependence.of_text(repr((terms.limits, terms.sandbox))),
        package=dependence.of_package(),
    )


def import_torch() -> None:
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
