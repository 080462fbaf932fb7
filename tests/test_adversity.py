"""What the machine does to a run: no room, a gradebook in use, a clock that jumps. Nothing is lost.

Each run meets one such thing with one submission graded before and one to be graded. Where it can
do nothing, it ends with status 1 and one line that says what to do; the next plain call goes on.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
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
    (course.folder / "sitecustomize.py").write_text(IMPATIENT)
    with locked(course, 600):
        line = told(grade(course, one, PYTHONPATH=str(course.folder)))
    assert line.startswith("The gradebook has been locked for 1 s by another program")
    is_kept(course, half)

    done = course.nbgrader("autograde", "parameters", one)
    assert done.stderr.count("Autograding") == 1
    is_complete(course, half)


IMPATIENT = """
import autograder.pipeline.gradebook as book

book.PATIENCE = 1
"""


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
