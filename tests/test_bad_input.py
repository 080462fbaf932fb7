"""Broken submissions, graded together by one plain `nbgrader autograde`: nobody's grade is lost."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from autograder.workspace import Workspace
from tests.bad_input import CASES, Case

LIMITS = ["--GradeNotebook.cell_seconds=4", "--GradeNotebook.probe_seconds=3"]


@pytest.fixture(scope="module")
def graded(
    tmp_path_factory: pytest.TempPathFactory, solution: Callable[[str], nbformat.NotebookNode]
) -> tuple[Workspace, "subprocess.CompletedProcess[str]"]:
    """All cases handed in, between two perfect ones, and graded."""
    course = Workspace.make(tmp_path_factory.mktemp("bad-input"), ["parameters"])
    course.submit("aaa-perfect", "parameters", solution("parameters"))
    course.submit("zzz-perfect", "parameters", solution("parameters"))
    for case in CASES:
        nb = solution("parameters")
        if case.change is not None:
            case.change(nb)
        path = course.notebook("submitted", "parameters", case.name)
        path.parent.mkdir(parents=True)
        if case.files is not None:
            case.files(path)
        else:
            # As a hostile or careless editor would write it: nothing is validated.
            path.write_text(json.dumps(nb))
    beside(course, solution("parameters"))
    renamed = course.submit("renamed", "parameters", solution("parameters"))
    renamed.rename(renamed.with_name("my homework.ipynb"))
    (course.folder / "submitted" / "linked-folder").mkdir()
    (course.folder / "submitted" / "linked-folder" / "parameters").symlink_to(
        course.folder / "submitted" / "aaa-perfect" / "parameters"
    )
    return course, course.nbgrader("autograde", "parameters", *LIMITS, check=False)


def beside(course: Workspace, nb: nbformat.NotebookNode) -> None:
    """Hand in a notebook with links, devices, huge files and a broken time stamp beside it."""
    for student in ("files-beside", "stamp-linked", "stamp-broken"):
        folder = course.submit(student, "parameters", nb).parent
        if student == "stamp-linked":
            (folder / "timestamp.txt").symlink_to("/dev/zero")
        elif student == "stamp-broken":
            (folder / "timestamp.txt").write_text("the day before yesterday")
    folder = course.notebook("submitted", "parameters", "files-beside").parent
    (folder / "gradebook.db").symlink_to(course.folder / "gradebook.db")
    (folder / "etc").symlink_to("/etc")
    os.link(course.folder / "gradebook.db", folder / "hard.db")
    os.mkfifo(folder / "pipe")
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(10**12)
    (folder / "helper.py").write_text("answer = 42\n")


def page(course: Workspace, student: str) -> str:
    """All text of a graded notebook."""
    return course.notebook("autograded", "parameters", student).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(graded: tuple[Workspace, object], case: Case) -> None:
    course, _ = graded
    assert course.score("parameters", case.name) == case.score
    assert case.says.replace('"', '\\"') in page(course, case.name).replace("&#39;", "'").replace(
        '<code style=\\"color:#1a1a1a;background:#eef1f4;padding:0 3px;border-radius:3px\\">', "`"
    ).replace("</code>", "`")


@pytest.mark.parametrize("student", ["aaa-perfect", "zzz-perfect"])
def test_the_others_keep_their_grade(graded: tuple[Workspace, object], student: str) -> None:
    course, _ = graded
    assert course.score("parameters", student) == 100


def test_renamed_is_listed_and_gets_no_score(
    graded: tuple[Workspace, "subprocess.CompletedProcess[str]"],
) -> None:
    course, done = graded
    assert done.returncode == 1
    assert "renamed handed in no notebook named parameters.ipynb (found: my homework.ipynb)" in (
        done.stderr
    )
    assert course.score("parameters", "renamed") is None


def test_a_linked_folder_is_listed_and_gets_no_score(
    graded: tuple[Workspace, "subprocess.CompletedProcess[str]"],
) -> None:
    course, done = graded
    assert "linked-folder/parameters is a symbolic link" in done.stderr
    assert course.score("parameters", "linked-folder") is None
    assert not (course.folder / "autograded/linked-folder/parameters/parameters.ipynb").exists()


def test_files_beside(graded: tuple[Workspace, object]) -> None:
    course, _ = graded
    folder = course.notebook("autograded", "parameters", "files-beside").parent
    assert course.score("parameters", "files-beside") == 100
    assert sorted(path.name for path in folder.iterdir()) == ["helper.py", "parameters.ipynb"]
    text = page(course, "files-beside")
    for name in ("gradebook.db", "etc", "hard.db", "pipe", "huge.bin"):
        assert f"The file `{name}` was not used" in text


@pytest.mark.parametrize("student", ["stamp-linked", "stamp-broken"])
def test_broken_time_stamps_are_set_aside(graded: tuple[Workspace, object], student: str) -> None:
    course, _ = graded
    folder = course.notebook("submitted", "parameters", student).parent
    assert course.score("parameters", student) == 100
    assert [path.name for path in sorted(folder.glob("time*"))] == ["timestamp.txt.refused"]


def test_output_is_cut_with_a_note(graded: tuple[Workspace, object]) -> None:
    course, _ = graded
    for student in ("prints-100-mb", "prints-a-million-lines"):
        text = page(course, student)
        assert len(text) < 4_000_000
        assert "was cut here" in text or "Output truncated" in text


def test_outside_the_course_nothing_is_graded(tmp_path: Path) -> None:
    nbgrader = Path(sys.executable).with_name("nbgrader")
    done = subprocess.run(
        [nbgrader, "autograde", "parameters"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "No notebooks were matched" in done.stderr
