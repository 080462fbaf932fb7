"""`watch`: what arrives in nbgrader's exchange is graded, and its feedback is there at once."""

import json
import os
import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps.baseapp import NbGrader

from autograder import ROOT
from autograder.commands.hand_ins import (
    GRADED,
    SUPERSEDED,
    UNGRADED,
    WAITING,
    Attempt,
    hand_ins,
)
from autograder.commands.watch import LOG, CannotWatch, Watch, main, watching
from autograder.commands.workspace import Workspace
from autograder.grading.counting import FOLDER
from autograder.submission.cells import cell_of
from tests.exchange import COURSE, Exchange

pytestmark = pytest.mark.kernel

Notebook = nbformat.NotebookNode
A = "parameters"
STEPS = ("submitted", "autograded", "feedback")


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """A course folder with an exchange, of which `parameters` is released."""
    course = Workspace.make(tmp_path / "course", [A])
    monkeypatch.chdir(course.folder)
    return Exchange(tmp_path, course, A)


def watch(exchange: Exchange, **traits: object) -> Iterator[Watch]:
    with (exchange.course.folder / "nbgrader_config.py").open("a") as file:
        file.writelines(f"c.Watch.{name} = {value!r}\n" for name, value in traits.items())
    app = NbGrader()
    app.initialize([])
    return watching(app.config)  # type: ignore[return-value]


def changed(nb: Notebook, task: str, old: str, new: str) -> Notebook:
    cell = cell_of(nb, task)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)
    return nb


def told(attempts: Iterator[Attempt]) -> list[tuple[str, str, float | None]]:
    return [(each.student, each.status, each.score) for each in attempts]


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^<>]*>", "", page).split())


def test_two_students_hand_in_again_and_again(
    exchange: Exchange, solution: Callable[[str], Notebook]
) -> None:
    right = solution(A)
    wrong = changed(solution(A), "MyLinear", "y + self.bias", "y - self.bias")
    other = changed(solution(A), "MLP", "torch.relu(layer(x))", "layer(x)")
    with watch(exchange, gradings_a_day=2) as watched:
        assert list(watched.look()) == []
        exchange.submit("ann", A, wrong)
        (folder,) = (exchange.root / COURSE / "inbound").iterdir()
        folder.chmod(0o755)  # as if it was still being copied
        assert list(watched.look()) == []
        folder.chmod(0o777)
        exchange.submit("ben", A, right)
        first = told(watched.look())
        assert [(who, what) for who, what, _ in first] == [("ann", GRADED), ("ben", GRADED)]
        assert first[1][2] == 100 > (first[0][2] or 0)
        assert list(watched.look()) == []

        exchange.submit("ann", A, right)
        exchange.submit("ann", A, other)
        (old, _, _), (new, status, score) = told(watched.look())
        assert (old, new, status) == ("ann", "ann", GRADED)
        exchange.submit("ann", A, right)
        assert told(watched.look()) == [("ann", WAITING, None)]
        assert list(watched.look()) == []
        assert exchange.course.score(A, "ann") == score  # what waits counts later
        with pytest.raises(CannotWatch, match="Another watch"), watch(exchange):
            pass

    pages = [text_of(page) for page in exchange.feedback("ann", A)]
    assert len(pages) == 3  # none of the hand-in that a newer one came before
    assert "Right in part: `MyLinear`." in pages[0].replace("MyLinear", "`MyLinear`")
    assert "Mended since your last hand-in: MyLinear." in pages[1]
    assert "Right in your last hand-in, and not in this one: MLP." in pages[1]
    assert "number 3 of today, and 2 are graded in a day: it will be graded after" in pages[2]
    (page,) = exchange.feedback("ben", A)
    assert "All of it is right." in text_of(page)

    log = (exchange.course.folder / FOLDER / LOG).read_text().splitlines()
    assert [json.loads(line)["status"] for line in log] == [
        *(GRADED, GRADED, SUPERSEDED, GRADED, WAITING)
    ]

    # Another day: as if all of that had been yesterday.
    path = exchange.course.folder / FOLDER / LOG
    path.write_text(re.sub(r'"told": "\d{4}', '"told": "2001', path.read_text()))
    with watch(exchange) as watched:
        assert told(watched.look()) == [("ann", GRADED, 100.0)]
    assert "All of it is right." in text_of(exchange.feedback("ann", A)[-1])
    same_as_by_plain_commands(exchange)


def same_as_by_plain_commands(exchange: Exchange) -> None:
    """Gradebook and folders are what nbgrader's commands make of the same hand-ins."""
    course = exchange.course
    made = state(course)
    course.nbgrader("collect", A, "--update")
    course.nbgrader("autograde", A, "--force")
    course.nbgrader("generate_feedback", A, "--force")
    assert state(course) == made


def state(course: Workspace) -> dict[str, object]:
    found: dict[str, object] = {}
    for step in STEPS:
        for path in sorted((course.folder / step).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(course.folder))] = path.stat().st_mode
    for student in ("ann", "ben"):
        found[student] = course.score(A, student), course.tests(A, student)
    return found


def test_the_best_counts_where_the_course_says_so(
    exchange: Exchange,
    solution: Callable[[str], Notebook],
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = changed(solution(A), "MyLinear", "y + self.bias", "y - self.bias")
    with watch(exchange, counts="best") as watched:
        for nb, scores in ((wrong, True), (solution(A), False), (wrong, True)):
            exchange.submit("ann", A, nb)
            ((_, status, score),) = told(watched.look())
            assert status == GRADED
            assert (score != 100) is scores
        assert list(watched.look()) == []
        assert exchange.course.score(A, "ann") == 100
        first, second, third = map(text_of, exchange.feedback("ann", A))
        assert "All of it is right." in second
        assert "not in this one: MyLinear." in third
        assert "All of it" not in first + third
        assert "The best of your hand-ins counts. So far that is this one." in first
        assert "The best of your hand-ins counts. So far that is this one." in second
        assert "Mended since your last hand-in: MyLinear." in second, "as before it was put back"
        best = datetime.fromisoformat(watched.attempts.graded("ann", A)[1].handed_in)
        other = f"the one of {best:%Y-%m-%d %H:%M:%S} UTC, with 100 of 100 points."
        assert f"So far that is not this one, but {other}" in third

        # One that cannot be read takes nothing away.
        exchange.submit("ann", A, solution(A))
        *_, folder = sorted((exchange.root / COURSE / "inbound").glob("ann+*"))
        (folder / f"{A}.ipynb").write_text("{")
        assert told(watched.look()) == [("ann", UNGRADED, None)]
        assert exchange.course.score(A, "ann") == 100
        *_, unreadable = map(text_of, exchange.feedback("ann", A))
        assert "Not graded yet" in unreadable
        assert other in unreadable

        exchange.submit("eve", A, wrong)
        (folder,) = (exchange.root / COURSE / "inbound").glob("eve+*")
        (folder / "link").symlink_to(exchange.course.folder / "source" / A / f"{A}.ipynb")
        assert told(watched.look()) == [("eve", UNGRADED, None)]
        assert not (exchange.course.folder / "submitted" / "eve").exists()
        (page,) = map(text_of, exchange.feedback("eve", A))
        assert "holds a symbolic link, and was not collected" in page

    # The page in the course's folder stays the same, by plain commands as well.
    page = exchange.course.folder / "feedback" / "ann" / A / f"{A}.html"
    made = page.read_text()
    assert "So far that is this one." in text_of(made)
    before = page.stat().st_mtime_ns
    exchange.course.nbgrader("generate_feedback", A)
    assert page.stat().st_mtime_ns == before
    exchange.course.nbgrader("generate_feedback", A, "--force")
    assert page.read_text() == made

    exchange.submit("ben", A, wrong)
    capsys.readouterr()
    assert main(Namespace(once=True, interval=0)) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert "5 gradings a day, the best one counts" in head
    assert re.search(r"ben parameters: graded, \d+ of 100, \d+\.\d s after", line)


def test_what_is_still_being_copied_is_not_complete(tmp_path: Path) -> None:
    stamp = "2026-01-31 12:00:00.000000 UTC"
    names = [f"a+b+{A}+{stamp}+xyz", f"ann+{A}+{stamp}", "no hand-in", f"ben+{A}+some day+xyz"]
    for name in names:
        (tmp_path / name).mkdir(mode=0o755)
    found = hand_ins(tmp_path)
    assert [(each.student, each.assignment) for each in found] == [("a+b", A), ("ann", A)]
    assert not any(each.is_complete for each in found)
    (tmp_path / names[0]).chmod(0o777)  # as nbgrader does last
    os.utime(tmp_path / names[1], (0, 0))  # or nobody has done anything for a minute
    assert all(each.is_complete for each in hand_ins(tmp_path))
    assert not any(each.has_links for each in found)


def test_a_link_is_told_wherever_it_is(tmp_path: Path) -> None:
    stamp = "2026-01-31 12:00:00.000000 UTC"
    (tmp_path / f"ann+{A}+{stamp}" / "deep").mkdir(parents=True)
    (tmp_path / f"ann+{A}+{stamp}" / "deep" / "link").symlink_to("/etc/passwd")
    (tmp_path / f"ben+{A}+{stamp}").symlink_to(tmp_path / f"ann+{A}+{stamp}")
    (tmp_path / f"eve+{A}+{stamp}").mkdir()
    assert [each.has_links for each in hand_ins(tmp_path)] == [True, True, False]


def test_without_an_exchange_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nbgrader_config.py").write_text(
        f"{(ROOT / 'nbgrader_config.py').read_text()}\nc.Exchange.root = '{tmp_path}/none'\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(Namespace(once=True, interval=0)) == 2
    assert "mkdir -p" in capsys.readouterr().out
