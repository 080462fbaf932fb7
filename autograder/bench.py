"""The benchmark: grading side by side with stock nbgrader, as ratios measured in one run.

The same submissions are graded by `nbgrader autograde` three times: with nbgrader's own
configuration, with this course's, and (the floor) their cells alone are executed in processes
forked from a warm one, without Jupyter, sandbox, suites or gradebook.
"""

import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nbformat

from autograder import ROOT, sandbox
from autograder.audit import build
from autograder.demo import Sample, samples
from autograder.kernel import Launch, Limits, StudentKernel
from autograder.sandbox import SandboxLimits
from autograder.workspace import Workspace

#: Samples that wait for a limit or die measure the limits, not the grading.
_LEFT_OUT = {"goran", "hana"}

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
class Timing:
    """Seconds for one assignment's submissions: in all, or each, as measured."""

    assignment: str
    submissions: int
    stock: float
    ours: float
    floor: float
    single: float


def run() -> int:
    """Measure and print the table."""
    todo = [sample for sample in samples() if sample.student not in _LEFT_OUT]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        timings = []
        for assignment in sorted({sample.entry.assignment for sample in todo}):
            part = [sample for sample in todo if sample.entry.assignment == assignment]
            print(f"measuring {assignment} …", flush=True)
            timings.append(_measure(assignment, part, Path(folder) / assignment))
    _print(timings)
    print("\n" + _kernels())
    return 0


def _measure(assignment: str, part: list[Sample], folder: Path) -> Timing:
    ours = Workspace.make(folder / "ours", [assignment])
    stock = Workspace(folder / "stock")
    for sample in part:
        released = ours.notebook("release", assignment)
        work = nbformat.read(released, 4) if sample.untouched else build(sample.entry)
        ours.submit(sample.student, assignment, work)
    shutil.copytree(ours.folder, stock.folder)
    (stock.folder / "nbgrader_config.py").unlink()
    shutil.copytree(ROOT / "course_data", folder / "course_data")
    one = part[0].student
    return Timing(
        assignment=assignment,
        submissions=len(part),
        stock=_seconds(lambda: stock.nbgrader("autograde", assignment)),
        ours=_seconds(lambda: ours.nbgrader("autograde", assignment)),
        floor=_floor(part, folder),
        single=_seconds(
            lambda: ours.nbgrader("autograde", assignment, "--force", "--student", one)
        ),
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _floor(part: list[Sample], folder: Path) -> float:
    """Seconds for the cells of all submissions alone."""
    paths = []
    for sample in part:
        nb = build(sample.entry)
        if sample.untouched:
            nb = nbformat.read(Workspace(ROOT).notebook("release", sample.entry.assignment), 4)
        path = folder / f"{sample.student}.json"
        path.write_text(json.dumps([c.source for c in nb.cells if c.cell_type == "code"]))
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


def _print(timings: list[Timing]) -> None:
    print(
        "\nseconds a submission, one at a time; `nbgrader autograde` from its start to its end\n\n"
        f"{'assignment':16} {'n':>3} {'stock':>7} {'this':>7} {'floor':>7}"
        f" {'stock/this':>11} {'this-floor':>11} {'n=1':>7}"
    )
    for each in timings:
        n = each.submissions
        print(
            f"{each.assignment:16} {n:3d} {each.stock / n:7.2f} {each.ours / n:7.2f}"
            f" {each.floor / n:7.2f} {each.stock / each.ours:11.1f}"
            f" {(each.ours - each.floor) / n:11.2f} {each.single:7.2f}"
        )
    n = sum(each.submissions for each in timings)
    stock, ours, floor = (
        sum(getattr(each, name) for each in timings) for name in ("stock", "ours", "floor")
    )
    print(
        f"{'all':16} {n:3d} {stock / n:7.2f} {ours / n:7.2f} {floor / n:7.2f}"
        f" {stock / ours:11.1f} {(ours - floor) / n:11.2f}"
    )


def _kernels(count: int = 5) -> str:
    """How fast student kernels are ready after the first, and what one more costs in memory."""
    launch = Launch(Path(tempfile.mkdtemp()), 0, ROOT / "course_data", SandboxLimits())
    nb = nbformat.v4.new_notebook()
    running: list[StudentKernel] = []
    ready, memory = [], [_proportional()]
    for _ in range(count + 1):
        kernel = StudentKernel(nb, launch, Limits(), logging.getLogger(__name__))
        ready.append(_seconds(kernel.start))
        running.append(kernel)
        memory.append(_proportional())
    for kernel in running:
        kernel.close()
    sandbox.close_templates()
    launch.folder.rmdir()
    more = [(after - before) / 2**20 for before, after in pairwise(memory[1:])]
    return (
        f"student kernel ready: first {ready[0]:.2f} s,"
        f" then {statistics.median(ready[1:]):.2f} s (median of {count})\n"
        f"memory of one more student kernel: {statistics.median(more):.0f} MiB"
        " (proportional set size, all processes)"
    )


def _proportional() -> int:
    """The proportional set size of this process and all below it, in bytes."""
    total = 0
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text()
            parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    for pid in family:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:")
    return total * 1024
