"""The line through a pool and the order of answers, decided without any worker."""

import errno
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError, OperationalError

from autograder.commands.grade import errors
from autograder.commands.grading_run import Run, in_lines
from autograder.grading import grader
from autograder.grading.grader import Graded, Submission, Whole
from autograder.grading.parallel import PoolLost, capacity, cores, verdicts
from autograder.grading.reserve import InReserve
from autograder.grading.worker import BudgetSpent
from autograder.pipeline import ahead
from autograder.pipeline.ahead import Ahead, Line
from autograder.pipeline.trouble import advice
from autograder.submission.rebuild import Release

LOG = logging.getLogger(__name__)
RELEASE = Release((), {})
EMPTY = Graded(nbformat.v4.new_notebook(), {})


def submission(name: str) -> Submission:
    return Submission("a", name.encode(), RELEASE, seed=name)


class LastFirst:
    """A pool that takes three at a time, and answers the newest of them first."""

    suites: dict[str, dict[str, int]] = {}  # noqa: RUF012

    def __init__(self, answer: Callable[[Submission], Any]) -> None:
        self._answer = answer
        self.most = 0
        self.closed = False

    def outcomes(self, submissions: Iterable[Submission]) -> Iterator[tuple[int, Any]]:
        coming, taken = enumerate(submissions), []
        while True:
            while len(taken) < 3 and (task := next(coming, None)):
                taken.append(task)
            self.most = max(self.most, len(taken))
            if not taken:
                return
            place, last = taken.pop()
            yield place, self._answer(last)

    def close(self) -> None:
        self.closed = True


def test_verdicts_come_in_the_order_of_submissions() -> None:
    def answer(work: Submission) -> Any:
        if work.seed == "2":
            return BudgetSpent("it took too long")
        return replace(EMPTY, notes=(work.seed,))

    pool = LastFirst(answer)
    came = list(verdicts(pool, map(submission, "0123456"), LOG))
    assert [each.notes for each in came] == [
        *(("0",), ("1",), ()),
        *(("3",), ("4",), ("5",), ("6",)),
    ]
    assert pool.most == 3


def graded_ahead(work: Submission) -> Any:
    if work.seed == "bad":
        return OSError("the worker could not be started")
    return Ahead(work.seed, "", EMPTY)


def coming() -> Iterator[tuple[str, Submission | None]]:
    for name in ("ann", "bea", "bad", "cyd", "dot"):
        yield name, None if name == "bea" else submission(name)


def test_a_line_keeps_answers_until_they_are_asked_for() -> None:
    told: dict[str, bool] = {}
    pool = LastFirst(graded_ahead)
    line = Line(pool, coming(), told.__setitem__, LOG)
    came = {name: line.take(name) for name in ("ann", "bea", "bad", "cyd", "dot", "nobody")}
    assert {name: each.whole for name, each in came.items() if each} == {
        name: name for name in ("ann", "cyd", "dot")
    }
    assert told == {"ann": True, "bea": False, "bad": False, "cyd": True, "dot": True}
    assert line.take("ann") is None  # it is given away
    line.close()
    assert pool.closed


def test_where_the_pool_ends_early_the_rest_has_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(work: Submission) -> Any:
        raise ConnectionError("the scheduler is gone")

    line = Line(LastFirst(fails), coming(), lambda *_: None, LOG)
    assert line.take("dot") is None
    assert "graded one by one: the scheduler is gone" in caplog.text
    line.close()


class Lost(LastFirst):
    """A pool that answers twice, and is lost then."""

    def outcomes(self, submissions: Iterable[Submission]) -> Iterator[tuple[int, Any]]:
        answers = super().outcomes(submissions)
        yield next(answers)
        yield next(answers)
        raise PoolLost("the scheduler is gone")


def test_what_a_lost_pool_leaves_is_done_by_the_one_in_reserve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, other = Lost(lambda work: work.seed), LastFirst(lambda work: work.seed)
    pool = InReserve[Any](first, lambda: other, LOG)
    came = list(pool.outcomes(map(submission, "0123456")))
    assert sorted(came) == [(place, str(place)) for place in range(7)]
    assert "What is left is graded on this machine: the scheduler is gone" in caplog.text
    assert (first.closed, other.closed) == (True, False)
    pool.close()
    assert other.closed


def test_a_pool_that_was_closed_needs_none_in_reserve() -> None:
    def none_is_wanted() -> Any:
        raise AssertionError("it was begun")

    pool = InReserve[Any](Lost(lambda work: work.seed), none_is_wanted, LOG)
    answers = pool.outcomes(map(submission, "0123"))
    next(answers), next(answers)
    pool.close()
    with pytest.raises(PoolLost):
        next(answers)


def meets(kind: str, folder: Path) -> None:
    """Meet an error of a gradebook's, a real one."""
    path = folder / "gradebook.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE grade (points)")
        if kind == "damaged":
            path.write_bytes(b"no gradebook" * 1000)
        engine = create_engine(f"sqlite:///file:{path}?uri=true" + "&mode=ro" * (kind == "ro"))
        with engine.connect() as connection:
            connection.execute(text("PRAGMA busy_timeout = 1"))
            connection.execute(text("PRAGMA max_page_count = 2"))
            if kind == "locked":
                other.execute("BEGIN EXCLUSIVE")
            large, unknown = "INSERT INTO grade VALUES (zeroblob(9999))", "SELECT score FROM grade"
            connection.execute(text(unknown if kind == "older" else large))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("locked", "The gradebook has been locked for 30 s by another program: end that one"),
        ("ro", "The gradebook cannot be written: make its file and folder writable"),
        ("full", "There is no room left for the gradebook: make room on its disk"),
        ("damaged", "The gradebook is no gradebook any more: put back its last backup"),
        ("older", ""),  # nbgrader says that it is to be upgraded
    ],
)
def test_errors_of_a_gradebook_say_what_to_do(kind: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        meets(kind, tmp_path)
    told = advice(caught.value)
    assert told.startswith(says)
    assert bool(told) == bool(says)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "no room left on the disk (a/b)"),
        (OSError(errno.ESTALE, "Stale file handle", "a/b"), "a/b cannot be used, Stale file"),
        (OSError(errno.ENOENT, "No such file", "a/b"), ""),
        (ValueError("a student's"), ""),
        (OperationalError("SELECT", {}, sqlite3.OperationalError("no such column: x")), ""),
        (
            OperationalError("SELECT", {}, Exception("connection to server failed\nmore")),
            "server does not answer (connection to server failed)",
        ),
    ],
)
def test_errors_of_the_machine_are_told_from_others(error: Exception, says: str) -> None:
    told = advice(error)
    assert (says in told) if says else told == ""
    assert "\n" not in told
    wrapped = ValueError("nbgrader's own")
    wrapped.__context__ = error
    assert advice(wrapped) == told


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "6"},
        {"digest": "other"},
        {"files": b"other"},
        {"notebook": nbformat.v4.new_notebook(metadata={"own": 1})},
    ],
)
def test_an_answer_is_of_its_own_question_alone(change: dict[str, Any]) -> None:
    nb = nbformat.v4.new_notebook()
    whole = Whole("a", nb, seed="5", digest="d", files=b"f")
    found = Ahead(grader.text(nb), ahead._origin("5", "d", b"f"), EMPTY)
    assert found.is_of(whole)
    assert not found.is_of(replace(whole, **change))


def test_there_is_a_core() -> None:
    assert 1 <= capacity() <= cores()


# ---------------------------------------------------------------------------------- the summary


def saved(student: str, score: float, *misconceptions: str, why: str = "") -> dict[str, Any]:
    return {
        "kind": "saved",
        "student": student,
        "score": score,
        "max_score": 40,
        "seconds": 1.0,
        "misconceptions": list(misconceptions),
        "why": [why] if why else [],
    }


@pytest.fixture
def run() -> Run:
    made = Run("a")
    for event in (
        {"kind": "begun", "students": 7, "workers": 2},
        {"kind": "skipped", "student": "old"},
        {"kind": "under_way", "student": "ann"},
        {"kind": "under_way", "student": "bea"},
        {"kind": "answered", "student": "bea"},
        saved("ann", 40),
        saved("cyd", 21, "bias-subtracted", "bias-subtracted"),
        saved("dot", 20, "bias-subtracted", "mean-missing"),
        saved("eve", 0, why="the file is empty"),
        {"kind": "failed", "student": "fay", "why": ["its folder is a symbolic link"]},
    ):
        made.note(event)
    return made


def test_what_is_told_is_added_up(run: Run) -> None:
    assert (run.done, run.under_way, run.answered) == (6, {}, {"bea"})
    summary = run.summary(1, stopped=True)
    assert summary["scores"] == {
        "mean": 27.0,
        "least": 20,
        "quartiles": [20.5, 21.0, 30.5],
        "most": 40,
        "by_tenth": [0, 0, 0, 0, 0, 2, 0, 0, 0, 1],
    }
    assert list(in_lines(summary)) == [
        "a: 3 graded, 1 skipped, 2 failed",
        "Stopped: the same command goes on with the 1 that are left.",
        "scores of 40: 20 to 40, half of them 21 or more, mean 27",
        "  from 90 %  ███████████████ 1",
        "  from 50 %  ██████████████████████████████ 2",
        "commonest misconceptions:",
        "     2  bias-subtracted",
        "     1  mean-missing",
        "needs a person:",
        "  eve: the file is empty",
        "  fay: its folder is a symbolic link",
    ]


def test_the_live_line_says_where_it_is(run: Run) -> None:
    run.note({"kind": "under_way", "student": "gus"})
    assert run.line.startswith("6 of 6 graded · 2 failed · ")
    assert "slowest now gus, " in run.line
    assert Run("a").line == "getting ready …"


def test_a_refusal_is_all_that_is_said() -> None:
    run = Run("a")
    run.note({"kind": "refused", "why": ["Grade cell 'x' has no suite"]})
    assert list(in_lines(run.summary(1, stopped=False))) == ["Grade cell 'x' has no suite"]


def test_errors_are_told_without_their_tracebacks() -> None:
    log = (
        "a library's own line\n[AutogradeApp | INFO] Sanitizing\n"
        "[AutogradeApp | ERROR] Traceback (most recent call last):\n  File x\nOperationalError\n"
        "[AutogradeApp | ERROR] There was an error accessing the database.\n  Back it up.\n"
        "[AutogradeApp | WARNING] end\n"
    )
    assert errors(log) == ["There was an error accessing the database. Back it up."]
    assert errors("nothing of nbgrader's") == []
