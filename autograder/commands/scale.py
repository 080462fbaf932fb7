"""A large class in one run: does it stay as fast and as small as it began, and as just?

Solutions of the corpora, correct, wrong and hostile, are drawn and graded by plain `nbgrader
autograde`, which tells what it is at (`autograder.pipeline.events`). Printed is, by part of the
class: how long a submission takes, and the memory of the grader, its workers and their templates.
Then: what is left behind, and what honest work earned beside hostile one. Exit status 1 where
something grows, is left, or was punished.
"""

import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import nbformat

from autograder import ROOT
from autograder.commands import corpora
from autograder.commands.processes import (
    SHARED_MEMORY,
    Process,
    abandoned_memory,
    family,
    find,
    memory,
    processor_seconds,
)
from autograder.commands.workspace import Workspace

#: Of a hundred submissions, so many are hostile and so many are wrong; the others are correct.
_HOSTILE, _WRONG = 10, 40
#: What hostile work may use, so that it is soon over, and any process at all, in bytes.
_LIMITS = (
    *("--GradeNotebook.cell_seconds=10", "--GradeNotebook.probe_seconds=10"),
    *("--GradeNotebook.submission_seconds=60", f"--GradeNotebook.memory_bytes={2**30}"),
)
_BYTES = 8 * 2**30
#: What may grow: a share of what there was, and bytes of memory.
_MORE, _MORE_BYTES = 1.2, 64 * 2**20
#: Seconds between two looks at the memory, and in which all processes end.
_LOOK, _SOON = 0.5, 30.0

_ROLES = ("grader", "workers", "templates")
_HEAD = (
    f"{'up to':>9} {'seconds each':>13} {'correct ones':>13}"
    + "".join(f" {role:>10}" for role in _ROLES)
    + f"\n{'':>9} {'(clock)':>13} {'(median)':>13}"
    + "".join(f" {'MiB':>10}" for _ in _ROLES)
)


@dataclass(frozen=True)
class Work:
    """What a student hands in.

    Attributes:
        kind: correct, wrong or hostile.
        loses: the tests that it deserves to lose; of hostile work, nobody says.
        score: what hostile work deserves; None where it cannot be graded.
        hand_in: writes it into a folder.
    """

    kind: str
    name: str
    hand_in: Callable[[Path], object]
    loses: frozenset[str] = frozenset()
    score: int | None = None


@dataclass
class Seen:
    """What was seen of a run.

    Attributes:
        saved: when each submission was in the gradebook, with its student and its own seconds.
        sizes: the bytes of each role, with how many had been saved.
        processes: all there were.
        spent: the processor seconds of nbgrader's own process, with how many had been saved.
    """

    began: float
    saved: list[tuple[float, str, float]] = field(default_factory=list)
    sizes: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    processes: set[Process] = field(default_factory=set)
    spent: list[tuple[int, float]] = field(default_factory=list)

    @property
    def each(self) -> float:
        """Processor seconds of nbgrader's own process for one more submission."""
        after = [look for look in self.spent if look[0]]
        if not after or after[-1][0] == after[0][0]:
            return 0.0
        (first, begun), (last, ended) = after[0], after[-1]
        return (ended - begun) / (last - first)


def main(arguments: Namespace) -> int:
    """Grade a class, and print what came of it."""
    assignment, count = arguments.assignment, arguments.submissions
    chance = random.Random(arguments.seed)
    with _folder(arguments.keep) as folder:
        course = Workspace.make(folder / "course", [assignment])
        everything = list(_works(assignment, folder))
        drawn = {
            f"s{place:05d}": chance.choice([each for each in everything if each.kind == kind])
            for place, kind in enumerate(_kinds(count, chance))
        }
        for student, work in drawn.items():
            there = course.notebook("submitted", assignment, student).parent
            there.mkdir(parents=True)
            work.hand_in(there)
        shared = set(os.listdir(SHARED_MEMORY))
        seen, status = _graded(course, assignment, folder)
        problems = [*_growth(seen, drawn), *_left(seen, folder, shared)]
        problems += _injustice(course, assignment, drawn)
        ungraded = any(each.kind == "hostile" and each.score is None for each in drawn.values())
        if status != int(ungraded):
            problems.append(f"nbgrader ended with status {status}")
        seconds = seen.saved[-1][0] - seen.began if seen.saved else 0.0
        print(
            f"\n{len(seen.saved)} of {count} in {seconds:.0f} s: {seconds / count:.2f} s each;"
            f" nbgrader's own process {seen.each:.3f} s of processor time each"
        )
        for what, size in _disk(course).items():
            print(f"{what}: {size / count / 1024:.0f} KiB a submission")
        print("\n".join(problems) or "Nothing grows, nothing is left, no honest work was punished.")
        return int(bool(problems))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        yield Path(name)


# ------------------------------------------------------------------------------------- who hands in


def _kinds(count: int, chance: random.Random) -> list[str]:
    """The kind of each submission: the same shares in every part of the class."""
    kinds: list[str] = []
    while len(kinds) < count:
        some = ["hostile"] * (_HOSTILE // 5) + ["wrong"] * (_WRONG // 5)
        some += ["correct"] * (20 - len(some))
        chance.shuffle(some)
        kinds += some
    return kinds[:count]


def _works(assignment: str, folder: Path) -> Iterator[Work]:
    """All that could be handed in for an assignment."""
    for entry in corpora.load(assignment):
        kind = "wrong" if entry.loses else "correct"
        yield Work(kind, entry.name, _writes(entry), frozenset(entry.loses))
    solution = ROOT / "source" / assignment / f"{assignment}.ipynb"
    host = folder / "host"  # what hostile work finds, if it gets out
    host.mkdir()
    places = {name: str(host) for name in ("course", "root", "home", "host", "site", "bin")}
    words = {**places, "mark": "hostile-scale", "port": "9"}
    for hostile in _hostile():
        if hostile.assignment == assignment:

            def hand_in(there: Path, hostile: Any = hostile) -> None:
                hostile.hand_in(nbformat.read(solution, 4), there, words)

            yield Work("hostile", hostile.name, hand_in, score=hostile.score)


def _writes(entry: corpora.Entry) -> Callable[[Path], object]:
    @cache
    def text() -> str:
        written: str = nbformat.writes(corpora.build(entry))
        return written

    return lambda there: (there / f"{entry.assignment}.ipynb").write_text(text())


def _hostile() -> Iterator[Any]:
    """The corpus of hostile submissions, read as its tests read it."""
    path = ROOT / "tests" / "hostile" / "__init__.py"
    spec = importlib.util.spec_from_file_location("autograder_hostile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks for it
    spec.loader.exec_module(module)
    yield from module.entries()


# ------------------------------------------------------------------------------------------ the run


def _graded(course: Workspace, assignment: str, folder: Path) -> tuple[Seen, int]:
    """Grade all of it; what was seen, and the exit status."""
    temporary = folder / "tmp"
    temporary.mkdir()
    ours, theirs = os.pipe()
    words = [str(Path(sys.executable).with_name("nbgrader")), "autograde", assignment, *_LIMITS]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*words, f"--SubmissionExporter.progress={theirs}"],
            cwd=course.folder,
            env={**os.environ, "TMPDIR": str(temporary), "PYTHONWARNINGS": "ignore"},
            stdout=log,
            stderr=log,
            pass_fds=[theirs],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (_BYTES, _BYTES)),
        )
    os.close(theirs)
    seen, ended = Seen(time.monotonic()), threading.Event()
    looking = threading.Thread(target=_look, args=(process.pid, seen, ended))
    looking.start()
    with os.fdopen(ours) as told:
        for line in told:
            event = json.loads(line)
            if event["kind"] in ("saved", "failed"):
                seen.saved.append((time.monotonic(), event["student"], event.get("seconds", 0.0)))
    status = process.wait()
    ended.set()
    looking.join()
    return seen, status


def _look(root: int, seen: Seen, ended: threading.Event) -> None:
    """Note the memory of each role, now and then."""
    while not ended.wait(_LOOK):
        members = family(root)
        seen.processes.update(members)
        below = {each.pid: each for each in members}
        sizes: Counter[str] = Counter()
        for each in members:
            if role := _role(each, root, below):
                sizes[role] += memory(each.pid)
        if len(sizes) == len(_ROLES):  # not while one of them is just being replaced
            seen.sizes.append((len(seen.saved), dict(sizes)))
        if spent := processor_seconds(root):
            seen.spent.append((len(seen.saved), spent))


def _role(process: Process, root: int, below: dict[int, Process]) -> str:
    """What a process is; empty for kernels, whose memory is the submissions'."""
    if process.pid == root:
        return "grader"
    parent = below.get(process.parent)
    if parent is not None and parent.name == "bwrap":
        return "templates"
    while process.pid != root and process.name != "bwrap":  # workers, and what they come from
        if process.parent not in below:
            return ""
        process = below[process.parent]
    return "workers" if process.pid == root else ""


# ---------------------------------------------------------------------------------- what came of it


def _growth(seen: Seen, drawn: dict[str, Work]) -> Iterator[str]:
    """Print a line for each part of the class; say what has grown from the second to the last."""
    count = len(drawn)
    parts = min(10, max(2, count // 20))
    print(_HEAD)
    rows = []
    for part in range(parts):
        first, last = part * count // parts, (part + 1) * count // parts
        times = [seen.began, *(when for when, *_ in seen.saved)][first : last + 1]
        own = [
            seconds
            for _, student, seconds in seen.saved[first:last]
            if drawn[student].kind == "correct"
        ]
        looks = [sizes for saved, sizes in seen.sizes if first <= saved < last]
        sizes = {role: median(each[role] for each in looks) if looks else 0 for role in _ROLES}
        each = (times[-1] - times[0]) / max(1, len(times) - 1)
        rows.append((median(own) if own else 0.0, sizes))
        print(
            f"{last:>9} {each:>13.2f} {rows[-1][0]:>13.2f}"
            + "".join(f" {sizes[role] / 2**20:>10.0f}" for role in _ROLES),
            flush=True,
        )
    (before, sizes_before), (after, sizes_after) = rows[min(1, parts - 2)], rows[-1]
    if after > _MORE * before:
        yield f"A correct submission takes {after:.2f} s at the end, and {before:.2f} s before"
    for role in _ROLES:
        if sizes_after[role] > _MORE * sizes_before[role] + _MORE_BYTES:
            yield f"The memory of the {role} has grown"


def _left(seen: Seen, folder: Path, shared: set[str]) -> Iterator[str]:
    """What the run has left behind: processes, temporary files and sockets, shared memory."""
    deadline = time.monotonic() + _SOON
    while left := [each for each in seen.processes if find(each.pid) == each]:
        if time.monotonic() > deadline:
            yield f"Processes are left: {', '.join(f'{each.name} {each.pid}' for each in left)}"
            break
        time.sleep(0.1)
    if files := sorted(os.listdir(folder / "tmp")):
        yield f"Left in the folder for temporary files: {', '.join(files)}"
    if files := abandoned_memory(shared):
        yield f"Left in /dev/shm: {', '.join(files)}"
    if files := sorted(os.listdir(folder / "host")):
        yield f"Hostile work came to the folder {folder / 'host'}: {', '.join(files)}"


def _injustice(course: Workspace, assignment: str, drawn: dict[str, Work]) -> Iterator[str]:
    """Say which honest work lost what it should not, and which hostile work earned too much."""
    for student, work in drawn.items():
        if not course.notebook("autograded", assignment, student).exists():
            yield f"{student}, {work.name}: is not graded"
        elif work.kind == "hostile":
            score = course.score(assignment, student)
            if score is not None and score > (work.score or 0):
                yield f"{student}, {work.name}: earned {score:g}, deserves {work.score or 0}"
        else:
            tests = course.tests(assignment, student)
            lost = {name for name, each in tests.items() if each["earned"] < each["points"]}
            if not tests or lost != work.loses:
                wrongly = ", ".join(sorted(lost ^ work.loses)) or "everything"
                yield f"{student}, {work.name}: otherwise than it should be in {wrongly}"


def _disk(course: Workspace) -> dict[str, int]:
    """The bytes that the run has written, by where."""
    folders = ("submitted", "autograded", "history")
    found = {
        f"{name}/": sum(path.stat().st_size for path in (course.folder / name).rglob("*.*"))
        for name in folders
    }
    return {**found, "gradebook.db": (course.folder / "gradebook.db").stat().st_size}
