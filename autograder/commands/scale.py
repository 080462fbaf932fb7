"""A large class in one run: does it stay as fast and as small as it began, and as just?

Solutions of the corpora, correct, wrong and hostile, are drawn and graded by plain `nbgrader
autograde`, which tells what it is at (`autograder.pipeline.events`). Printed is, part by part of
the class and as a table of markdown: how long a submission takes, and the memory of the grader, its
workers and their templates. Then: what is left behind, and what honest work earned beside hostile
one. Exit status 1 where something grows, is left, or was punished.
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
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import nbformat

from autograder import ROOT
from autograder.commands import corpora, growth
from autograder.commands.grade import errors
from autograder.commands.grading_run import Live, Run
from autograder.commands.growth import Part
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
#: Seconds between two looks at the memory, and in which all that belongs to a run goes.
_LOOK, _SOON = 0.5, 30.0
#: So many of those that were not graded are named.
_NAMED = 5

_ROLES = ("grader", "workers", "templates")
_COLUMNS = ("up to", "seconds each", "a correct one, seconds", *(f"{role}, MiB" for role in _ROLES))
#: What hostile work looks for on a grader's machine, and some of it links to.
_BAIT = (
    *("nbgrader_config.py", "gradebook.db", "beside-the-gradebook.txt", "source/notes.txt"),
    *("holdout/labels.csv", ".ssh/id_rsa", ".bashrc"),
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
        ungraded: those who have no score, each with why.
        refused: why the run ended before its end.
        sizes: the bytes of each role, with how many had been saved.
        processes: all there were.
        spent: the processor seconds of nbgrader's own process, with how many had been saved.
    """

    began: float
    saved: list[tuple[float, str, float]] = field(default_factory=list)
    ungraded: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    sizes: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    processes: set[Process] = field(default_factory=set)
    spent: list[tuple[int, float]] = field(default_factory=list)

    def note(self, event: dict[str, Any]) -> None:
        """Add what was told just now."""
        if event["kind"] == "refused":
            self.refused = event["why"]
        if event["kind"] in ("saved", "failed"):
            student = event["student"]
            self.saved.append((time.monotonic(), student, event.get("seconds", 0.0)))
            if event["why"]:
                self.ungraded[student] = "; ".join(event["why"])

    @property
    def each(self) -> float:
        """Processor seconds of nbgrader's own process for one more submission."""
        after = [look for look in self.spent if look[0]]
        if not after or after[-1][0] == after[0][0]:
            return 0.0
        (first, begun), (last, ended) = after[0], after[-1]
        return (ended - begun) / (last - first)

    def part(self, places: range, drawn: dict[str, Work]) -> Part:
        """What was seen of one part of the class, which has been saved."""
        saved = self.saved[places.start : places.stop]
        begun = self.saved[places.start - 1][0] if places.start else self.began
        looks = [sizes for done, sizes in self.sizes if done in places]
        return Part(
            last=places.stop,
            each=(saved[-1][0] - begun) / len(saved),
            correct=[own for _, student, own in saved if drawn[student].kind == "correct"],
            sizes={role: median(look[role] for look in looks) for role in _ROLES if looks},
        )


def main(arguments: Namespace) -> int:
    """Grade a class, and print what came of it."""
    assignment, count = arguments.assignment, arguments.submissions
    if count < 1:
        print("There must be one submission at least", file=sys.stderr)
        return 2
    with _folder(arguments.keep) as folder:
        course = Workspace.make(folder / "course", [assignment])
        drawn = draw(assignment, count, folder, random.Random(arguments.seed))
        for student, work in drawn.items():
            there = course.notebook("submitted", assignment, student).parent
            there.mkdir(parents=True)
            work.hand_in(there)
        kinds = Counter(each.kind for each in drawn.values())
        print(f"`{assignment}`: " + ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds)))
        shared = set(os.listdir(SHARED_MEMORY))
        seen, parts, status = _graded(course, assignment, folder, drawn)
        problems = [*growth.grown(parts), *_left(seen, folder, shared)]
        problems += _injustice(course, assignment, drawn, seen)
        if seen.refused or status != int(bool(seen.ungraded)):
            why = seen.refused or errors((folder / "log").read_text(errors="replace"))
            problems.append(f"nbgrader ended with status {status}: {'; '.join(why)}")
        seconds = seen.saved[-1][0] - seen.began if seen.saved else 0.0
        print(
            f"\n{len(seen.saved)} of {count} in {seconds:.0f} s: {seconds / count:.2f} s each;"
            f" nbgrader's own process {seen.each:.3f} s of processor time each"
        )
        honest = [student for student, work in drawn.items() if work.kind != "hostile"]
        for what, size in _disk(course, honest, count).items():
            print(f"{what}: {size / 1024:.0f} KiB a submission")
        if count < growth.ENOUGH:
            print(f"Whether something grows is told by {growth.ENOUGH} submissions and more.")
        grows = "Nothing grows, nothing" if count >= growth.ENOUGH else "Nothing"
        print("\n".join(problems) or f"{grows} is left, no honest work was punished.")
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


def draw(assignment: str, count: int, folder: Path, chance: random.Random) -> dict[str, Work]:
    """Who hands in what: of each kind the same share in every twenty.

    Where the corpora have none of a kind, a correct one is in its place.

    Args:
        folder: where the bait for hostile work is laid out.
    """
    everything: dict[str, list[Work]] = {}
    for work in _works(assignment, folder):
        everything.setdefault(work.kind, []).append(work)
    of_kind = {kind: growth.dealt(works, chance) for kind, works in everything.items()}
    kinds: list[str] = []
    while len(kinds) < count:
        some = ["hostile"] * (_HOSTILE // 5) + ["wrong"] * (_WRONG // 5)
        some += ["correct"] * (20 - len(some))
        chance.shuffle(some)
        kinds += some
    return {
        f"s{place:05d}": next(of_kind.get(kind, of_kind["correct"]))
        for place, kind in enumerate(kinds[:count])
    }


def _works(assignment: str, folder: Path) -> Iterator[Work]:
    """All that could be handed in for an assignment."""
    for entry in corpora.load(assignment):
        kind = "wrong" if entry.loses else "correct"
        yield Work(kind, entry.name, _writes(entry), frozenset(entry.loses))
    solution = ROOT / "source" / assignment / f"{assignment}.ipynb"
    host = folder / "host"
    for name in _BAIT:
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text(name)
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


def _graded(
    course: Workspace, assignment: str, folder: Path, drawn: dict[str, Work]
) -> tuple[Seen, list[Part], int]:
    """Grade all of it, and print each part once it is over.

    Returns:
        what was seen, part by part as well, and the exit status.
    """
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
    run, parts, due = Run(assignment), list[Part](), growth.parts(len(drawn))
    with os.fdopen(ours) as told, Live(run) if sys.stdout.isatty() else nullcontext():
        print(_row(*_COLUMNS), _row(*["---:"] * len(_COLUMNS)), sep="\n", flush=True)
        for line in told:
            event = json.loads(line)
            run.note(event)
            seen.note(event)
            if len(parts) < len(due) and len(seen.saved) == due[len(parts)].stop:
                parts.append(seen.part(due[len(parts)], drawn))
                print(_row(*_told(parts[-1])), flush=True)
    status = process.wait()
    ended.set()
    looking.join()
    return seen, parts, status


def _row(*words: str) -> str:
    return f"| {' | '.join(words)} |"


def _told(part: Part) -> Iterator[str]:
    yield str(part.last)
    yield f"{part.each:.2f}"
    yield f"{median(part.correct):.2f}" if part.correct else "–"
    for role in _ROLES:
        yield f"{part.sizes[role] / 2**20:.0f}" if part.sizes else "–"


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


def _left(seen: Seen, folder: Path, shared: set[str]) -> Iterator[str]:
    """What the run has left behind: processes, temporary files and sockets, shared memory."""
    deadline = time.monotonic() + _SOON
    while left := [*_still_there(seen, folder, shared)]:
        if time.monotonic() > deadline:
            yield from left
            break
        time.sleep(0.1)
    host = folder / "host"
    found = {str(path.relative_to(host)) for path in host.rglob("*") if not path.is_dir()}
    if changed := found.symmetric_difference(_BAIT):
        yield f"Hostile work came to the folder {host}: {', '.join(sorted(changed))}"
    if changed := {name for name in found & {*_BAIT} if (host / name).read_text() != name}:
        yield f"Hostile work changed files in {host}: {', '.join(sorted(changed))}"


def _still_there(seen: Seen, folder: Path, shared: set[str]) -> Iterator[str]:
    if left := [now for each in seen.processes if (now := find(each.pid)) == each]:
        yield f"Processes are left: {', '.join(f'{each.name} {each.pid}' for each in left)}"
    if files := sorted(os.listdir(folder / "tmp")):
        yield f"Left in the folder for temporary files: {', '.join(files)}"
    if files := abandoned_memory(shared):
        yield f"Left in {SHARED_MEMORY}: {', '.join(files)}"


def _injustice(
    course: Workspace, assignment: str, drawn: dict[str, Work], seen: Seen
) -> Iterator[str]:
    """Say which honest work lost what it should not, and which hostile work earned too much."""
    missing = []
    for student, work in drawn.items():
        if not course.notebook("autograded", assignment, student).exists():
            missing.append(f"{student}, {work.name}")
        elif work.kind == "hostile":
            score = course.score(assignment, student)
            if score is not None and score > (work.score or 0):
                yield f"{student}, {work.name}: earned {score:g}, deserves {work.score or 0}"
        elif why := seen.ungraded.get(student):
            yield f"{student}, {work.name}: could not be graded: {why}"
        else:
            tests = course.tests(assignment, student)
            lost = {name for name, each in tests.items() if each["earned"] < each["points"]}
            if lost != work.loses:
                wrongly = ", ".join(sorted(lost ^ work.loses))
                yield f"{student}, {work.name}: otherwise than it should be in {wrongly}"
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        yield f"Not graded: {'; '.join(missing[:_NAMED])}{more}"


def _disk(course: Workspace, students: list[str], count: int) -> dict[str, float]:
    """The bytes that a submission of these students has on the disk, by where.

    Of hostile work some is as large as can be handed in, and holds links to anything.
    """
    steps = ("submitted", "autograded", "history")
    found = {
        f"{step}/": sum(
            path.stat().st_size
            for student in students
            for path in (course.folder / step / student).rglob("*.*")
        )
        / max(1, len(students))
        for step in steps
    }
    return {**found, "gradebook.db": (course.folder / "gradebook.db").stat().st_size / count}
