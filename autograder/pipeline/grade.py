"""nbgrader's step between a submission's code and its results; the work is done in the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Integer, Unicode, default

from autograder.grading import dependence, grader, record, seeds
from autograder.grading.course import CourseError
from autograder.grading.grader import UNSAFE, Graded, Terms, Whole
from autograder.grading.parallel import AnyPool, capacity
from autograder.grading.pool import WorkerPool
from autograder.grading.reserve import InReserve
from autograder.grading.worker import Budget, GraderLimits, why_not, worker
from autograder.kernel.protocol import Limits
from autograder.pipeline import ahead
from autograder.pipeline.ahead import Ahead, Cleaning
from autograder.pipeline.settings import course_folder, gathered, limit
from autograder.sandbox import SandboxLimits, SandboxUnavailable
from autograder.sandbox.folder import archive


class GradeNotebook(NbGraderPreprocessor):
    """Runs the cells in a student kernel and the suites in the worker, each at its grade cell.

    What came of it goes to `resources["autograder"]`, a `Graded`; none of the results is in the
    notebook. Paths are relative to the course's folder.
    """

    cell_seconds = limit(Limits, "cell_seconds")
    probe_seconds = limit(Limits, "probe_seconds")
    submission_seconds = limit(Limits, "submission_seconds")
    output_bytes = limit(Limits, "output_bytes")
    replays = limit(Limits, "replays")
    memory_bytes = limit(SandboxLimits, "memory_bytes")
    processes = limit(SandboxLimits, "processes")
    file_bytes = limit(SandboxLimits, "file_bytes")
    shared_memory_bytes = limit(SandboxLimits, "shared_memory_bytes")
    open_files = limit(SandboxLimits, "open_files")
    grader_seconds = limit(GraderLimits, "grader_seconds")
    grader_bytes = limit(GraderLimits, "grader_bytes")
    run_without_sandbox = Bool(
        False,
        help="Run submissions as ordinary processes, which can read and change whatever the"
        " grader's user can: the suites, the gradebook, other submissions. Every grade says so.",
    ).tag(config=True)
    course_data = Unicode("course_data", help="The folder of the data that notebooks read.").tag(
        config=True
    )
    secret_file = Unicode(
        "course_secret", help="The file of the secret that seeds are made with."
    ).tag(config=True)
    seed = Unicode("", help="A recorded seed, to reproduce a grade with.").tag(config=True)
    workers = Integer(
        min=1,
        help="How many submissions are graded at once, each with a core and 2 GB of memory. As many"
        " as there are of both, unless it is set.",
    ).tag(config=True)

    scheduler = Unicode(
        "",
        help="The address of a Dask scheduler whose workers grade: tls://HOST:PORT. Certificates"
        " are found as Dask's own configuration says.",
    ).tag(config=True)
    allow_insecure = Bool(
        False,
        help="Allow a scheduler without TLS: whoever reaches it can read and forge grades.",
    ).tag(config=True)

    @default("workers")
    def _workers_default(self) -> int:
        return capacity()

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Run and grade one notebook that was made whole."""
        begun = record.read(nb)
        if found := self._ahead(nb, resources):
            graded = found.graded
        elif begun.ungraded:
            graded = grader.ungraded(nb, begun.ungraded)
        else:
            graded = self._graded(nb, resources)
        resources["autograder"] = replace(graded, notes=(*begun.notes, *graded.notes))
        resources["nbgrader"]["graded"] = graded
        return graded.notebook, resources

    def _ahead(self, nb: NotebookNode, resources: ResourcesDict) -> Ahead | None:
        """What was graded ahead, if that is what is to be graded now."""
        told = resources["nbgrader"]
        found: Ahead | None = told.pop("ahead", None)
        if found is None:
            return None
        try:
            if found.is_of(self._whole(nb, resources)):
                return found
        except Exception as error:  # grading it will meet the same
            self.log.debug("Nothing can be compared: %s", error)
        self.log.warning("%s is not what was graded ahead, and is graded now", told["student"])
        self.prepare(told["assignment"])
        return None

    def _graded(self, nb: NotebookNode, resources: ResourcesDict) -> Graded:
        student = resources["nbgrader"]["student"]
        try:
            whole = self._whole(nb, resources)
            graded = worker.call(grader.run, whole, self.terms(), log=self.log)
        except Exception as error:  # whatever it was: the grader's fault, and no student's
            return grader.ungraded(nb, why_not(error, self.log, f"Grading {student}"))
        self.log.info("Graded %s in %.1f s", student, graded.seconds)
        return graded

    def _whole(self, nb: NotebookNode, resources: ResourcesDict) -> Whole:
        told = resources["nbgrader"]
        assignment, digest = told["assignment"], told["digest"]
        seed = self.seed_of(assignment, told["student"], digest)
        folder = Path(resources["metadata"]["path"])
        return Whole(assignment, nb, seed, digest, self.files(folder, assignment))

    def seed_of(self, assignment: str, student: str, digest: str) -> str:
        """What the suites' inputs of a submission are drawn from."""
        return self.seed or seeds.seed(self._secret(), assignment, student, digest)

    def files(self, folder: Path, assignment: str) -> bytes:
        """What the kernel finds beside the notebook."""
        return archive(folder, self.file_bytes, besides=f"{assignment}.ipynb")

    def _secret(self) -> bytes:
        return seeds.secret(course_folder(self) / self.secret_file)

    def data_folder(self) -> Path:
        """The folder of the data that notebooks read; it need not be there."""
        return course_folder(self) / self.course_data

    def terms(self) -> Terms:
        """What this step is configured to, as the worker is told."""
        data = self.data_folder()
        return Terms(
            course_data=data if data.is_dir() else None,
            limits=gathered(self, Limits),
            sandbox=None if self.run_without_sandbox else gathered(self, SandboxLimits),
        )

    def prepare(self, assignment: str) -> dict[str, int]:
        """Start the worker, and make sure that submissions can be graded.

        Returns:
            The points of each suite of the assignment.

        Raises:
            SandboxUnavailable: there is no sandbox here, and running without is not allowed.
            SuiteError: a suite cannot be read.
        """
        worker.budget = self.budget()
        terms = self.terms()
        made_of = dependence.read_once(assignment, terms.course_data)
        with self._advice():
            suites = grader.prepare_worker(worker, [assignment], terms, self.log, made_of)
            return suites[assignment]

    def budget(self) -> Budget:
        """What a submission may use of a worker."""
        return Budget.of(gathered(self, Limits), gathered(self, GraderLimits))

    def pool(self, assignment: str, workers: int, cleaning: Cleaning | None) -> AnyPool[Ahead]:
        """Begin workers that grade ahead; see `suites`.

        Args:
            assignment: what is graded.
            workers: how many.
            cleaning: the limits of what is made safe there; None where nothing is.
        """
        work = partial(ahead.grade, cleaning=cleaning)

        def here(count: int) -> WorkerPool[Ahead]:
            terms, budget = self.terms(), self.budget()
            return WorkerPool(work, [assignment], terms, count, self.log, budget)

        if not self.scheduler:
            return here(workers)
        try:
            from autograder.grading import cluster
        except ImportError as error:
            raise CourseError(
                f"A scheduler needs Dask ({error}): pip install 'autograder[cluster]'"
            ) from None
        far = cluster.Cluster(
            work,
            [assignment],
            self.terms(),
            self.budget(),
            cluster.connected(self.scheduler, self.allow_insecure),
        )
        return InReserve(far, partial(here, workers), self.log)

    def suites(self, pool: AnyPool[Ahead], assignment: str) -> dict[str, int]:
        """The points of each suite, once the pool can grade.

        Raises:
            SandboxUnavailable, SuiteError: as of `prepare`.
        """
        with self._advice():
            return pool.suites[assignment]

    @contextmanager
    def _advice(self) -> Iterator[None]:
        """Say what can be done without a sandbox, and what it means."""
        if self.run_without_sandbox:
            self.log.warning("%s", UNSAFE)
        try:
            yield
        except SandboxUnavailable as error:
            raise SandboxUnavailable(
                f"{error} To grade without a sandbox, at your own risk, set"
                " c.GradeNotebook.run_without_sandbox = True in nbgrader_config.py."
            ) from None
