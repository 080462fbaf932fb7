"""What the machine does to a run: no room, a gradebook in use, a clock that jumps. Nothing is lost.

Each run meets one such thing with one submission graded before and one to be graded. Where it can
do nothing, it ends with status 1 and one line that says what to do; the next plain call goes on.
So do the commands for what comes afterwards: feedback, exports, reports, grading again.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.commands.workspace import Workspace
from autograder.submission.cells import cell_of
from tests.kill_trials import graded, rows

pytestmark = pytest.mark.kernel

Solution = Callable[[str], nbformat.NotebookNode]

NBGRADER = str(Path(sys.executable).with_name("nbgrader"))
GO_ON = "call the same command again: it goes on with what is left"
#: What a folder has room for: one submission's copy or none, and no gradebook.
SMALL = "24k"


@pytest.fixture(scope="module")
def half(
    tmp_path_factory: pytest.TempPathFactory, parameters: Workspace, solution: Solution
) -> Workspace:
    """A course with one submission graded, and one that is not."""
    course = Workspace(tmp_path_factory.mktemp("half") / "course")
    shutil.copytree(parameters.folder, course.folder, symlinks=True)
    course.submit("ann", "parameters", solution("parameters"))
    course.nbgrader("autograde", "parameters")
    wrong = solution("parameters")
    cell_of(wrong, "MLP").source = "MLP = None"
    course.submit("bea", "parameters", wrong)
    return course


@pytest.fixture
def course(half: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(half.folder, tmp_path / "course", symlinks=True)
    return Workspace(tmp_path / "course")


def grade(course: Workspace, *options: str, before: str = "", **environment: str) -> Any:
    """Run `grade` and return its summary; no traceback is anywhere.

    Args:
        before: words of a shell in a mount namespace of its own, which are run first.
    """
    log = course.folder / "log"
    words = [sys.executable, "-m", "autograder", "grade", "parameters", "--json", "--log", str(log)]
    done = subprocess.run(
        [*(_apart(before) if before else ()), *words, *options],
        cwd=course.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert "Traceback" not in log.read_text()
    summary = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == summary["status"]
    return summary


def _apart(before: str) -> list[str]:
    """The beginning of a command that sees mounts which nobody else does."""
    inside = ["sh", "-c", f'{before} && exec "$@"', "sh"]
    if os.getuid() == 0:
        return ["unshare", "--mount", *inside]
    # As root of a namespace it may mount, and then is itself again.
    user, group = f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"
    return ["unshare", "--mount", "--map-root-user", *inside, "unshare", "--user", user, group]


def told(summary: dict[str, Any]) -> str:
    """The one line that a run ended with."""
    assert (summary["status"], summary["graded"], summary["failed"]) == (1, 0, 0)
    (line,) = summary["refused"]
    assert line.endswith(GO_ON)
    return str(line)


def is_kept(course: Workspace, half: Workspace) -> None:
    """What was graded before is as it was, and the other one is not graded."""
    assert graded(course) == graded(half)
    assert graded(course).keys() == {"ann"}
    assert rows(course)["ann"] == rows(half)["ann"]


def is_complete(course: Workspace, half: Workspace) -> None:
    """Both are graded, once."""
    assert graded(course)["ann"] == graded(half)["ann"]
    assert rows(course).keys() == graded(course).keys() == {"ann", "bea"}
    assert {len(each) for each in rows(course).values()} == {5}
    assert (course.score("parameters", "ann"), course.score("parameters", "bea")) == (100, 75)


def test_what_refuses_to_be_written_loses_nothing(course: Workspace, half: Workspace) -> None:
    book = course.folder / "gradebook.db"
    one, url = "--GradeNotebook.workers=1", "--CourseDirectory.db_url=sqlite:///"

    def full(name: str, size: str = SMALL) -> str:
        (course.folder / name).mkdir(parents=True, exist_ok=True)
        return f"mount -t tmpfs -o size={size} tmpfs {course.folder / name}"

    line = told(grade(course, before=full("autograded/bea")))
    assert line.startswith("There is no room left on the disk")
    is_kept(course, half)
    line = told(grade(course, before=full("tmp"), TMPDIR=str(course.folder / "tmp")))
    assert line.startswith("There is no room left on the disk")
    is_kept(course, half)
    # Room for what is there, and not for a page more.
    copied = f"{full('book', str(book.stat().st_size))} && cp {book} book"
    line = told(grade(course, one, f"{url}{course.folder}/book/gradebook.db", before=copied))
    assert line.startswith("There is no room left for the gradebook: make room on its disk")
    is_kept(course, half)
    line = told(grade(course, one, f"{url}file:{book}?mode=ro&uri=true"))
    assert line.startswith("The gradebook cannot be written: make its file and folder writable")
    is_kept(course, half)
    with locked(course, 600):
        line = told(grade(course, one, PYTHONPATH=impatient(course)))
    assert line.startswith("The gradebook has been locked for 1 s by another program")
    is_kept(course, half)

    done = course.nbgrader("autograde", "parameters", one)
    assert done.stderr.count("Autograding") == 1
    is_complete(course, half)


IMPATIENT = """
import autograder.pipeline.gradebook as book

book.PATIENCE = 1
"""


def impatient(course: Workspace) -> str:
    """The path of Python's modules where nobody waits long for a gradebook."""
    (course.folder / "sitecustomize.py").write_text(IMPATIENT)
    return os.pathsep.join(filter(None, [str(course.folder), os.environ.get("PYTHONPATH")]))


@contextmanager
def locked(course: Workspace, seconds: float) -> Iterator[None]:
    """Another program writes to the gradebook, so long at most."""
    done = threading.Event()
    begun = threading.Event()

    def lock() -> None:
        other = sqlite3.connect(course.folder / "gradebook.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        begun.set()
        done.wait(seconds)
        other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=lock)
    thread.start()
    begun.wait()
    yield
    done.set()
    thread.join()


def test_a_gradebook_that_is_in_use_is_waited_for(course: Workspace, half: Workspace) -> None:
    with locked(course, 8):  # longer than SQLite waits by itself
        summary = grade(course, "--GradeNotebook.workers=1")
    assert (summary["status"], summary["graded"], summary["skipped"]) == (0, 1, 1)
    is_complete(course, half)


CLOCK = """
import time
_real, _asked = time.time, [0]

def jumping():
    # Back and forth by half a day, at every third look.
    _asked[0] += 1
    return _real() + (-43200, 0, 43200)[_asked[0] // 3 % 3]

time.time = jumping
"""


def test_a_clock_that_jumps(course: Workspace, half: Workspace) -> None:
    (course.folder / "sitecustomize.py").write_text(CLOCK)
    later, earlier = time.time() + 86400, time.time() - 10**8
    for path in course.folder.glob("autograded/*/*/*"):
        os.utime(path, (earlier, earlier))
    for path in course.folder.glob("submitted/*/*/*"):
        os.utime(path, (later, later))
    summary = grade(course, PYTHONPATH=str(course.folder))
    assert (summary["status"], summary["graded"], summary["skipped"]) == (0, 1, 1)
    is_complete(course, half)


# --------------------------------------------------------------------------------------- afterwards

#: What is written, by which command.
WRITES = {
    "feedback/ann/parameters/parameters.html": (NBGRADER, "generate_feedback", "parameters"),
    "grades/grades.csv": (NBGRADER, "export", "--to", "grades/grades.csv"),
    "report/parameters.html": (sys.executable, "-m", "autograder", "report", "parameters"),
}
ERROR = re.compile(r"^\[\w+ \| ERROR\] ")
INFORMS = re.compile(r"^\[\w+ \| (INFO|WARNING)\] ")


def called(
    course: Workspace, words: Sequence[str], before: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command, in a mount namespace where there is something to be done before."""
    return subprocess.run(
        [*(_apart(before) if before else ()), *words],
        cwd=course.folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
        capture_output=True,
        text=True,
    )


def refused(done: "subprocess.CompletedProcess[str]", status: int = 1) -> str:
    """The one line that says what to do, and no other is an error's."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not INFORMS.match(line)]
    (line,) = lines
    assert "call the same command again" in line
    return ERROR.sub("", line)


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def done(half: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A course for which all that comes afterwards was written, and is to be written anew."""
    course = Workspace(tmp_path_factory.mktemp("done") / "course")
    shutil.copytree(half.folder, course.folder, symlinks=True)
    (course.folder / "grades").mkdir()
    for words in WRITES.values():
        subprocess.run(words, cwd=course.folder, check=True, capture_output=True)
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("test_MLP", "parameters", "parameters", "ann")
        grade.manual_score = 12
        gradebook.db.commit()
    return course


@pytest.fixture
def over(done: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(done.folder, tmp_path / "course", symlinks=True)
    return Workspace(tmp_path / "course")


@pytest.mark.parametrize("target", WRITES)
def test_what_was_written_before_stays_where_nothing_can_be_written(
    target: str, over: Workspace
) -> None:
    folder = over.folder / Path(target).parts[0]
    before, words = files(folder), WRITES[target]
    assert before

    mounted = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    line = refused(called(over, words, mounted))
    assert "Read-only file system" in line
    assert files(folder) == before
    with locked(over, 600):
        path = impatient(over)
        line = refused(called(over, words, PYTHONPATH=path))
    assert line.startswith("The gradebook has been locked for 1 s by another program")
    assert files(folder) == before

    again = called(over, words)
    assert again.returncode == 0, again.stderr
    after, name = files(folder), Path(target).relative_to(folder.name).as_posix()
    assert after.keys() == before.keys()
    assert after[name] != before[name]


@pytest.mark.parametrize("target", WRITES)
def test_a_full_disk_is_told_and_nothing_half_written_is_left(target: str, over: Workspace) -> None:
    """What is seen of the full disk is copied to another one before it is gone."""
    folder, words = over.folder / Path(target).parts[0], WRITES[target]
    before = files(folder)
    name = Path(target).relative_to(folder.name).as_posix()
    (over.folder / "was").mkdir()
    # What lay there lies there again, and then there is no room for a byte more.
    full = (
        f"cp -r {folder} {over.folder}/copy && mount -t tmpfs -o size=2m tmpfs {folder}"
        f" && cp -r {over.folder}/copy/. {folder} && rm -rf {over.folder}/copy"
    )
    fill = f"cat /dev/zero > {folder}/fill 2>/dev/null; true"
    look = f"cp -r {folder}/. {over.folder}/was; rm {over.folder}/was/fill"
    if folder.name == "feedback":  # the page that goes makes room for itself
        full = f"mount -t tmpfs -o size={SMALL} tmpfs {folder}"
        fill, look, before = "true", f"cp -r {folder}/. {over.folder}/was", {}
    inside = ["sh", "-c", f'"$@"; status=$?; {look}; exit $status', "sh", *words]
    line = refused(called(over, inside, f"{full} && {fill}"))
    assert "No space left on device" in line or "no room left on the disk" in line
    assert files(over.folder / "was") == before
    assert called(over, words).returncode == 0
    assert (folder / name).is_file()


def test_grading_again_says_what_to_do_where_it_cannot(over: Workspace) -> None:
    words = (sys.executable, "-m", "autograder", "regrade", "parameters", "--apply")
    (over.folder / "tmp").mkdir()
    full = f"mount -t tmpfs -o size=4k tmpfs {over.folder / 'tmp'}"
    before = rows(over)
    line = refused(called(over, words, full, TMPDIR=str(over.folder / "tmp")), status=2)
    assert line.startswith("There is no room left on the disk")
    with locked(over, 600):
        path = impatient(over)
        line = refused(called(over, words, PYTHONPATH=path), status=2)
    assert line.startswith("The gradebook has been locked for 1 s by another program")
    assert rows(over) == before
