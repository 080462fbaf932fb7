"""The benchmark: grading side by side with stock nbgrader, as ratios measured in one run.

The same submissions are graded by `nbgrader autograde` with nbgrader's own configuration and with
this course's; by `otter run`, where otter-grader is installed; and (the floor) their cells alone
are executed in processes forked from a warm one, without Jupyter, sandbox, suites or gradebook, and
without the cells that only draw.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

import nbformat

from autograder import ROOT, sandbox
from autograder.commands.corpora import Sample, build, samples
from autograder.commands.processes import family, memory
from autograder.commands.workspace import Workspace
from autograder.kernel.protocol import Launch, Limits
from autograder.kernel.student_kernel import StudentKernel
from autograder.submission.cells import only_draws

#: Samples that wait for a limit or die measure the limits, not the grading.
_LEFT_OUT = {"goran", "hana"}

_HEAD = f"""\
Seconds a submission, one at a time, in one `nbgrader autograde`, its start included; seconds that
one more submission takes; the floor, the seconds that its cells take alone; seconds a submission
where as many are graded at once as there are cores, start included, with the ratio to stock; and
seconds that one `otter run` takes for it, with a single test that does nothing.

{"":16} {{:>7}} {"":7} {"":>6}  {"one more":>9}
{"assignment":16} {"stock":>7} {"this":>7} {"ratio":>6}  {"stock":>9} {"this":>7} {"ratio":>6}\
 {"floor":>7} {"this-floor":>11} {"at once":>8} {"ratio":>6} {"otter":>7}"""

_ONE_WORKER = "--GradeNotebook.workers=1"

_OTTER_TEST = """
OK_FORMAT = True
case = {"code": ">>> 1 + 1\\n2", "hidden": False, "locked": False}
suite = {"type": "doctest", "scored": True, "setup": "", "teardown": "", "cases": [case]}
test = {"name": "q1", "points": 1, "suites": [suite]}
"""

_FLOOR = """
import os, sys, time, json
os.environ["MPLBACKEND"] = "Agg"
import matplotlib.pyplot, torch, torchvision
for path in sys.argv[1:]:
    cells = json.loads(open(path).read())
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        sys.stdout = open(os.devnull, "w")
        space = {"__name__": "__main__"}
        for cell in cells:
            try:
                exec(compile(cell, "<cell>", "exec"), space)
            except Exception:
                pass
        os._exit(0)
    os.waitpid(child, 0)
    print(time.monotonic() - started, flush=True)
"""


@dataclass(frozen=True)
class Run:
    """Seconds of one way to grade an assignment: all submissions, and one alone."""

    all: float
    one: float
    submissions: int

    @property
    def each(self) -> float:
        """Seconds for a submission of many, the command's own start shared among them."""
        return self.all / self.submissions

    @property
    def further(self) -> float:
        """Seconds that one more submission takes."""
        return (self.all - self.one) / (self.submissions - 1)


@dataclass(frozen=True)
class Timing:
    """What was measured on one assignment.

    Attributes:
        stock, this: one submission after the other.
        at_once: seconds for a submission of many, graded on all cores.
        floor, otter: seconds for one submission.
    """

    assignment: str
    stock: Run
    this: Run
    at_once: float
    floor: float
    otter: float | None


def main(arguments: Namespace) -> int:
    """Measure and print the table."""
    students: int = arguments.students
    todo = [sample for sample in samples() if sample.student not in _LEFT_OUT]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        timings = []
        print(_HEAD.format(f"of {students}"), flush=True)
        for assignment in sorted({sample.entry.assignment for sample in todo}):
            part = [sample for sample in todo if sample.entry.assignment == assignment]
            timings.append(_measure(assignment, part, students, Path(folder) / assignment))
            print(_row(assignment, timings[-1:]), flush=True)
    print(_row("all", timings))
    print("\n" + _kernels())
    return 0


def _measure(assignment: str, part: list[Sample], students: int, folder: Path) -> Timing:
    this = Workspace.make(folder / "this", [assignment])
    stock = Workspace(folder / "stock")
    for place in range(students):
        sample = part[place % len(part)]
        this.submit(f"{place:03d}-{sample.student}", assignment, _work(sample))
    shutil.copytree(this.folder, stock.folder)
    (stock.folder / "nbgrader_config.py").unlink()
    work = [part[place % len(part)] for place in range(students)]
    # Stock, the longest, in the middle: a machine that gets faster or slower meanwhile does so for
    # all alike.
    floor, this_run = _floor(work, folder), _run(this, assignment, _ONE_WORKER)
    at_once = _at_once(this, assignment)
    stock_run = _run(stock, assignment)
    many = (at_once, _at_once(this, assignment))
    floors, these = (floor, _floor(work, folder)), (this_run, _run(this, assignment, _ONE_WORKER))
    mean_run = Run(mean(each.all for each in these), mean(each.one for each in these), students)
    otter = _otter(part, folder) if find_spec("otter") else None
    return Timing(
        assignment=assignment,
        stock=stock_run,
        this=mean_run,
        at_once=mean(many) / students,
        floor=mean(floors) / students,
        otter=otter,
    )


def _work(sample: Sample) -> nbformat.NotebookNode:
    if sample.untouched:
        released = Workspace(ROOT).notebook("release", sample.entry.assignment)
        nb: nbformat.NotebookNode = nbformat.read(released, 4)
        return nb
    return build(sample.entry)


def _run(course: Workspace, assignment: str, *options: str) -> Run:
    students = sorted(path.name for path in (course.folder / "submitted").iterdir())
    one = ("autograde", assignment, "--student", students[0])
    course.nbgrader(*one)  # what a first run alone has to do: fill caches, write a secret
    alone = [_seconds(lambda: course.nbgrader(*one, "--force"))]
    everybody = _seconds(lambda: course.nbgrader("autograde", assignment, "--force", *options))
    alone.append(_seconds(lambda: course.nbgrader(*one, "--force")))
    return Run(everybody, mean(alone), len(students))


def _at_once(course: Workspace, assignment: str) -> float:
    """Seconds for all submissions, on all cores."""
    return _seconds(lambda: course.nbgrader("autograde", assignment, "--force"))


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _floor(work: list[Sample], folder: Path) -> float:
    """Seconds for the cells of all submissions alone."""
    paths = []
    for place, sample in enumerate(work):
        cells = [c for c in _work(sample).cells if c.cell_type == "code" and not only_draws(c)]
        path = folder / f"{place}.json"
        path.write_text(json.dumps([cell.source for cell in cells]))
        paths.append(str(path))
    done = subprocess.run(
        [sys.executable, "-c", _FLOOR, *paths],
        cwd=folder,
        env={**os.environ, "COURSE_DATA": str(ROOT / "course_data"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return sum(map(float, done.stdout.split()))


def _otter(part: list[Sample], folder: Path) -> float:
    """Seconds for a submission by otter-grader without its containers, which need Docker."""
    (folder / "tests").mkdir()
    (folder / "tests" / "q1.py").write_text(_OTTER_TEST)
    environment = {**os.environ, "COURSE_DATA": str(ROOT / "course_data")}

    def otter(*words: str) -> None:
        command = (sys.executable, "-m", "otter", *words)
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)

    otter("generate", "--tests-dir", "tests", "--output-path", "autograder.zip", "--no-environment")
    seconds = []
    for sample in part:
        nbformat.write(_work(sample), folder / "submission.ipynb")
        seconds.append(_seconds(lambda: otter("run", "submission.ipynb", "--no-logo")))
    return mean(seconds)


def _row(name: str, timings: list[Timing]) -> str:
    stock, this = (mean(run.each for run in runs) for runs in _runs(timings))
    stock_further, this_further = (mean(run.further for run in runs) for runs in _runs(timings))
    floor = mean(each.floor for each in timings)
    at_once = mean(each.at_once for each in timings)
    otters = [each.otter for each in timings if each.otter is not None]
    otter = f"{mean(otters):.2f}" if otters else "-"
    return (
        f"{name:16} {stock:7.2f} {this:7.2f} {stock / this:6.1f}  {stock_further:9.2f}"
        f" {this_further:7.2f} {stock_further / this_further:6.1f} {floor:7.2f}"
        f" {this_further - floor:11.2f} {at_once:8.2f} {stock / at_once:6.1f} {otter:>7}"
    )


def _runs(timings: list[Timing]) -> tuple[list[Run], list[Run]]:
    return [each.stock for each in timings], [each.this for each in timings]


def _kernels(count: int = 5) -> str:
    """How fast student kernels are ready after the first, and what one more costs in memory."""
    launch = Launch(0, ROOT / "course_data")
    nb = nbformat.v4.new_notebook()
    running: list[StudentKernel] = []
    ready, memory = [], []
    for _ in range(count + 1):
        kernel = StudentKernel(nb, launch, Limits(), logging.getLogger(__name__))
        ready.append(_seconds(kernel.start))
        running.append(kernel)
        memory.append(_settled())
    for kernel in running:
        kernel.close()
    sandbox.close_templates()
    more = [(after - before) / 2**20 for before, after in pairwise(memory)]
    return (
        f"student kernel ready: first {ready[0]:.2f} s,"
        f" then {median(ready[1:]):.2f} s (median of {count})\n"
        f"memory of one more student kernel: {median(more):.0f} MiB"
        " (proportional set size, all processes)"
    )


def _settled() -> int:
    """The same as `_proportional`, once no process here makes or arranges memory any more."""
    size = _proportional()
    while True:
        time.sleep(0.5)
        before, size = size, _proportional()
        if abs(size - before) < 2**20:
            return size


def _proportional() -> int:
    """The proportional set size of this process and all below it, in bytes."""
    return sum(memory(each.pid) for each in family(os.getpid()))
