"""The service: real processes that lend workers, and what is graded in one that is lent."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
import pytest

from autograder import ROOT
from autograder.commands.corpora import build, samples
from autograder.commands.workspace import Workspace
from autograder.grading import dependence, lent
from autograder.grading.worker import BudgetSpent, Worker

LOG = logging.getLogger("tests.service")
SAMPLES = {
    sample.student: sample.entry for sample in samples() if sample.entry.assignment == "parameters"
}
SEED = "0" * 32
SECONDS = 240


@dataclass
class Serving:
    """A service in a course's folder, and what it has said."""

    folder: Path
    runtime: Path
    said: list[str] = field(default_factory=list)

    def start(self) -> "Serving":
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autograder", "serve"],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            # Wherever the tests run, it can be interrupted.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.wait_for("Ready")
        return self

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(word):
                return
        raise AssertionError(f"the service ended without {word}: {self.said}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def check(self, *words: str, up: bool = True) -> subprocess.CompletedProcess[bytes]:
        """`check` where the service is, or with none to be found."""
        runtime = self.runtime if up else self.folder / "nowhere"
        return subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "autograder", "check", *words],
            cwd=self.folder,
            env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
            capture_output=True,
            timeout=SECONDS,
        )


def graded_itself(done: subprocess.CompletedProcess[bytes]) -> bool:
    """Whether a check's own process has imported what grades; said by `-X importtime`."""
    return b" autograder.commands.on_the_spot\n" in done.stderr


def same(
    one: subprocess.CompletedProcess[bytes], other: subprocess.CompletedProcess[bytes]
) -> bool:
    """Whether two checks came to the same, byte by byte, but for the time that they took."""
    told = []
    for done in (one, other):
        lines = [line for line in done.stdout.splitlines() if b'"seconds"' not in line]
        errors = [line for line in done.stderr.splitlines() if not line.startswith(b"import time")]
        told.append((done.returncode, lines, errors))
    return told[0] == told[1]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    course = Workspace.make(tmp_path_factory.mktemp("course"), ["parameters"])
    course.submit("mira", "parameters", build(SAMPLES["mira"]))
    return course


@pytest.fixture(scope="module")
def shared(course: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A service that tests use one after the other, and leave as it is."""
    serving = Serving(course.folder, tmp_path_factory.mktemp("runtime")).start()
    yield serving
    serving.stop()


@pytest.fixture
def serving(shared: Serving, monkeypatch: pytest.MonkeyPatch) -> Serving:
    """The same, and this process finds it, too."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared.runtime))
    return shared


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker that is to be borrowed."""
    made = Worker(borrow=lent.borrow)
    made.prepare(log=LOG)
    yield made
    made.close()


def is_lent(worker: Worker, serving: Serving) -> bool:
    return worker.call(os.getpid, log=LOG) in {each.pid for each in serving.processes()}


# ------------------------------------------------------------------------------------------- check


@pytest.mark.kernel
@pytest.mark.parametrize(
    "words",
    [
        ("submitted/mira/parameters/parameters.ipynb", "--json", "--seed", SEED),
        ("submitted/mira/parameters", "--seed", SEED),
        ("submitted/mira/parameters/parameters.ipynb", "--html", "--seed", SEED),
        ("nowhere.ipynb",),
        ("nbgrader_config.py", "--assignment", "none"),
    ],
)
def test_a_check_is_byte_for_byte_what_it_is_without(
    words: tuple[str, ...], serving: Serving
) -> None:
    warm, cold = serving.check(*words), serving.check(*words, up=False)
    assert not graded_itself(warm)
    assert graded_itself(cold)
    assert same(warm, cold)


@pytest.mark.kernel
def test_two_are_served_at_once(serving: Serving) -> None:
    words = ("submitted/mira/parameters/parameters.ipynb", "--json", "--seed", SEED)
    done: list[subprocess.CompletedProcess[bytes]] = []
    threads = [
        threading.Thread(target=lambda: done.append(serving.check(*words))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(done[0].stdout)["score"] == 86
    assert same(*done)
    assert not any(map(graded_itself, done))


@pytest.mark.kernel
def test_no_submission_finds_the_door(serving: Serving, tmp_path: Path) -> None:
    nb = build(SAMPLES["mira"])
    with_door = [path for path in serving.runtime.rglob("*") if path.is_socket()]
    assert len(with_door) == 1
    code = (
        "import os, socket\n"
        f"print('the folder', os.path.exists({str(serving.runtime)!r}))\n"
        "try:\n"
        "    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect("
        f"{str(with_door[0])!r})\n"
        "except OSError as error:\n"
        "    print('the door', type(error).__name__)\n"
    )
    nb.cells.append(nbformat.v4.new_code_cell(code))
    path = tmp_path / "parameters.ipynb"
    nbformat.write(nb, path)
    page = serving.check(str(path), "--html")
    assert not graded_itself(page)
    assert b"the folder False" in page.stdout
    assert b"the door FileNotFoundError" in page.stdout or b"the door Perm" in page.stdout


@pytest.mark.kernel
def test_a_service_that_hangs_is_not_waited_for(serving: Serving) -> None:
    words = ("submitted/mira/parameters/parameters.ipynb", "--json", "--seed", SEED)
    warm = serving.check(*words)
    serving.process.send_signal(signal.SIGSTOP)
    try:
        alone = serving.check(*words)
    finally:
        serving.process.send_signal(signal.SIGCONT)
    assert graded_itself(alone)
    assert same(warm, alone)
    assert not graded_itself(serving.check(*words))


@pytest.mark.kernel
def test_nbgrader_and_the_formgrader_get_one_too(serving: Serving, course: Workspace) -> None:
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.update(str(each.pid) for each in serving.processes() if is_fork(each))
            time.sleep(0.05)

    def is_fork(process: psutil.Process) -> bool:
        try:
            return process.ppid() == serving.process.pid and "serve" in process.cmdline()
        except psutil.Error:
            return False

    watching = threading.Thread(target=look)
    watching.start()
    try:
        course.nbgrader("autograde", "parameters", "--student=mira")
    finally:
        over.set()
        watching.join()
    assert course.score("parameters", "mira") == 86
    assert len(seen) == 1


# -------------------------------------------------------------------------------- what is lent


@pytest.mark.kernel
def test_each_has_a_process_of_his_own(serving: Serving, worker: Worker) -> None:
    assert is_lent(worker, serving)
    other = Worker(borrow=lent.borrow)
    other.prepare(log=LOG)
    assert is_lent(other, serving)
    assert other.call(os.getpid, log=LOG) != worker.call(os.getpid, log=LOG)
    ended = psutil.Process(other.call(os.getpid, log=LOG))
    other.close()
    ended.wait(10)


@pytest.mark.kernel
def test_it_is_where_its_borrower_is(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THIS_TEST", "yes")
    worker = Worker(borrow=lent.borrow)
    worker.prepare(log=LOG)
    assert is_lent(worker, serving)
    assert worker.call(os.getcwd, log=LOG) == str(tmp_path)
    assert worker.call(os.getenv, "OF_THIS_TEST", log=LOG) == "yes"
    worker.close()


@pytest.mark.kernel
def test_what_kills_one_kills_nothing_else_and_is_told(serving: Serving, worker: Worker) -> None:
    with pytest.raises(BudgetSpent, match="memory"):
        worker.call(os.kill, worker.call(os.getpid, log=LOG), signal.SIGABRT, log=LOG)
    assert is_lent(worker, serving)
    worker.budget = type(worker.budget)(seconds=60, processor_seconds=1, memory_bytes=2**28)
    with pytest.raises(BudgetSpent, match="more than 1 s of the grader's time"):
        worker.call(sum, range(10**12), log=LOG)
    assert is_lent(worker, serving)


@pytest.mark.kernel
def test_other_code_is_not_lent(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(dependence, "of_code", lambda: "other")
        assert lent.borrow() is None
    found = lent.borrow()
    assert found is not None


@pytest.mark.kernel
def test_there_is_one_service_only(serving: Serving) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "serve"],
        cwd=serving.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("A service is up already")
    assert lent.borrow() is not None


# ------------------------------------------------------------------------------------ how it ends


@pytest.mark.kernel
def test_an_interrupt_leaves_nothing_and_costs_nobody_his_work(
    course: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    serving = Serving(course.folder, tmp_path).start()
    worker = Worker(borrow=lent.borrow)
    worker.prepare(log=LOG)
    lent_one = worker.call(os.getpid, log=LOG)
    processes = serving.processes()
    assert lent_one in {each.pid for each in processes}
    timer = threading.Timer(0.5, serving.process.send_signal, [signal.SIGINT])
    timer.start()
    worker.call(time.sleep, 2, log=LOG)
    assert worker.call(os.getpid, log=LOG) != lent_one
    worker.close()
    assert serving.stop() == 0
    assert list(tmp_path.iterdir()) == []
    psutil.wait_procs(processes, 10)
    assert not [each for each in processes if each.is_running()]


@pytest.mark.kernel
def test_what_is_changed_on_disk_is_graded_as_it_is_now(tmp_path: Path) -> None:
    """In a course with a package of its own, whose suite is mended while the service is up."""
    course = Workspace.make(tmp_path / "course", ["parameters"])
    shutil.copytree(ROOT / "autograder", course.folder / "autograder")
    course.submit("mira", "parameters", build(SAMPLES["mira"]))
    (tmp_path / "runtime").mkdir()
    serving = Serving(course.folder, tmp_path / "runtime").start()
    words = ("submitted/mira/parameters/parameters.ipynb", "--json", "--seed", SEED)
    suite = course.folder / "autograder/suites/parameters/test_MyLinear.py"
    try:
        before = serving.check(*words)
        assert not graded_itself(before)
        text = suite.read_text()
        begins = json.loads(before.stdout)["cells"][0]["tests"][0]["title"][:30]
        assert text.count(begins) == 1
        suite.write_text(text.replace(begins, f"Mended: {begins}"))
        after = serving.check(*words)
        assert graded_itself(after)
        title = json.loads(after.stdout)["cells"][0]["tests"][0]["title"]
        assert title.startswith("Mended: ")
        serving.wait_for("The code on disk is other now")
        serving.wait_for("Ready")
        again = serving.check(*words)
        assert not graded_itself(again)
        assert same(after, again)
    finally:
        serving.stop()


# ------------------------------------------------------------------------------------- whose it is


def test_a_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "autograder").mkdir()
    (tmp_path / "autograder").chmod(0o755)
    with pytest.raises(lent.NotPrivate, match="not your own"):
        lent.Folder()
    assert lent.borrow() is None
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "serve"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tmp_path}/autograder is not your own")


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "autograder").mkdir(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(lent.NotPrivate):
        lent.Folder()
    (tmp_path / "autograder").rmdir()
    (tmp_path / "autograder").symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        lent.Folder()


def test_a_peer_of_another_user_is_told_from_an_own_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert lent.is_own(one)
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert not lent.is_own(one)
