"""What SIGKILL does to grading: one process of a run after the other, each at a random moment.

    python -m tests.kill_trials [TRIALS [SEED]]

Each trial grades six submissions in a course folder of its own, kills one process meanwhile, and
then calls plain `nbgrader autograde`. Nearly always somebody is killed while a worker has a
submission in hand, as nbgrader tells (`autograder.pipeline.events`); the others while they start.
Counted is, by who was killed: how often that was so, how often all went on by itself, and what was
wrong. Wrong is: a gradebook or notebooks that are not what they would have
been, work that was finished and is graded again, a call that does not end, a next call that does
not end well, and anything that is left behind: processes, folders, shared memory. The exit status
is 1 where anything was.
"""

import json
import math
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from autograder.commands import corpora
from autograder.commands.processes import SHARED_MEMORY, abandoned_memory
from autograder.commands.workspace import Workspace
from autograder.grading.report import SUMMARY_ID
from tests import cluster
from tests.cluster import Cluster

ASSIGNMENT, SUBMISSIONS = "parameters", 6
#: One in so many is killed at some moment of the start; the others in such a part of a second after
#: the first submission is in hand, or after so many of them are graded.
AT_START, PART, AFTER = 10, 0.5, (0, 0, 1, 2, 3)
NBGRADER = str(Path(sys.executable).with_name("nbgrader"))
#: Seconds in which a run ends, whatever becomes of it, and in which its processes do.
PATIENCE, SOON = 400.0, 30.0

Rows = dict[str, list[tuple[Any, ...]]]


# ------------------------------------------------------------------------------------ who is killed


def grader(run: "Run") -> list[psutil.Process]:
    """nbgrader's process."""
    return [run.process]


def worker(run: "Run") -> list[psutil.Process]:
    """The processes beside it."""
    return [each for each in run.process.children() if each.name() != "bwrap"]


def template(run: "Run") -> list[psutil.Process]:
    """What kernels are forked from: bubblewrap, and the process in it."""
    outer = [each for each in run.family() if each.name() == "bwrap"]
    outer = [each for each in outer if not _is_below(each, "bwrap")]
    return [*outer, *(inner for each in outer for inner in each.children())]


def kernel(run: "Run") -> list[psutil.Process]:
    """A kernel, or its init."""
    templates = template(run)
    below = [each for one in templates for each in one.children(recursive=True)]
    return [each for each in below if each not in templates]


def scheduler(run: "Run") -> list[psutil.Process]:
    """Dask's scheduler."""
    assert run.dask
    return [psutil.Process(run.dask.scheduler.pid)]


def dask_worker(run: "Run") -> list[psutil.Process]:
    """A worker of Dask's."""
    assert run.dask
    return [psutil.Process(each.pid) for each in run.dask.workers]


def beside_dask(run: "Run") -> list[psutil.Process]:
    """The worker of ours beside one of Dask's."""
    return [child for each in dask_worker(run) for child in each.children()]


def _is_below(process: psutil.Process, name: str) -> bool:
    return any(parent.name() == name for parent in process.parents())


Victim = Callable[["Run"], list[psutil.Process]]
VICTIMS: tuple[Victim, ...] = (
    grader,
    worker,
    template,
    kernel,
    scheduler,
    dask_worker,
    beside_dask,
)
ON_DASK: tuple[Victim, ...] = (scheduler, dask_worker, beside_dask)


# ---------------------------------------------------------------------------------------- one trial


@dataclass
class Run:
    """A run of nbgrader: its process, its course, and the cluster that it grades on.

    Attributes:
        own: all processes that were seen below it, and itself: they must end with it.
        told: the students of whom it has told each kind of thing, where it tells anything.
    """

    process: psutil.Popen
    course: Workspace
    dask: Cluster | None
    own: set[psutil.Process] = field(default_factory=set)
    told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def listen(self, pipe: int) -> None:
        """Note what it tells, to its end."""
        with os.fdopen(pipe) as lines:
            for line in lines:
                event = json.loads(line)
                self.told[event["kind"]].add(event.get("student", ""))

    @property
    def begun(self) -> bool:
        """Whether any submission has been given to a worker."""
        return bool(self.told["under_way"])

    @property
    def in_hand(self) -> set[str]:
        """The students whose work is being graded."""
        return self.told["under_way"] - self.told["answered"]

    def family(self) -> list[psutil.Process]:
        """All processes that have part in it now."""
        roots = [self.process]
        if self.dask:
            roots += [psutil.Process(each.pid) for each in self.dask.workers]
        found = []
        for root in roots:
            try:
                found += [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found

    def look(self) -> None:
        """Note its own processes."""
        with suppress(psutil.NoSuchProcess):
            self.own.update(self.process.children(recursive=True))

    def end(self) -> int | None:
        """Wait for its end; its exit status, None where it comes to no end."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.look()
            try:
                status: int = self.process.wait(0.1)
                return status
            except psutil.TimeoutExpired:
                continue
        return None

    def left(self) -> list[psutil.Process]:
        """What is left of it some time after its end."""
        return list(psutil.wait_procs(self.own, SOON)[1])


@dataclass
class Trial:
    """What came of one.

    Attributes:
        at_start: whether it was to be killed at some moment of the start.
        saved: how many were graded when it was killed.
        in_hand: how many were being graded then.
        status: how the run ended that something was killed of; `next` how the next one did.
    """

    victim: str
    moment: float
    at_start: bool = False
    saved: int = 0
    in_hand: int = 0
    status: int = 0
    next: int = 0
    problems: list[str] = field(default_factory=list)


class Trials:
    """A course folder to be copied, and what grading it comes to where nothing is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.course = Workspace.make(folder / "course", [ASSIGNMENT])
        samples = [each for each in corpora.samples() if each.entry.assignment == ASSIGNMENT]
        samples = [each for each in samples if not each.untouched]
        for place in range(SUBMISSIONS):
            entry = samples[place % len(samples)].entry
            self.course.submit(f"s{place}", ASSIGNMENT, corpora.build(entry))
        self.start: dict[bool, float] = {}
        done = self._copy("alone")
        self.start[False] = self._undisturbed(done, None)
        self.rows, self.cells = rows(done), graded(done)
        assert len(self.cells) == SUBMISSIONS, "nothing can be graded here"

    def _copy(self, name: str) -> Workspace:
        shutil.copytree(self.course.folder, self.folder / name, symlinks=True)
        return Workspace(self.folder / name)

    def _undisturbed(self, course: Workspace, dask: Cluster | None) -> float:
        """Grade all; return how many seconds it took until the first submission was in hand."""
        started = time.monotonic()
        run = self._begin(course, dask)
        while run.process.poll() is None and not run.begun:
            time.sleep(0.01)
        start = time.monotonic() - started
        assert run.end() == 0, (course.folder / "log").read_text()
        return start

    def _begin(self, course: Workspace, dask: Cluster | None = None) -> Run:
        temporary = course.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        ours, theirs = os.pipe()
        words = [NBGRADER, "autograde", ASSIGNMENT, "--GradeNotebook.workers=2"]
        words.append(f"--SubmissionExporter.progress={theirs}")
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONWARNINGS": "ignore"}
        if dask:
            words.append(f"--GradeNotebook.scheduler={dask.address}")
            environment |= dask.environment
        with (course.folder / "log").open("ab") as log:
            process = psutil.Popen(
                words,
                cwd=course.folder,
                env=environment,
                stdout=log,
                stderr=log,
                pass_fds=[theirs],
            )
        os.close(theirs)
        run = Run(process, course, dask)
        threading.Thread(target=run.listen, args=[ours], daemon=True).start()
        return run

    def trial(self, number: int, victim: Victim, chance: random.Random) -> Trial:
        """Kill somebody at a moment of the run, and see what the next call makes of it."""
        course = self._copy(f"trial-{number}")
        shared = set(os.listdir(SHARED_MEMORY))
        with ExitStack() as stack:
            dask = None
            if victim in ON_DASK:
                dask = stack.enter_context(
                    cluster.running(self.folder / f"dask-{number}", workers=2)
                )
                if True not in self.start:
                    self.start[True] = self._undisturbed(self._copy("on-dask"), dask)
            trial = self._killed(course, dask, victim, chance)
        finished = {student: _touched(course, student) for student in graded(course)}
        before = rows(course)
        for student in finished:
            if before.get(student) != self.rows[student]:
                trial.problems.append(f"{student}: finished, but the gradebook has other rows")
        for path in (course.folder / "tmp").iterdir():  # old enough to be another process's
            os.utime(path, (0, 0))
        run = self._begin(course)
        trial.next = self._end(run, trial)
        if trial.next != 0:
            trial.problems.append(f"the next call ends with {trial.next}")
        if rows(course) != self.rows:
            trial.problems.append("the gradebook is not what it would have been")
        if graded(course) != self.cells:
            trial.problems.append("the notebooks are not what they would have been")
        if again := [each for each in finished if _touched(course, each) != finished[each]]:
            trial.problems.append(f"graded again: {', '.join(again)}")
        if left_files := sorted(os.listdir(course.folder / "tmp")):
            trial.problems.append(f"left in the temporary folder: {left_files}")
        if left_files := abandoned_memory(shared):
            trial.problems.append(f"left in /dev/shm: {left_files}")
        if not trial.problems:
            shutil.rmtree(course.folder)
        return trial

    def _killed(
        self, course: Workspace, dask: Cluster | None, victim: Victim, chance: random.Random
    ) -> Trial:
        """Begin a run and kill somebody; a moment that is too late is drawn again."""
        at_start = chance.randrange(AT_START) == 0
        while True:
            after = chance.choice(AFTER)
            moment = chance.random() * (self.start[dask is not None] if at_start else PART)
            started = time.monotonic()
            due = started + moment if at_start else math.inf
            run = self._begin(course, dask)
            trial = Trial(victim.__name__, moment, at_start)
            while run.process.poll() is None:
                run.look()
                if due == math.inf and run.begun and len(graded(course)) >= after:
                    due = time.monotonic() + moment
                if time.monotonic() > due and (at_start or run.in_hand):
                    trial.saved, trial.in_hand = len(graded(course)), len(run.in_hand)
                    trial.moment = time.monotonic() - started
                    if self._kill(victim, run, chance):
                        trial.status = self._end(run, trial)
                        return trial
                time.sleep(0.01)
            for name in ("autograded", "history", "gradebook.db"):  # it was too late
                path = course.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copy(self.course.folder / "gradebook.db", course.folder)

    @staticmethod
    def _kill(victim: Victim, run: Run, chance: random.Random) -> bool:
        """Kill one of those that a victim may be; False where there is none just now."""
        try:
            chosen = victim(run)
            if chosen:
                chance.choice(chosen).kill()
            return bool(chosen)
        except psutil.NoSuchProcess:
            return False

    @staticmethod
    def _end(run: Run, trial: Trial) -> int:
        status = run.end()
        if status is None:
            stacks = [f"{each}: {_waits(each)}" for each in run.family()]
            trial.problems.append("a run does not end: " + "; ".join(stacks))
            run.process.kill()
            status = run.process.wait()
        if left := run.left():
            trial.problems.append(f"processes are left: {left}")
        return int(status)


def _waits(process: psutil.Process) -> str:
    """Where each thread of a process waits in the system."""
    try:
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        return ", ".join((task / "wchan").read_text() for task in tasks)
    except OSError:
        return "gone"


def rows(course: Workspace) -> Rows:
    """What the gradebook has of each student's grades; twice where it is there twice."""
    with course.gradebook() as gradebook:
        found: Rows = {}
        for submission in gradebook.assignment_submissions(ASSIGNMENT):
            found.setdefault(submission.student_id, []).extend(
                sorted(
                    (grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                    for book in submission.notebooks
                    for grade in book.grades
                )
            )
        return found


def graded(course: Workspace) -> dict[str, list[Any]]:
    """The cells of each notebook that is finished, by student."""
    found = {}
    for path in course.folder.glob(f"autograded/*/{ASSIGNMENT}/{ASSIGNMENT}.ipynb"):
        try:
            cells = json.loads(path.read_text())["cells"]
        except ValueError:  # in the midst of being written
            continue
        if any(cell.get("id") == SUMMARY_ID for cell in cells):
            found[path.parts[-3]] = cells
    return found


def _touched(course: Workspace, student: str) -> int:
    return course.notebook("autograded", ASSIGNMENT, student).stat().st_mtime_ns


# ---------------------------------------------------------------------------------------------- all


def main() -> int:
    """Do the trials, and count."""
    trials, seed = map(int, (sys.argv[1:] + ["50", "0"][len(sys.argv) - 1 :])[:2])
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-trials-"))
    counts: Counter[str] = Counter()
    all_of_them = Trials(folder)
    for number, victim in zip(range(trials), _turns(), strict=False):
        trial = all_of_them.trial(number, victim, chance)
        counts[f"{trial.victim} killed"] += 1
        counts[f"{trial.victim} killed while submissions were graded"] += trial.in_hand > 0
        counts[f"{trial.victim} went on by itself"] += trial.status == 0
        counts["killed while submissions were graded"] += trial.in_hand > 0
        counts["killed with some graded"] += trial.saved > 0
        counts["killed at the start"] += trial.at_start
        counts["problems"] += bool(trial.problems)
        print(
            f"{number + 1}: {trial.victim} after {trial.moment:.1f} s, {trial.saved} graded,"
            f" {trial.in_hand} in hand:"
            f" status {trial.status}, next {trial.next}: {'; '.join(trial.problems) or 'right'}",
            flush=True,
        )
    for what, count in counts.items():
        print(f"{what}: {count}")
    if counts["problems"]:
        print(f"What was wrong lies in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _turns() -> Iterator[Victim]:
    while True:
        yield from VICTIMS


if __name__ == "__main__":
    sys.exit(main())
