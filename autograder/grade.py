"""Runs a submission and grades it: the one preprocessor between its code and its results.

What needs torch is imported late: it takes seconds, in which the kernels' template starts, too.
"""

import gc
import hashlib
import sys
import time
from importlib import import_module
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Integer, Unicode

from autograder import ROOT, sandbox
from autograder.kernel import Launch, Limits, StudentKernel
from autograder.restore import only_draws
from autograder.results import CellResult
from autograder.sandbox import SandboxLimits, SandboxUnavailable

NOT_DRAWN = "[This picture is not drawn while grading.]\n"
UNSAFE = "This submission ran without a sandbox: `run_without_sandbox` is set."


class GradeNotebook(NbGraderPreprocessor):
    """Runs the cells in a student kernel and the suites here, each at its grade cell.

    The results go to `resources["autograder"]`, by `grade_id`; the notebook gets none of them.
    """

    cell_seconds = Integer(60, help="The longest that one cell may run, in seconds.").tag(
        config=True
    )
    probe_seconds = Integer(20, help="The longest that one probe may run, in seconds.").tag(
        config=True
    )
    submission_seconds = Integer(300, help="The longest that a submission may run.").tag(
        config=True
    )
    output_bytes = Integer(2**20, help="Output of a cell beyond this is cut, with a note.").tag(
        config=True
    )
    replays = Integer(3, help="How often a kernel that died may be replaced.").tag(config=True)
    memory_bytes = Integer(
        SandboxLimits.memory_bytes, help="Memory of a submission above the warm kernel's own."
    ).tag(config=True)
    processes = Integer(
        SandboxLimits.processes, help="Processes and threads of a submission together."
    ).tag(config=True)
    file_bytes = Integer(
        SandboxLimits.file_bytes, help="What a submission may write to files."
    ).tag(config=True)
    run_without_sandbox = Bool(
        False,
        help="Run submissions as ordinary processes, which can read and change whatever the"
        " grader's user can: the suites, the gradebook, other submissions. Every grade says so.",
    ).tag(config=True)
    course_data = Unicode(
        str(ROOT / "course_data"), help="The folder of the data that notebooks read."
    ).tag(config=True)
    secret_file = Unicode(
        str(ROOT / "course_secret"), help="The file of the secret that seeds are made with."
    ).tag(config=True)
    seed = Unicode("", help="A recorded seed, to reproduce a grade with.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Run and grade one notebook, cell by cell."""
        from autograder import course, suite
        from autograder.student import Student

        told = resources["nbgrader"]
        if ungraded := nb.metadata["autograder"].get("ungraded", ""):
            resources["autograder"] = _ungraded(nb, ungraded)
            return nb, resources
        code = tuple(cell.source for cell in nb.cells if cell.cell_type == "code")
        seed = self.seed or course.seed(
            course.secret(Path(self.secret_file)), told["assignment"], told["student"], code
        )
        started = time.monotonic()
        places = {
            cell.metadata.nbgrader.grade_id: place
            for place, cell in enumerate(nb.cells)
            if utils.is_grade(cell) and not utils.is_solution(cell)
        }
        kernel = StudentKernel(nb, self._launch(resources, seed), self._limits(), self.log)
        position = 0

        def run_until(end: int) -> None:
            nonlocal position
            for index in range(position, end):
                if only_draws(nb.cells[index]):
                    nb.cells[index].outputs = [new_output("stream", text=NOT_DRAWN)]
                else:
                    kernel.run_cell(index)
            position = max(position, end)

        try:
            kernel.start()
            resources["autograder"] = suite.run(
                told["assignment"],
                list(places),
                lambda grade_id: run_until(places[grade_id] + 1),
                Student(kernel, code),
                seed,
                self.log,
            )
            run_until(len(nb.cells))
        finally:
            kernel.close()
        notes = nb.metadata["autograder"]["notes"]
        notes += [UNSAFE] * self.run_without_sandbox + kernel.notes
        self.log.info("Graded %s in %.1f s", told["student"], time.monotonic() - started)
        return nb, resources

    def _limits(self) -> Limits:
        return Limits(
            cell=self.cell_seconds,
            probe=self.probe_seconds,
            submission=self.submission_seconds,
            output=self.output_bytes,
            replays=self.replays,
        )

    def _launch(self, resources: ResourcesDict, seed: str) -> Launch:
        # Student code can find out its kernel's seed, which must tell nothing of the suites' one.
        digest = hashlib.sha256(f"kernel {seed}".encode()).hexdigest()
        return Launch(
            folder=Path(resources["metadata"]["path"]),
            seed=int(digest[:8], 16),
            course_data=Path(self.course_data),
            sandbox=None if self.run_without_sandbox else self._sandbox(),
        )

    def _sandbox(self) -> SandboxLimits:
        return SandboxLimits(
            memory_bytes=self.memory_bytes, processes=self.processes, file_bytes=self.file_bytes
        )

    def prepare(self) -> None:
        """Make sure that submissions can be run, and start what takes long to start.

        Raises:
            SandboxUnavailable: there is no sandbox here, and running without is not allowed.
        """
        if self.run_without_sandbox:
            self.log.warning("%s", UNSAFE)
            return
        try:
            sandbox.warm_up(self.course_data)
            _import_torch()
            sandbox.check()
        except SandboxUnavailable as error:
            raise SandboxUnavailable(
                f"{error} To grade without a sandbox, at your own risk, set"
                " c.GradeNotebook.run_without_sandbox = True in nbgrader_config.py."
            ) from None


def _ungraded(nb: NotebookNode, why: str) -> dict[str, CellResult]:
    """The verdict on every grade cell of a submission that could not be graded at all."""
    return {
        cell.metadata.nbgrader.grade_id: CellResult(cell.metadata.nbgrader.grade_id, "", (), why)
        for cell in nb.cells
        if utils.is_grade(cell) and not utils.is_solution(cell)
    }


def _import_torch() -> None:
    """Import what needs torch, and keep the garbage collector from ever looking through that.

    It would, a few times in between and once more at the end of the process: a second in all.
    Torch gets one thread: its small sums here are done sooner than others are woken, and those
    would take the other core from the student kernel.
    """
    if "autograder.suite" in sys.modules:
        return
    collects = gc.isenabled()
    gc.disable()
    import_module("autograder.suite")
    import_module("torch").set_num_threads(1)
    gc.freeze()
    if collects:
        gc.enable()
