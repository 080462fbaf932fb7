"""Grading again after a correction: nothing is touched until that is asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.afterwards.regrade import TestChange, Verdict, compare, in_lines
from autograder.commands.corpora import build, samples
from autograder.commands.workspace import Workspace
from autograder.grading import history, record
from autograder.grading.dependence import Dependence
from autograder.grading.history import Outcome
from autograder.grading.record import Record
from autograder.grading.results import CellResult, TestResult

SAMPLES = {
    sample.student: sample.entry for sample in samples() if sample.entry.assignment == "parameters"
}


def of(earned: int, suites: str = "old", submission: str = "1", ungraded: str = "") -> Record:
    mistake = "doubled" if earned < 5 else None
    tests = (TestResult("test_a", 5, earned, "t", misconception=mistake),)
    cell = CellResult("test_f", "", () if ungraded else tests, ungraded)
    same = CellResult("test_g", "", (TestResult("test_b", 3, 3, "t"),))
    depends_on = Dependence(submission, "r", suites, "d", "l", "p")
    return Record(cells=(cell, same), depends_on=depends_on)


def test_what_changes_is_told_with_the_check() -> None:
    change = compare("mira", of(0), of(5, "new"))
    assert (change.verdict, change.before, change.after) == (Verdict.CHANGED, 3, 8)
    assert change.tests == (
        TestChange("test_f.test_a", Outcome(5, 0, "doubled"), Outcome(5, 5, None)),
    )
    assert list(in_lines(change)) == ["mira: 3 -> 8", "    f.test_a: 0 of 5 (doubled) -> 5 of 5"]


def test_the_same_points_are_no_change_whatever_they_came_from() -> None:
    change = compare("mira", of(5), of(5, "new"))
    assert (change.verdict, change.tests, change.other_suites) == (Verdict.SAME, (), True)
    assert not compare("mira", of(5), of(5)).other_suites


def test_another_hand_in_is_no_correction() -> None:
    change = compare("mira", of(0), of(5, submission="2"))
    assert change.verdict is Verdict.NEW
    assert "nbgrader autograde grades it" in " ".join(in_lines(change))


def test_what_could_be_graded_is_never_changed_to_what_could_not() -> None:
    change = compare("mira", of(5), of(5, ungraded="the suite broke"))
    assert (change.verdict, change.before, change.after) == (Verdict.LOST, 8, None)
    assert next(iter(in_lines(change))) == "mira: 8 -> not graded (the suite broke)"
    assert compare("mira", of(5, ungraded="it broke"), of(5)).verdict is Verdict.CHANGED


# ------------------------------------------------------------------------------------ a real course


def regrade(course: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autograder", "regrade", "parameters", *words],
        cwd=course.folder,
        capture_output=True,
        text=True,
    )


def state(course: Workspace) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in course.folder.rglob("*")}


def graded_by_other_suites(course: Workspace, student: str) -> None:
    """Make it so: a check had been too hard, and cost a student points."""
    path = course.notebook("autograded", "parameters", student)
    nb = nbformat.read(path, as_version=4)
    told = nb.metadata["autograder"]
    told["depends_on"]["suites"] = "0" * 64
    (cell,) = [cell for cell in told["cells"] if cell["grade_id"] == "test_Standardize"]
    cell["tests"][0]["earned"] = 0
    os.chmod(path, 0o644)
    nbformat.write(nb, path)
    os.chmod(path, 0o444)
    history_of(course, student).unlink()
    lost = cell["tests"][0]["points"]
    with course.gradebook() as gradebook:
        name = "parameters"
        gradebook.find_grade("test_Standardize", name, name, student).auto_score -= lost
        manual = gradebook.find_grade("test_MLP", name, name, student)
        manual.manual_score, manual.extra_credit = 20, 2
        gradebook.find_comment("MLP", name, name, student).manual_comment = "Well tried."
        gradebook.db.commit()


def history_of(course: Workspace, student: str) -> Path:
    return history.path_of(course.folder, student, "parameters")


@pytest.mark.kernel
def test_a_correction_is_seen_first_and_then_made(tmp_path: Path) -> None:
    course = Workspace.make(tmp_path, ["parameters"])
    for student in ("mira", "ada"):
        course.submit(student, "parameters", build(SAMPLES[student]))
    assert regrade(course).returncode == 2, "nothing has been graded"
    course.nbgrader("autograde", "parameters")
    course.nbgrader("generate_feedback", "parameters")
    graded_by_other_suites(course, "mira")
    before = state(course)

    seen = regrade(course)
    assert seen.returncode == 1, seen.stderr
    assert "mira: 78 -> 86\n    Standardize.test_" in seen.stdout
    assert "ada" not in seen.stdout
    assert "2 compared: 1 would change, 1 would not" in seen.stdout
    assert state(course) == before, "a dry run changes nothing"

    made = regrade(course, "--apply")
    assert made.returncode == 0, made.stderr + made.stdout
    changed = {path for path, time in state(course).items() if before.get(path) != time}
    assert not [path for path in changed if "ada" in path.parts]
    told = record.read(nbformat.read(course.notebook("autograded", "parameters", "mira"), 4))
    assert told.depends_on is not None
    assert told.depends_on.suites != "0" * 64
    page = (course.folder / "feedback/mira/parameters/parameters.html").read_text()
    assert "This page was updated" in page
    assert told.depends_on.suites[:8] in page
    assert "They gave it 78 points before; they give it 86 now." in page
    with course.gradebook() as gradebook:
        name = "parameters"
        manual = gradebook.find_grade("test_MLP", name, name, "mira")
        assert (manual.manual_score, manual.extra_credit, manual.auto_score) == (20, 2, 11)
        assert gradebook.find_comment("MLP", name, name, "mira").comment == "Well tried."
        assert gradebook.find_grade("test_Standardize", name, name, "mira").auto_score == 25

    written = subprocess.run(
        [sys.executable, "-m", "autograder", "report", "parameters", "--json", "told.json"],
        cwd=course.folder,
        capture_output=True,
        text=True,
    )
    assert written.returncode == 0, written.stderr
    data = json.loads((course.folder / "told.json").read_text())
    assert sorted(data["scores"]) == [97, 100]
    assert {each["name"] for each in data["mistakes"]} >= {"relu-after-last"}
    assert 'href="../feedback/mira/' in (course.folder / "report/parameters.html").read_text()
