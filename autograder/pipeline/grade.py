"""nbgrader's step between a submission's code and its results; the work is done in the worker."""

from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Integer, Unicode

from autograder import ROOT, sandbox
from autograder.grading import course, grader
from autograder.grading.grader import Submission, Terms
from autograder.grading.results import CellResult
from autograder.kernel.student_kernel import Limits
from autograder.pipeline.worker import Budget, why_not, worker
from autograder.sandbox import SandboxLimits, SandboxUnavailable
from autograder.submission.recognise import grade_cells

UNSAFE = "This submission ran without a sandbox: `run_without_sandbox` is set."


class GradeNotebook(NbGraderPreprocessor):
    """Runs the cells in a student kernel and the suites in the worker, each at its grade cell.

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
    replays = Integer(3, help="How often a submission may end its kernel.").tag(config=True)
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
    grader_seconds = Integer(
        60, help="The most of the grader's own processor time that a submission may need."
    ).tag(config=True)
    grader_bytes = Integer(
        2**30, help="The most of the grader's own memory that a submission may need."
    ).tag(config=True)
    seed = Unicode("", help="A recorded seed, to reproduce a grade with.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Run and grade one notebook, cell by cell."""
        told = resources["nbgrader"]
        if ungraded := nb.metadata["autograder"].get("ungraded", ""):
            return _ungraded(nb, resources, ungraded)
        seed = self.seed or course.seed(
            course.secret(Path(self.secret_file)),
            *(told["assignment"], told["student"], told["digest"]),
        )
        folder = Path(resources["metadata"]["path"]).absolute()
        submission = Submission(told["assignment"], nb, folder, seed)
        try:
            graded = worker.call(grader.grade, submission, self.terms(), log=self.log)
        except Exception as error:  # whatever it was: the grader's fault, and no student's
            why = why_not(error, self.log, f"Grading {told['student']}")
            return _ungraded(nb, resources, why)
        resources["autograder"] = graded.results
        notes = graded.notebook.metadata["autograder"]["notes"]
        notes += [UNSAFE] * self.run_without_sandbox + list(graded.notes)
        self.log.info("Graded %s in %.1f s", told["student"], graded.seconds)
        return graded.notebook, resources

    def terms(self) -> Terms:
        """What this step is configured to, as the worker is told."""
        limits = Limits(
            cell=self.cell_seconds,
            probe=self.probe_seconds,
            submission=self.submission_seconds,
            output=self.output_bytes,
            replays=self.replays,
        )
        box = SandboxLimits(
            memory_bytes=self.memory_bytes, processes=self.processes, file_bytes=self.file_bytes
        )
        data = Path(self.course_data).absolute()
        return Terms(limits, data, None if self.run_without_sandbox else box)

    def prepare(self, assignment: str) -> dict[str, int]:
        """Start the worker, and make sure that submissions can be graded.

        Returns:
            The points of each suite of the assignment.

        Raises:
            SandboxUnavailable: there is no sandbox here, and running without is not allowed.
            SuiteError: a suite cannot be read.
        """
        if self.run_without_sandbox:
            self.log.warning("%s", UNSAFE)
        worker.budget = Budget(
            seconds=self.submission_seconds + self.grader_seconds,
            processor_seconds=self.grader_seconds,
            memory_bytes=self.grader_bytes,
        )
        try:
            terms = self.terms()
            # The kernels' template imports what it needs beside the worker.
            early = [] if terms.sandbox is None else [(sandbox.warm_up, (terms.course_data,))]
            *_, points = worker.prepare(*early, (grader.prepare, (assignment, terms)), log=self.log)
            suites: dict[str, int] = points
            return suites
        except SandboxUnavailable as error:
            raise SandboxUnavailable(
                f"{error} To grade without a sandbox, at your own risk, set"
                " c.GradeNotebook.run_without_sandbox = True in nbgrader_config.py."
            ) from None


def _ungraded(
    nb: NotebookNode, resources: ResourcesDict, why: str
) -> tuple[NotebookNode, ResourcesDict]:
    """Keep the verdict on every grade cell of a submission that could not be graded at all."""
    resources["autograder"] = {name: CellResult(name, "", (), why) for name in grade_cells(nb)}
    return nb, resources
