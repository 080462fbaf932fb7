"""Many submissions at once: the same results by any pool, and nothing lost when one is stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.submission.cells import cell_of
from tests import cluster
from tests.cluster import Cluster

pytestmark = pytest.mark.kernel

Notebook = nbformat.NotebookNode
Solution = Callable[[str], Notebook]

#: Seconds that nothing here needs, on the slowest machine.
PATIENCE = 240


@dataclass
class Graded:
    """A run of `grade`: the course, what was told, and the exit status."""

    course: Workspace
    events: list[dict[str, Any]]
    status: int
    log: str

    def told(self, kind: str) -> list[str]:
        return [event["student"] for event in self.events if event["kind"] == kind]

    @property
    def summary(self) -> dict[str, Any]:
        return self.events[-1]


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "autograder", "grade", "parameters", *options]


def graded(course: Workspace, *options: str, **environment: str) -> Graded:
    log = course.folder / "nbgrader.log"
    done = subprocess.run(
        command("--json", "--log", str(log), *options),
        cwd=course.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Graded(course, events, done.returncode, log.read_text(errors="replace"))


def copied(course: Workspace, folder: Path) -> Workspace:
    shutil.copytree(course.folder, folder, symlinks=True)
    return Workspace(folder)


# ---------------------------------------------------------------------------- the same by any pool


@pytest.fixture(scope="module")
def handed_in(
    tmp_path_factory: pytest.TempPathFactory, parameters: Workspace, solution: Solution
) -> Workspace:
    """Work of all kinds: right and wrong, with files, out of order, and none that can be read."""
    course = copied(parameters, tmp_path_factory.mktemp("handed-in") / "course")
    (course.folder / "source" / "parameters" / "given.py").write_text("word = 'the instructor'\n")
    course.submit("ann", "parameters", solution("parameters"))
    wrong = solution("parameters")
    cell_of(wrong, "MLP").source = "MLP = None"
    course.submit("a-b", "parameters", wrong)
    with_files = solution("parameters")
    with_files.cells.append(
        new_code_cell(
            "import os, given, own\n"
            "print(given.word, own.word, sorted(os.listdir()), os.listdir('data'))\n"
            "print(len(open('parameters.ipynb').read()))\n"
            "print('<b>bold</b> and 1 < 2')"
        )
    )
    folder = course.submit("bea", "parameters", with_files).parent
    (folder / "given.py").write_text("word = 'the student'\n")
    (folder / "own.py").write_text("word = 'mine'\n")
    (folder / "other.ipynb").write_text("{}")
    (folder / "timestamp.txt").write_text("2026-01-01 10:00:00 UTC\n")
    (folder / "data").mkdir()
    (folder / "data" / "numbers.csv").write_text("1,2\n")
    deadly = solution("parameters")
    cell_of(deadly, "Standardize").source += "\nimport os\nos._exit(3)"
    course.submit("cyd", "parameters", deadly)
    course.submit("dot", "parameters", solution("parameters")).write_text("no notebook")
    course.submit("eve", "parameters", solution("parameters")).rename(
        course.notebook("submitted", "parameters", "eve").with_name("final.ipynb")
    )
    return course


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster.running(tmp_path_factory.mktemp("dask"), workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def one(handed_in: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """One after the other, each when nbgrader comes to it: so it is where a notebook is named."""
    course = copied(handed_in, tmp_path_factory.mktemp("one") / "course")
    return graded(course, "--workers=1", "--notebook=parameters")


@pytest.fixture(scope="module")
def two(handed_in: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    return graded(copied(handed_in, tmp_path_factory.mktemp("two") / "course"), "--workers=2")


@pytest.fixture(scope="module")
def by_dask(
    handed_in: Workspace, tmp_path_factory: pytest.TempPathFactory, dask: Cluster
) -> Graded:
    course = copied(handed_in, tmp_path_factory.mktemp("by-dask") / "course")
    return graded(course, f"--scheduler={dask.address}", **dask.environment)


def files(course: Workspace) -> dict[str, Any]:
    """All that was written of the graded, but for times and memory."""
    found: dict[str, Any] = {}
    for path in sorted(course.folder.glob("autograded/**/*")):
        name = str(path.relative_to(course.folder))
        if path.suffix == ".ipynb":
            found[name] = json.loads(path.read_text())
            for measured in ("seconds", "peak_bytes"):
                del found[name]["metadata"]["autograder"][measured]
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def rows(course: Workspace) -> list[tuple[Any, ...]]:
    """All that the gradebook says of grades."""
    with course.gradebook() as gradebook:
        return sorted(
            (
                submission.student_id,
                str(submission.timestamp),
                grade.name,
                grade.auto_score,
                grade.manual_score,
                grade.needs_manual_grade,
                book.late_submission_penalty,
            )
            for submission in gradebook.assignment_submissions("parameters")
            for book in submission.notebooks
            for grade in book.grades
        )


@pytest.mark.parametrize("pool", ["two", "by_dask"])
def test_any_pool_comes_to_the_same(pool: str, one: Graded, request: pytest.FixtureRequest) -> None:
    other: Graded = request.getfixturevalue(pool)
    assert files(other.course) == files(one.course)
    assert rows(other.course) == rows(one.course)
    assert other.summary == one.summary
    # And it was the pool that came to it, for every one of them.
    assert sorted(other.told("answered")) == ["a-b", "ann", "bea", "cyd", "dot", "eve"]
    assert one.told("answered") == []
    assert "not what was graded ahead" not in other.log


def test_what_is_seen_is_what_nbgrader_lays_out(one: Graded) -> None:
    path = one.course.notebook("autograded", "parameters", "bea")
    (output,) = nbformat.read(path, 4).cells[-1].outputs
    lines = output.text.splitlines()
    listed = ["data", "given.py", "other.ipynb", "own.py", "parameters.ipynb", "timestamp.txt"]
    assert lines[0] == f"the instructor mine {[*listed]} ['numbers.csv']"
    assert int(lines[1]) > 10_000


def test_a_run_is_summed_up(two: Graded) -> None:
    summary = two.summary
    assert two.status == summary["status"] == 1
    assert (summary["graded"], summary["skipped"], summary["failed"]) == (4, 0, 2)
    dot, eve = summary["needs_a_person"]
    assert dot.startswith("dot: the file `parameters.ipynb` is not JSON")
    assert eve == "eve: there is no notebook named `parameters.ipynb` (found: `final.ipynb`)"
    assert (summary["max_score"], summary["scores"]["most"]) == (100, 100)
    assert sum(summary["scores"]["by_tenth"]) == 4
    assert [event["kind"] for event in two.events if "student" not in event] == ["begun", "summary"]


# -------------------------------------------------------------------------------------- going on


def test_only_what_has_changed_is_graded_again(two: Graded, tmp_path: Path) -> None:
    course = copied(two.course, tmp_path / "course")
    again = graded(course, "--workers=2")
    assert again.told("skipped") == ["a-b", "ann", "bea", "cyd"]
    assert again.told("saved") == ["dot", "eve"]

    path = course.notebook("submitted", "parameters", "a-b")
    shutil.copy(course.notebook("submitted", "parameters", "ann"), path)
    final = course.notebook("submitted", "parameters", "eve")
    final.with_name("final.ipynb").rename(final)
    changed = graded(course, "--workers=2")
    assert changed.told("skipped") == ["ann", "bea", "cyd"]
    assert changed.told("saved") == ["a-b", "dot", "eve"]
    assert "Grading of a-b depended on other submission, seed; it is graded again" in changed.log
    assert course.score("parameters", "a-b") == course.score("parameters", "eve") == 100

    other_limits = graded(course, "--workers=2", "--GradeNotebook.cell_seconds=61", "--student=ann")
    assert other_limits.told("saved") == ["ann"]
    assert "Grading of ann depended on other limits; it is graded again" in other_limits.log


@pytest.fixture
def slow(tmp_path: Path, parameters: Workspace, solution: Solution) -> Workspace:
    """Six submissions that take a while, and say when they run."""
    course = copied(parameters, tmp_path / "course")
    nb = solution("parameters")
    nb.cells.append(new_code_cell("import time\ntime.sleep(3)"))
    for number in range(6):
        course.submit(f"s{number}", "parameters", nb)
    return course


def begun(course: Workspace, *options: str, **environment: str) -> "subprocess.Popen[str]":
    """A run of `grade` that has saved one."""
    process = subprocess.Popen(
        command("--json", "--workers=2", *options),
        cwd=course.folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["kind"] == "saved":
            return process
    raise AssertionError("nothing was graded")


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_stops_it_and_the_next_call_goes_on(slow: Workspace) -> None:
    process = begun(slow)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 4
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    summary = json.loads(process.stdout.read().splitlines()[-1])
    assert process.wait(PATIENCE) == summary["status"] == 130
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    assert summary["stopped"]
    assert 1 <= summary["graded"] < 6
    assert summary["left"] == 6 - summary["graded"]

    rest = graded(slow, "--workers=2")
    assert rest.status == 0
    assert len(rest.told("skipped")) >= summary["graded"]
    assert {slow.score("parameters", f"s{number}") for number in range(6)} == {100}


def test_what_nbgrader_takes_away_again_was_not_saved(handed_in: Workspace, tmp_path: Path) -> None:
    course = copied(handed_in, tmp_path / "course")
    config = course.folder / "nbgrader_config.py"
    hook = "def stop(**_):\n    raise KeyboardInterrupt\nc.Autograde.post_convert_hook = stop\n"
    config.write_text(f"{config.read_text()}\n{hook}")
    stopped = graded(course, "--workers=2")
    assert stopped.status != 0
    assert (stopped.told("saved"), stopped.told("failed"), stopped.summary["graded"]) == ([], [], 0)
    assert not course.notebook("autograded", "parameters", "a-b").exists()


@pytest.mark.parametrize("victim", ["grade", "nbgrader", "worker", "nursery", "other"])
def test_a_kill_loses_nothing(victim: str, slow: Workspace) -> None:
    process = begun(slow)
    (nbgrader,) = psutil.Process(process.pid).children()
    family = psutil.Process(process.pid).children(recursive=True)
    goes_on = victim not in ("grade", "nbgrader")
    if goes_on:
        workers = [each for each in family if each.cmdline() == nbgrader.cmdline()]
        first, nursery, other = (each for each in workers if each != nbgrader)
        assert (first.parent(), nursery.parent(), other.parent()) == (nbgrader, first, nursery)
        {"worker": first, "nursery": nursery, "other": other}[victim].kill()
    else:
        (process if victim == "grade" else nbgrader).kill()
    assert process.stdout is not None
    process.stdout.read()
    process.wait(PATIENCE)
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    if goes_on:
        assert process.returncode == 0
    else:
        assert graded(slow, "--workers=2").status == 0
    assert {slow.score("parameters", f"s{number}") for number in range(6)} == {100}


@pytest.mark.parametrize("victim", ["worker", "scheduler"])
def test_what_a_cluster_loses_is_graded_all_the_same(
    victim: str, slow: Workspace, tmp_path: Path
) -> None:
    with cluster.running(tmp_path / "dask", workers=2) as dask:
        process = begun(slow, f"--scheduler={dask.address}", **dask.environment)
        (dask.scheduler if victim == "scheduler" else dask.workers[0]).kill()
        assert process.stdout is not None
        summary = json.loads(process.stdout.read().splitlines()[-1])
    assert (process.wait(PATIENCE), summary["graded"]) == (0, 6)
    assert {slow.score("parameters", f"s{number}") for number in range(6)} == {100}


# --------------------------------------------------------------------------------- what is refused


def test_a_cluster_must_be_safe_and_the_same(handed_in: Workspace, tmp_path: Path) -> None:
    course = copied(handed_in, tmp_path / "course")
    insecure = graded(course, "--scheduler=tcp://127.0.0.1:1")
    assert insecure.status == 1
    assert insecure.summary["refused"][0].startswith(
        "The scheduler's address tcp://127.0.0.1:1 is without TLS"
    )
    shutil.copytree(ROOT / "autograder", tmp_path / "older" / "autograder")
    suite = tmp_path / "older" / "autograder" / "suites" / "parameters" / "test_MLP.py"
    suite.write_text(suite.read_text().replace("points(", "points( "))
    with cluster.running(tmp_path / "dask", 1, PYTHONPATH=str(tmp_path / "older")) as dask:
        older = graded(course, f"--scheduler={dask.address}", **dask.environment)
    assert older.status == 1
    (why,) = older.summary["refused"]
    assert "has other suites than this machine" in why


def test_an_unknown_assignment_is_refused_in_a_line(parameters: Workspace) -> None:
    words = [sys.executable, "-m", "autograder", "grade", "no_such"]
    done = subprocess.run(words, cwd=parameters.folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "no_such" in done.stderr
