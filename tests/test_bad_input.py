"""Broken submissions, graded together by one plain `nbgrader autograde`: nobody's grade is lost."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import MissingEntry

from autograder.commands.workspace import Workspace
from autograder.grading import record
from autograder.text import escaped
from tests.bad_input import CASES, Case

pytestmark = pytest.mark.kernel

LIMITS = ["--GradeNotebook.cell_seconds=4", "--GradeNotebook.probe_seconds=3"]


@pytest.fixture(scope="module")
def graded(
    tmp_path_factory: pytest.TempPathFactory, solution: Callable[[str], nbformat.NotebookNode]
) -> Iterator[tuple[Workspace, "subprocess.CompletedProcess[str]"]]:
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
        # As a hostile or careless editor would write it: nothing is validated.
        path.write_text(json.dumps(nb, indent=1))
        if case.files is not None:
            case.files(path)
        if case.beside is not None:
            case.beside(path.parent)
    beside(course, solution("parameters"))
    odd_folders(course)
    before = listing(course)
    yield course, course.nbgrader("autograde", "parameters", *LIMITS, check=False)
    assert listing(course) == before, "something was changed in what was handed in"
    # Python's own way to remove folders is not as deep as they are.
    subprocess.run(["rm", "-r", course.folder / "submitted"], check=True)


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


#: What is no folder of a student's, and why.
ODD_FOLDERS = {
    "linked-folder": "its folder is a symbolic link, which is not followed",
    "linked-student": "its folder is a symbolic link, which is not followed",
    "a-file": "its folder is no folder",
    "a-file-inside": "its folder is no folder",
    "no text \udcff": "its folder has a name that cannot be printed; rename it",
    "a\x1b[31mb": "its folder has a name that cannot be printed; rename it",
    "x\n[AutogradeApp | ERROR] lies": "its folder has a name that cannot be printed; rename it",
}


def odd_folders(course: Workspace) -> None:
    """Hand in what is no folder, or has a name that no list can show."""
    submitted = course.folder / "submitted"
    perfect = submitted / "aaa-perfect"
    for name in ODD_FOLDERS.keys() - {"linked-student", "a-file"}:
        (submitted / name).mkdir()
    (submitted / "linked-folder" / "parameters").symlink_to(perfect / "parameters")
    (submitted / "linked-student").symlink_to(perfect)
    (submitted / "a-file").write_text("")
    (submitted / "a-file-inside" / "parameters").write_text("")
    for name in list(ODD_FOLDERS)[4:]:
        shutil.copytree(perfect / "parameters", submitted / name / "parameters")


def listing(course: Workspace) -> str:
    """Everything that was handed in, with kind, size and time; but for the gradebook's link."""
    submitted = course.folder / "submitted"
    command = ["find", submitted, "!", "-name", "hard.db", "-printf", "%y %s %T@ %P\\n"]
    found = subprocess.run(command, capture_output=True, check=True).stdout
    return "\n".join(sorted(found.decode(errors="replace").splitlines()))


def page(course: Workspace, student: str) -> str:
    """All text of a graded notebook."""
    return course.notebook("autograded", "parameters", student).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(graded: tuple[Workspace, "subprocess.CompletedProcess[str]"], case: Case) -> None:
    course, done = graded
    assert course.score("parameters", case.name) == case.score
    with course.gradebook() as gradebook:
        grades = gradebook.find_submission("parameters", case.name).notebooks[0].grades
        assert len(grades) == 5
        assert {grade.needs_manual_grade for grade in grades} == {case.score is None}
        assert case.score is not None or {grade.auto_score for grade in grades} == {None}
    assert (f"Could not be graded: {case.name}: " in done.stderr) == (case.score is None)
    read = re.sub(r"</?code[^>]*>", "`", page(course, case.name).replace("&#39;", "'"))
    assert case.says.replace('"', '\\"') in read


@pytest.mark.parametrize("student", ["aaa-perfect", "zzz-perfect"])
def test_the_others_keep_their_grade(graded: tuple[Workspace, object], student: str) -> None:
    course, _ = graded
    assert course.score("parameters", student) == 100


@pytest.mark.parametrize(("student", "why"), ODD_FOLDERS.items(), ids=map(repr, ODD_FOLDERS))
def test_what_is_no_folder_is_listed_and_gets_no_score(
    graded: tuple[Workspace, "subprocess.CompletedProcess[str]"], student: str, why: str
) -> None:
    course, done = graded
    assert done.returncode == 1
    assert f"Could not be graded: {escaped(student)}: {why}\n" in done.stderr
    with course.gradebook() as gradebook, pytest.raises(MissingEntry):
        gradebook.find_submission("parameters", escaped(student))
    assert not (course.folder / "autograded" / student).exists()


def test_no_name_is_shown_as_it_is(
    graded: tuple[Workspace, "subprocess.CompletedProcess[str]"],
) -> None:
    _, done = graded
    assert "\x1b" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.endswith("ERROR] lies")] == []


def test_nothing_that_looked_broken_reached_the_others(
    graded: tuple[Workspace, "subprocess.CompletedProcess[str]"],
) -> None:
    course, _ = graded
    kinds = {path: path.lstat().st_mode for path in (course.folder / "autograded").rglob("*")}
    assert all(stat.S_ISDIR(mode) or stat.S_ISREG(mode) for mode in kinds.values())
    names = {path.name for path in kinds if path.suffix == ".ipynb"}
    assert names == {"parameters.ipynb"}


def test_names_that_are_patterns_get_feedback(graded: tuple[Workspace, object]) -> None:
    course, _ = graded
    for pattern in ("[[a][ya]*", ".*"):  # nbgrader itself finds one of each
        course.nbgrader(
            "generate_feedback", "parameters", f"--CourseDirectory.student_id={pattern}"
        )
    for student in ("[y]", ".dot"):
        folder = course.notebook("feedback", "parameters", student).parent
        assert [path.name for path in folder.iterdir()] == ["parameters.html"]


def test_files_beside(graded: tuple[Workspace, object]) -> None:
    course, _ = graded
    folder = course.notebook("autograded", "parameters", "files-beside").parent
    assert course.score("parameters", "files-beside") == 100
    assert sorted(path.name for path in folder.iterdir()) == ["helper.py", "parameters.ipynb"]
    nb = nbformat.read(course.notebook("autograded", "parameters", "files-beside"), 4)
    text = "\n".join(str(note) for note in record.read(nb).notes)
    for name in ("gradebook.db", "etc", "hard.db", "pipe", "huge.bin"):
        assert f"The file `{name}` was not used" in text


@pytest.mark.parametrize("student", ["stamp-linked", "stamp-broken"])
def test_broken_time_stamps_are_left_out(
    graded: tuple[Workspace, "subprocess.CompletedProcess[str]"], student: str
) -> None:
    course, done = graded
    folder = course.notebook("autograded", "parameters", student).parent
    assert course.score("parameters", student) == 100
    assert [path.name for path in folder.iterdir()] == ["parameters.ipynb"]
    assert f"{student}: The file `timestamp.txt` was not used" in done.stderr


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
