"""The history of hand-ins: what was graded before, and what a correction changed."""

import logging
from pathlib import Path

import pytest
from nbconvert.exporters.exporter import ResourcesDict
from nbformat.v4 import new_notebook

from autograder.grading import history, record
from autograder.grading.dependence import Dependence
from autograder.grading.grader import Graded
from autograder.grading.progress import Before
from autograder.grading.record import Record
from autograder.grading.results import CellResult, TestResult
from autograder.pipeline.history import KeepHistory, LookBack


def cell(name: str, *earned: int, misconception: str = "doubled") -> CellResult:
    tests = (
        TestResult(
            f"test_{n}", 5, points, "t", misconception=None if points == 5 else misconception
        )
        for n, points in enumerate(earned)
    )
    return CellResult(f"test_{name}", "", tuple(tests))


def of(submission: str, suites: str = "s") -> Dependence:
    return Dependence(submission, "r", suites, "d", "l", "p")


def test_what_is_added_is_read_and_a_line_that_was_cut_off_is_not(tmp_path: Path) -> None:
    path = history.path_of(tmp_path, "mira", "A")
    assert history.read(path) == []
    history.add(path, [cell("f", 5, 2), CellResult("test_g", "", (), "broken")], of("1"))
    with path.open("a") as file:
        file.write('{"version": 1, "when": "20')
    history.add(path, [cell("f", 5, 5)], of("2"))
    first, second = history.read(path)
    assert first.depends_on == of("1")
    assert first.tests == {
        "test_f.test_0": history.Outcome(5, 5, None),
        "test_f.test_1": history.Outcome(5, 2, "doubled"),
    }
    assert (first.earned, first.misconceptions) == (7, {"doubled"})
    assert (second.earned, second.misconceptions) == (10, set())


def graded(path: Path, *gradings: tuple[str, int]) -> list[history.Grading]:
    for submission, points in gradings:
        history.add(path, [cell("f", points)], of(submission))
    return history.read(path)


def test_a_hand_in_is_graded_as_often_as_one_likes(tmp_path: Path) -> None:
    gradings = graded(tmp_path / "x" / "A.jsonl", ("1", 2), ("1", 3), ("2", 5), ("1", 3))
    told = [(each.depends_on.submission, each.earned) for each in history.hand_ins(gradings)]
    assert told == [("1", 3), ("2", 5), ("1", 3)]


def test_the_student_is_told_of_other_points_for_the_same_work(tmp_path: Path) -> None:
    gradings = graded(tmp_path / "x" / "A.jsonl", ("1", 2), ("1", 5))

    def told(points: int, submission: str = "1") -> str:
        return str(history.corrected(gradings, [cell("f", points)], of(submission, "new")))

    assert "gave it 5 points before; they give it 3 now" in told(3)
    assert "gave it 2 points before; they give it 5 now" in told(5), "also when graded once more"
    assert told(5, "2") == "", "another hand-in is no correction"
    assert history.corrected([], [cell("f", 5)], of("1")) == ""


def test_what_could_not_be_graded_is_no_correction(tmp_path: Path) -> None:
    path = tmp_path / "x" / "A.jsonl"
    history.add(path, [cell("f", 5), CellResult("test_g", "", (), "broken")], of("1"))
    now = [cell("f", 5), cell("g", 5)]
    assert history.corrected(history.read(path), now, of("1")) == ""


def test_a_hand_in_is_compared_with_the_one_before_it_however_often_it_is_graded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x" / "A.jsonl"
    gradings = graded(path, ("1", 2), ("2", 5), ("1", 2), ("2", 4), ("1", 5))
    assert history.before([], of("1")) is None
    assert history.before(gradings, of("1", "new suites")) is None, "it is the first"
    second = history.before(gradings, of("2"))
    assert second == Before(passed=("test_f.test_0",), failed=()), "as it was graded last"
    third = history.before(gradings, of("3"))
    assert third == Before(passed=(), failed=("test_f.test_0",))


# ------------------------------------------------------------------------------ as nbgrader's steps


def step(points: int, suites: str, log: logging.Logger) -> Graded:
    """What the two steps make of a grading in the current folder."""
    result = cell("f", points)
    graded = Graded(new_notebook(), {"test_f": result}, depends_on=of("1", suites))
    told = ResourcesDict(nbgrader={"student": "mira", "assignment": "A"}, autograder=graded)
    nb, told = LookBack(log=log).preprocess(new_notebook(), told)
    noted: Graded = told["autograder"]
    record.write(nb, Record(cells=(result,), depends_on=noted.depends_on))
    KeepHistory(log=log).preprocess(nb, told)
    return noted


def test_a_grading_is_kept_and_a_correction_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert step(2, "old", logging.getLogger()).notes == ()
    (note,) = step(5, "new", logging.getLogger()).notes
    assert "This page was updated" in str(note)
    assert len(history.read(tmp_path / "history" / "mira" / "A.jsonl")) == 2


def test_a_history_that_cannot_be_written_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "history").write_text("in the way")
    assert step(2, "old", logging.getLogger("steps")).notes == ()
    assert "cannot be written" in caplog.text
    (tmp_path / "history").unlink()
    history.path_of(tmp_path, "mira", "A").mkdir(parents=True)
    assert step(2, "old", logging.getLogger("steps")).notes == ()
    assert "cannot be read" in caplog.text
