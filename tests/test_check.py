"""`python -m autograder check`: one notebook on the spot, and nothing else is touched."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.commands.corpora import build, samples
from autograder.commands.workspace import Workspace

pytestmark = pytest.mark.kernel

SAMPLES = {
    sample.student: sample.entry for sample in samples() if sample.entry.assignment == "parameters"
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.make(tmp_path_factory.mktemp("course"), ["parameters"])


def check(
    course: Workspace, *words: str, notebook: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    before = {path: path.stat().st_mtime_ns for path in course.folder.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "check", *words],
        cwd=course.folder,
        input=notebook,
        capture_output=True,
    )
    assert before == {path: path.stat().st_mtime_ns for path in course.folder.rglob("*")}
    return done


def test_a_solution_has_full_marks(course: Workspace) -> None:
    path = course.notebook("source", "parameters")
    done = check(course, str(path))
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.startswith(b"parameters: 100 of 100\n")


def test_a_folder_is_read_as_one_that_was_handed_in(course: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "mira" / "parameters"
    folder.mkdir(parents=True)
    nbformat.write(build(SAMPLES["mira"]), folder / "parameters.ipynb")
    (folder / "link.txt").symlink_to("/etc/passwd")
    done = check(course, str(folder))
    assert done.returncode == 1, done.stderr.decode()
    told = done.stdout.decode()
    assert told.startswith("parameters: 86 of 100\n")
    assert "note: The file `link.txt` was not used: it is a symbolic link." in told
    assert "MLP                      11 of 25" in told
    assert "There is a ReLU after the last layer" in told


def test_the_same_seed_gives_the_same_result_for_programs(course: Workspace) -> None:
    notebook = nbformat.writes(build(SAMPLES["mira"])).encode()
    done = check(course, "-", "--json", "--seed", "0" * 32, notebook=notebook)
    assert done.returncode == 1, done.stderr.decode()
    told = json.loads(done.stdout)
    assert (told["assignment"], told["score"], told["max_score"]) == ("parameters", 86, 100)
    assert told["seed"] == "0" * 32
    (mlp,) = [cell for cell in told["cells"] if cell["grade_id"] == "test_MLP"]
    lost = [test["misconception"] for test in mlp["tests"] if test["earned"] < test["points"]]
    assert "relu-after-last" in lost


def test_the_page_is_the_one_of_feedback_and_harmless(course: Workspace) -> None:
    nb = build(SAMPLES["mira"])
    nb.cells.append(nbformat.v4.new_markdown_cell("<script>alert('mine')</script> my own words"))
    done = check(course, "-", "--html", notebook=nbformat.writes(nb).encode())
    assert done.returncode == 1, done.stderr.decode()
    page = done.stdout.decode()
    assert "86 of 100 points" in page
    assert "There is a ReLU after the last layer" in page
    assert "my own words" in page
    assert "alert(" not in page


@pytest.mark.parametrize(
    ("words", "notebook", "told"),
    [
        (("nowhere.ipynb",), None, "nowhere.ipynb cannot be read: No such file or directory."),
        (("-",), b"{}", "Which assignment is this of? Say it with --assignment: parameters."),
        (
            ("-", "--assignment", "none"),
            b"{}",
            "No assignment 'none' is released here (there are: parameters).",
        ),
    ],
)
def test_what_there_is_nothing_to_grade_of_is_said(
    words: tuple[str, ...], notebook: bytes | None, told: str, course: Workspace
) -> None:
    done = check(course, *words, notebook=notebook)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode().startswith(told)


def test_what_is_no_notebook_could_not_be_graded(course: Workspace) -> None:
    done = check(course, "-", "--assignment", "parameters", "--json", notebook=b"no notebook")
    assert done.returncode == 2, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["score"] is None
    assert all(cell["ungraded"] and cell["graded"] is False for cell in told["cells"])
