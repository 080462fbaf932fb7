"""Hostile submissions, graded among honest ones by plain `nbgrader autograde`.

Each file below `hostile/` is one of them. Whatever it does: its honest parts earn what they
deserve, its feedback can be read, the others' grades are what they would be without it, and
nothing outside is read, changed, reached or left behind.
"""

import contextlib
import ctypes
import hashlib
import html
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.grading import record
from tests.hostile import Entry, entries

pytestmark = pytest.mark.kernel

ENTRIES = list(entries())
# The shortest limits that honest work keeps on a busy machine, and a small share of memory.
LIMITS = [
    "--GradeNotebook.workers=2",  # others are always graded beside them
    *("--GradeNotebook.cell_seconds=4", "--GradeNotebook.probe_seconds=4"),
    *("--GradeNotebook.submission_seconds=60", f"--GradeNotebook.memory_bytes={2**30}"),
]
JOBS = 1  # nbgrader's processes, each with a part of the corpus
HONEST = {"aaa-honest": "", "m-honest": "y - self.bias", "zzz-honest": "2 * y + self.bias"}
PR_SET_CHILD_SUBREAPER = 36
HIGHEST = re.compile(r"VmHWM:\s+(\d+) kB")
GRADER_BYTES = 3 * 2**30
LOG_BYTES = 2**20
FEEDBACK_BYTES = 40 * 2**20


@dataclass
class Host:
    """What must stay secret, and what would notice somebody coming out of the sandbox."""

    folder: Path
    mark: str = field(default_factory=lambda: "hostile" + secrets.token_hex(8))
    secret: dict[str, str] = field(default_factory=dict)
    visitors: list[str] = field(default_factory=list)

    def plant(self, where: str) -> str:
        """A new secret, known by where it was put."""
        return self.secret.setdefault(where, "sesame" + secrets.token_hex(16))

    def listen(self, server: socket.socket, name: str) -> None:
        def wait() -> None:
            while True:
                try:
                    if server.type == socket.SOCK_DGRAM:
                        server.recvfrom(1)
                    else:
                        server.accept()
                except OSError:
                    return
                self.visitors.append(name)

        threading.Thread(target=wait, daemon=True).start()


@dataclass
class Run:
    """All that came of grading the corpus."""

    host: Host
    courses: dict[str, Workspace]
    logs: list[tuple["subprocess.CompletedProcess[str]", int]]  # each with its due status
    peak: int
    changed: dict[str, list[str]]
    left: list[str]

    def course(self, entry: Entry) -> Workspace:
        return self.courses[entry.name]

    def graded(self, entry: Entry) -> nbformat.NotebookNode:
        path = self.course(entry).notebook("autograded", entry.assignment, entry.student)
        return nbformat.read(path, as_version=4)

    def feedback(self, entry: Entry) -> str:
        path = self.course(entry).notebook("feedback", entry.assignment, entry.student)
        return path.with_suffix(".html").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------ running


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("host"))
    home = host.folder / "home"
    for name in (".ssh/id_rsa", ".bashrc", ".ipython/profile_default/startup/00-first.py"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"# {host.plant('home')}\n")
    (host.folder / "temp").mkdir()
    note = Path("/tmp") / f"{host.mark}-note"
    note.write_text(host.plant("a file in /tmp"))
    shared = Path("/dev/shm") / f"{host.mark}-note"
    shared.write_text(host.plant("shared memory"))
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(tcp.getsockname())
        abstract.bind(f"\0{host.mark}")
        unix.bind(str(host.folder / "socket"))
        for server, name in ((abstract, "abstract"), (unix, "unix")):
            server.listen()
            host.listen(server, name)
        host.listen(tcp, "tcp")
        host.listen(udp, "udp")
        host.port = tcp.getsockname()[1]  # type: ignore[attr-defined]
        yield host
        for server in (tcp, udp, abstract, unix):
            server.close()
    note.unlink()
    shared.unlink()


@pytest.fixture(scope="module")
def run(
    request: pytest.FixtureRequest,
    host: Host,
    tmp_path_factory: pytest.TempPathFactory,
    solution: Callable[[str], nbformat.NotebookNode],
) -> Run:
    """The selected entries, handed in among honest submissions, graded and given feedback."""
    asked = {
        item.callspec.params["entry"].name  # type: ignore[attr-defined]
        for item in request.session.items
        if "entry" in getattr(getattr(item, "callspec", None), "params", {})
    }
    chosen = [entry for entry in ENTRIES if entry.name in asked]
    folder = tmp_path_factory.mktemp("hostile")
    first = Workspace.make(folder / "0", sorted({"parameters", *(e.assignment for e in chosen)}))
    parts: dict[Workspace, list[Entry]] = {}
    for place in range(JOBS):
        if place:
            shutil.copytree(first.folder, folder / str(place))
        parts[Workspace(folder / str(place))] = chosen[place::JOBS]
    courses = {entry.name: course for course, part in parts.items() for entry in part}
    for course in parts:
        _plant(course, host, solution("parameters"))

    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    alone = folder / "alone"
    shutil.copytree(first.folder, alone)
    Grading(Workspace(alone), host)("autograde", "parameters", *LIMITS)

    for course, part in parts.items():
        for entry in part:
            there = course.notebook("submitted", entry.assignment, entry.student).parent
            there.mkdir(parents=True)
            entry.hand_in(solution(entry.assignment), there, _words(host, course))
    before = {name: look() for name, look in _watched(host, parts).items()}
    with ThreadPoolExecutor(JOBS) as pool:
        gradings = [pool.submit(_grade, course, part, host) for course, part in parts.items()]
        results = [grading.result() for grading in gradings]
    left = _left_behind(host)
    after = {name: look() for name, look in _watched(host, parts).items()}
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    for course in parts:
        (course.folder / "alone").symlink_to(alone)
    return Run(
        host=host,
        courses=courses,
        logs=[log for logs, _ in results for log in logs],
        peak=max(peak for _, peak in results),
        changed={name: _differences(before[name], after[name]) for name in before},
        left=left,
    )


def _plant(course: Workspace, host: Host, nb: nbformat.NotebookNode) -> None:
    """Put secrets where a course has them, and honest submissions among the others."""
    (course.folder / "holdout").mkdir()
    (course.folder / "holdout" / "labels.csv").write_text(host.plant("held-out labels"))
    (course.folder / "source" / "notes.txt").write_text(host.plant("source"))
    (course.folder / "beside-the-gradebook.txt").write_text(host.plant("the gradebook's folder"))
    with course.gradebook() as gradebook:
        gradebook.add_student("someone-else", email=host.plant("the gradebook"))
    for student, wrong in HONEST.items():
        own = nbformat.from_dict(nb)
        for cell in own.cells:
            if wrong and cell.metadata.get("nbgrader", {}).get("grade_id") == "MyLinear":
                cell.source = cell.source.replace("y + self.bias", wrong)
        own.cells.append(
            nbformat.v4.new_code_cell(f"# {host.plant('another submission')}", id="own")
        )
        course.submit(student, "parameters", own)


def _words(host: Host, course: Workspace) -> dict[str, str]:
    """What hostile code may know of this machine at best."""
    return {
        "course": str(course.folder),
        "root": str(ROOT),
        "home": str(host.folder / "home"),
        "host": str(host.folder),
        "mark": host.mark,
        "port": str(host.port),  # type: ignore[attr-defined]
        "site": str(Path(nbformat.__file__).parents[1]),
        "bin": str(Path(sys.executable).parent),
    }


class Grading:
    """Runs nbgrader in a course folder and notes the most memory that it needed."""

    def __init__(self, course: Workspace, host: Host) -> None:
        self.course = course
        self.peak = 0
        self.environment = {
            **os.environ,
            "HOME": str(host.folder / "home"),
            "TMPDIR": str(host.folder / "temp"),
            "PYTHONWARNINGS": "ignore",
            "HOST_SECRET": host.plant("the environment"),
        }

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        log = self.course.folder / f"{words[0]}-{words[1]}.log"
        command = [Path(sys.executable).with_name("nbgrader"), *words]
        with log.open("w") as file:
            process = subprocess.Popen(
                command, cwd=self.course.folder, env=self.environment, stderr=file
            )
            while process.poll() is None:
                self._note_memory(process.pid)
                time.sleep(0.2)
        text = log.read_text(errors="replace")
        return subprocess.CompletedProcess(command, process.returncode, "", text)

    def _note_memory(self, pid: int) -> None:
        """Add up nbgrader's process and its largest worker, each at its largest of late."""
        with contextlib.suppress(psutil.Error, OSError):
            nbgrader = psutil.Process(pid)
            workers = [
                each
                for each in nbgrader.children(recursive=True)
                if each.cmdline() == nbgrader.cmdline() or "multiprocessing" in str(each.cmdline())
            ]
            largest = max(map(self._highest, workers), default=0)
            self.peak = max(self.peak, self._highest(nbgrader) + largest)

    def _highest(self, process: psutil.Process) -> int:
        found = HIGHEST.search(Path(f"/proc/{process.pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0


def _grade(course: Workspace, part: list[Entry], host: Host) -> tuple[list[Any], int]:
    grading, logs = Grading(course, host), []
    for assignment in sorted({"parameters", *(entry.assignment for entry in part)}):
        some = any(entry.score is None for entry in part if entry.assignment == assignment)
        logs.append((grading("autograde", assignment, *LIMITS), int(some)))
        logs.append((grading("generate_feedback", assignment), 0))
    graded = (nbformat.read(path, 4) for path in course.folder.glob("autograded/*/*/*.ipynb"))
    phases = [phase for nb in graded for phase in record.read(nb).spent.values()]
    return logs, max(grading.peak, *(phase.peak_bytes for phase in phases))


# ----------------------------------------------------------------------------------------- watching


def _watched(host: Host, courses: Any) -> dict[str, Callable[[], dict[str, str]]]:
    """What must not change, as functions that look at it."""
    folders = {
        "the home folder": host.folder / "home",
        "the project's sources": ROOT / "source",
        "the suites and the grader": ROOT / "autograder",
        "the course's data": ROOT / "course_data",
        "the real home folder": Path.home() / ".ipython",
        "kernel specs": Path.home() / ".local/share/jupyter",
        "start-up files of the system": Path("/etc/profile.d"),
        "cron": Path("/var/spool/cron"),
        "cron of the system": Path("/etc/cron.d"),
    }
    for place, course in enumerate(courses):
        for name in ("source", "submitted", "release", "holdout"):
            folders[f"{name}/ of course {place}"] = course.folder / name
    looks: dict[str, Callable[[], dict[str, str]]] = {
        name: lambda folder=folder: _tree(folder)  # type: ignore[misc]
        for name, folder in folders.items()
    }
    site = Path(nbformat.__file__).parents[1]
    looks["what Python runs at its start"] = lambda: {
        path.name: _digest(path) for path in (*site.glob("*.pth"), *site.glob("*customize*"))
    }
    looks["mounts"] = lambda: dict.fromkeys(Path("/proc/self/mountinfo").read_text().splitlines())
    return looks


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def _digest(path: Path) -> str:
    status = path.lstat()
    if path.is_symlink():
        content = os.readlink(path)
    else:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return f"{status.st_mode:o} {status.st_uid} {content}"


def _differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    return [name for name in names if before.get(name, "") != after.get(name, "")]


def _left_behind(host: Host) -> list[str]:
    """Processes, files, sockets and shared memory that are still there, given a moment to go."""
    for _ in range(50):
        # This process is the one that orphans of the gradings are given to.
        found = [f"process {each}" for each in psutil.Process().children(recursive=True)]
        places = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", str(host.folder / "temp"))
        for place in places:
            names = os.listdir(place) if os.path.isdir(place) else []
            own = place == str(host.folder / "temp")
            found += [
                f"{place}/{name}"
                for name in names
                if own or (host.mark in name and not name.endswith("-note"))
            ]
        sockets = Path("/proc/net/unix").read_text().split()
        found += [f"socket {name}" for name in sockets if name.startswith(f"@{host.mark}-")]
        if not found:
            return []
        time.sleep(0.2)
    return found


# ---------------------------------------------------------------------------------------- the tests


def shown(nb: nbformat.NotebookNode) -> str:
    """All that a graded notebook shows but the code: text without tags, and data as it is."""
    words = []
    for cell in nb.cells:
        if cell.cell_type != "code":
            words.append(cell.source)
        for output in cell.get("outputs", ()):
            words += [output.get("text", ""), output.get("ename", ""), output.get("evalue", "")]
            words += output.get("traceback", ())
            words += [text for kind, text in output.get("data", {}).items() if kind[:4] == "text"]
    return html.unescape(re.sub(r"<[^>]*>", "", "\n".join(words)))


def active(nb: nbformat.NotebookNode) -> str:
    """What of a graded notebook a browser takes for more than text."""
    words = [cell.source for cell in nb.cells if cell.cell_type != "code"]
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            words += [v for k, v in output.get("data", {}).items() if k != "text/plain"]
    return "\n".join(words)


def data_of(nb: nbformat.NotebookNode) -> str:
    """All that a graded notebook holds but the code, with every way of writing a letter undone."""
    bare = [{**cell, "source": ""} if cell.cell_type == "code" else cell for cell in nb.cells]
    text = json.dumps({"metadata": nb.metadata, "cells": bare}, ensure_ascii=False)
    return text.replace('\\"', '"')


def reports(course: Workspace, student: str) -> list[Any]:
    """The outputs of the grade cells, one each."""
    nb = nbformat.read(course.notebook("autograded", "parameters", student), as_version=4)
    return [c.outputs for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade")]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_hostile(run: Run, entry: Entry) -> None:
    course, nb = run.course(entry), run.graded(entry)
    lost = set()
    for cell in nb.cells:
        if not cell.metadata.get("nbgrader", {}).get("grade"):
            continue
        (output,) = cell.outputs
        assert output.output_type == "execute_result"
        if entry.score is None:
            assert output.data["text/plain"] == "not graded"
            assert output.metadata["autograder"]["ungraded"]
            continue
        record = output.metadata["autograder"]["tests"]
        assert float(output.data["text/plain"]) == sum(test["earned"] for test in record)
        assert sum(test["points"] for test in record) == cell.metadata.nbgrader.points
        report = output.data["text/html"]
        assert report.count("What was checked") == 1
        failed = [test for test in record if test["earned"] < test["points"]]
        assert len(re.findall(r"What happened:</strong> \S+", report)) == len(failed)
        if failed:
            lost.add(cell.metadata.nbgrader.grade_id.removeprefix("test_"))
    score = course.score(entry.assignment, entry.student)
    assert (score, lost) == (entry.score, entry.loses), nb.metadata.autograder
    text = shown(nb)
    for pattern in entry.says:
        assert re.search(pattern, text), f"{pattern!r} is not shown" + text[-2000:]

    feedback = run.feedback(entry)
    assert ("could not be graded" if entry.score is None else "What was checked") in feedback
    assert len(feedback) < FEEDBACK_BYTES
    for pattern in entry.never:
        found = [re.search(pattern, page) for page in (active(nb), feedback)]
        assert found == [None, None], f"{pattern!r} is shown"
    held = data_of(nb)
    for where, secret in run.host.secret.items():
        known = where == "another submission" and entry.student in HONEST
        for way in (secret, secret[::-1], secret.encode().hex()):
            assert known or way not in held + feedback, f"the secret of {where} came out"


@pytest.mark.parametrize("student", HONEST)
def test_honest_submissions_are_graded_as_if_alone(run: Run, student: str) -> None:
    for course in set(run.courses.values()):
        alone = Workspace((course.folder / "alone").resolve())
        assert course.score("parameters", student) == alone.score("parameters", student)
        assert reports(course, student) == reports(alone, student)


def test_every_command_ends_well(run: Run) -> None:
    for log, status in run.logs:
        assert log.returncode == status, log.stderr[-4000:]
        assert len(log.stderr) < LOG_BYTES, log.stderr[-4000:]


def test_the_grader_stays_small(run: Run) -> None:
    assert run.peak < GRADER_BYTES


def test_nobody_came_out(run: Run) -> None:
    assert run.host.visitors == []


def test_nothing_outside_changed(run: Run) -> None:
    assert {name: paths for name, paths in run.changed.items() if paths} == {}


def test_nothing_is_left_behind(run: Run) -> None:
    assert run.left == []
