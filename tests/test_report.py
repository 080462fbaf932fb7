"""The report on a class: what it counts, whom it names, and a page that all can read."""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Browser

from autograder.afterwards import graded, overview, page, similar
from autograder.afterwards.graded import Work
from autograder.commands.corpora import build, load
from autograder.grading.dependence import Dependence
from autograder.grading.history import Grading, Outcome
from autograder.grading.record import Record
from autograder.grading.results import CellResult, TestResult
from autograder.grading.spent import Spent
from autograder.grading.worker import BudgetSpent
from autograder.language import Text
from autograder.pipeline.gradebook import Score
from autograder.submission.intake import Intake

SAYS = {"doubled": Text("Your `f` is {n} times too large.", n=2), "flipped": Text("A sign.")}
EVIL = "<script>alert(1)</script>"


def cells(f: int, g: int, mistakes: tuple[str | None, str | None]) -> tuple[CellResult, ...]:
    made = []
    for name, points, mistake in (("f", f, mistakes[0]), ("g", g, mistakes[1])):
        says = SAYS[mistake] if mistake else Text("")
        test = TestResult("test_value", 10, points, f"`{name}` is right.", says, mistake)
        made.append(CellResult(f"test_{name}", "", (test,)))
    return tuple(made)


def grading(submission: str, f: int, mistake: str | None) -> Grading:
    depends_on = Dependence(submission, "r", "s", "d", "l", "p")
    return Grading("2026", depends_on, {"test_f.test_value": Outcome(10, f, mistake)})


def work(student: str, f: int = 10, g: int = 10, **more: object) -> Work:
    mistakes = (None if f == 10 else "doubled", None if g == 10 else "flipped")
    told = {
        "standing": Score(f + g, 20),
        "record": Record(cells=cells(f, g, mistakes), spent={"cells": Spent(1.0, 10**8)}),
        **more,
    }
    return Work(student, **told)  # type: ignore[arg-type]


CLASS = [
    work("anna"),
    work("ben", f=0, history=[grading("1", 0, "doubled"), grading("2", 0, "doubled")]),
    work("carl", f=4, others={"B": Score(20, 20)}, earlier={"B": frozenset({"doubled"})}),
    work("dora", history=[grading("1", 0, "doubled"), grading("2", 10, None)]),
    work("emil", g=0, history=[grading("1", 10, None), grading("2", 8, None)]),
    Work("fred"),
    Work(
        "gita",
        standing=Score(None, 20),
        record=Record(cells=tuple(CellResult(f"test_{n}", "", (), "it broke") for n in "fg")),
    ),
    work(
        "hugo",
        refused=("OSError: [Errno 1] Operation not permitted",),
        record=Record(
            notes=(
                Text(
                    "The file `{name}` was not used: it is {why}.",
                    name="x",
                    why=Text("a hard link"),
                ),
                Text("The cell `{name}` was missing.", name="f"),
            ),
            cells=cells(10, 10, (None, None)),
            spent={"cells": Spent(9.0, 10**8)},
        ),
    ),
]


@pytest.fixture(scope="module")
def told() -> overview.Overview:
    return overview.of("A", CLASS)


def test_scores_and_points_lost_are_counted(told: overview.Overview) -> None:
    assert (told.students, told.handed_in, len(told.scores), told.points) == (8, 7, 6, 20)
    assert [band.students for band in told.bands] == [0, 0, 0, 0, 0, 2, 0, 1, 0, 3]
    assert [(t.task, t.students, t.graded) for t in told.tasks] == [("f", 2, 6), ("g", 1, 6)]
    assert told.tasks[0].mean == pytest.approx((10 + 6) / 6)
    assert [(t.task, t.test, t.title) for t in told.tests] == [
        ("f", "test_value", "`f` is right."),
        ("g", "test_value", "`g` is right."),
    ]


def test_a_misconception_is_counted_and_so_is_its_repair(told: overview.Overview) -> None:
    first, second = told.mistakes
    assert (first.name, str(first.says)) == ("doubled", "Your `f` is 2 times too large.")
    assert first.has == (("ben", "test_f"), ("carl", "test_f"))
    assert (first.had, first.repaired) == (2, 1), "ben has it still, dora has not"
    assert (second.name, second.has, second.had) == ("flipped", (("emil", "test_g"),), 0)


def test_who_needs_help_is_named_with_the_reason(told: overview.Overview) -> None:
    reasons = {entry.student: [str(why) for why in entry.reasons] for entry in told.watched}
    assert reasons == {
        "ben": ["`doubled` again, as at the hand-in before."],
        "carl": [
            "`doubled` here and in B.",
            "70 % of the points here, 100 % on average in the other assignments.",
        ],
        "emil": ["The checks gave the hand-in before 10 points, and this one 8."],
        "fred": ["Nothing was handed in."],
    }


def test_what_a_person_must_look_at_is_told(told: overview.Overview) -> None:
    assert [(e.student, e.reasons) for e in told.ungraded] == [("gita", ("it broke",))]
    (hugo,) = told.stopped
    assert [str(why) for why in hugo.reasons] == [
        "The file `x` was not used: it is a hard link.",
        "Its code was told: OSError: [Errno 1] Operation not permitted",
    ]


def test_a_graded_notebook_that_was_cut_off_stops_no_report(tmp_path: Path) -> None:
    whole = tmp_path / "whole.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1\ny = 2")]), whole)
    assert graded.read(whole).cells[0].source == "x = 1\ny = 2"
    cut = tmp_path / "cut.ipynb"
    cut.write_text(whole.read_text()[:20])
    assert graded.read(cut).cells == graded.read(tmp_path / "none.ipynb").cells == []


def test_links_that_were_handed_in_are_such_signs(tmp_path: Path) -> None:
    folder = tmp_path / "submitted" / "eve" / "A"
    folder.mkdir(parents=True)
    (folder / "A.ipynb").write_text("{}")
    (folder / "link").symlink_to("/etc/passwd")
    (tmp_path / "file").write_text("x")
    (folder / "hard").hardlink_to(tmp_path / "file")
    os.mkfifo(folder / "pipe")
    (folder / "\n").write_text("odd, but no such sign")
    intake = Intake(tmp_path / "submitted", "A")
    notes = intake.take("eve").notes
    intake.close()
    assert len(notes) == 4
    (told,) = overview.of("A", [Work("eve", record=Record(notes=notes))]).stopped
    assert [why.values["name"] for why in told.reasons if isinstance(why, Text)] == [
        *("hard", "link", "pipe"),
    ]


def test_what_takes_far_longer_is_an_outlier(told: overview.Overview) -> None:
    (outlier,) = told.outliers
    assert outlier == overview.Outlier("hugo", "cells", "seconds", 9.0, 1.0)


def test_what_the_sandbox_refused_is_found_in_outputs() -> None:
    printed = new_output(
        "stream", text="before\nPermissionError: [Errno 13] Permission denied: 'x'"
    )
    raised = new_output("error", ename="OSError", evalue="Network is unreachable", traceback=[])
    harmless = new_output("display_data", data={"text/plain": "Permission denied"})
    nb = new_notebook(cells=[new_code_cell("x", outputs=[printed, raised, harmless])])
    assert graded.refused(nb) == (
        "PermissionError: [Errno 13] Permission denied: 'x'",
        "OSError: Network is unreachable",
    )


# ------------------------------------------------------------------------------ similar solutions

GIVEN = "def f(x):\n    raise NotImplementedError\n"
USUAL = "def f(x):\n    return x.sum(dim=0) / x.shape[0]\n"
ODD = """\
def f(values):
    total, count = 0.0, 0
    for index in range(len(values) - 1, -1, -1):
        total += values[index].clone().detach() if index % 2 else values[index] * 1.0
        count = count + 1 if count >= 0 else 1
    return total if count == 0 else total * (1 / max(count, 1))
"""
OTHERS = [
    "def f(x):\n    return x.mean(0)\n",
    "def f(x):\n    s = 0\n    for row in x:\n        s = s + row\n    return s / len(x)\n",
    "def f(x):\n    return torch.stack(list(x)).mean(dim=0)\n",
]


def alike(*codes: str) -> list[similar.Similar]:
    solutions = {f"s{n:02}": {"f": code} for n, code in enumerate(codes)}
    found, left_out = similar.find(solutions, {"f": GIVEN})
    assert left_out == []
    return found


def test_a_copy_with_other_names_is_found_and_shown() -> None:
    renamed = re.sub("values", "x", ODD).replace("total", "s").replace("count", "n")
    (task,) = alike(ODD, *OTHERS, *[USUAL] * 10, "# mine!\n" + renamed)
    (pair,) = task.groups
    assert pair.students == pair.closest == ("s00", "s14")
    assert pair.least == pair.most == 1.0
    assert "<mark>" in pair.codes[0]
    shown = [re.sub("</?mark>", "", code) for code in pair.codes]
    assert shown[0] == ODD.replace(">", "&gt;")


def test_who_hang_together_are_one_group() -> None:
    other = ODD.replace("1 / max(count, 1)", "1 / (count or 1)")
    apart = (
        "def f(x):\n    names = {k: v for k, v in enumerate(x)}\n    return names.get(0) @ x.T\n"
    )
    (task,) = alike(*[ODD] * 2, other, apart, *[USUAL] * 100, apart)
    first, second = sorted(task.groups, key=lambda group: group.students)
    assert (first.students, first.closest) == (("s00", "s01", "s02"), ("s00", "s01"))
    assert first.least < first.most == 1.0
    assert second.students == ("s03", "s104")


def test_a_short_task_where_all_write_alike_is_no_news() -> None:
    assert alike(*[USUAL] * 20, *OTHERS) == []
    assert alike(*[GIVEN] * 5) == []
    assert alike(USUAL) == []


@pytest.mark.parametrize("assignment", ["manual_backward", "optimizers"])
def test_solutions_made_apart_do_not_flood(assignment: str) -> None:
    """A share of the corpus: each entry is the same solution with a change of its own."""
    entries = load(assignment)[::4]
    solutions = {entry.name: graded.solutions(build(entry)) for entry in entries}
    names = next(iter(solutions.values()))
    found, _ = similar.find(solutions, dict.fromkeys(names, ""))
    assert sum(len(each.groups) + each.more for each in found) <= len(entries) / 10


def test_code_that_takes_too_long_to_read_is_left_out() -> None:
    def read(codes: Sequence[str]) -> list[similar.Filtered]:
        if any("forever" in code for code in codes):
            raise BudgetSpent("it took too long")
        return similar.filtered(codes)

    solutions = {name: {"f": ODD} for name in ("a", "b")} | {"c": {"f": "forever"}}
    (task,), left_out = similar.find(solutions, {"f": GIVEN}, read)
    assert task.groups[0].students == ("a", "b")
    assert left_out == ["c"]


# --------------------------------------------------------------------------------- what is written


@pytest.fixture(scope="module")
def written(told: overview.Overview, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a course with the report's page and one feedback page."""
    folder = tmp_path_factory.mktemp("course")
    feedback = folder / "feedback" / "ben" / "A" / "A.html"
    feedback.parent.mkdir(parents=True)
    feedback.write_text("<p id='test_f'>feedback</p>")
    works = [Work(**{**vars(w), "page": feedback if w.student == "ben" else None}) for w in CLASS]
    works[0] = Work(**{**vars(works[0]), "name": EVIL})
    codes = ("<mark>a</mark>", f"&lt;{'b' * 300}")
    group = similar.Group(("anna", "ben", "carl"), 0.9, 0.98, ("anna", "ben"), 7, codes)
    alike = [similar.Similar("f", 6, 0.4, (group,), 2)]
    path = folder / "report" / "A.html"
    path.parent.mkdir()
    path.write_text(page.html(told, works, alike, ["dora"], path.parent))
    return path


def test_the_page_links_to_feedback_and_loads_nothing(written: Path) -> None:
    html = written.read_text()
    assert 'href="../feedback/ben/A/A.html#test_f"' in html
    assert EVIL not in html
    assert "Your <code>f</code> is 2 times too large." in html
    assert not re.search(r"""(?:src|href)=["'](?!#|\.\./feedback)|@import|url\((?!#)""", html)
    ids = Counter(re.findall(r'\bid="([^"]*)"', html))
    assert max(ids.values()) == 1
    assert set(re.findall(r'(?:href="#|url\(#)([\w-]+)', html)) <= set(ids)


def test_a_page_of_nothing_graded_says_so(tmp_path: Path) -> None:
    html = page.html(overview.of("A", [Work("fred")]), [Work("fred")], [], [], tmp_path)
    assert "There is no score yet." in html
    assert "Nothing was handed in." in html


def test_the_table_and_the_data_say_the_same(told: overview.Overview) -> None:
    rows = list(csv.DictReader(io.StringIO(page.as_csv(told, CLASS))))
    assert [row["student"] for row in rows] == [each.student for each in CLASS]
    ben, gita = rows[1], rows[6]
    assert (ben["score"], ben["f"], ben["g"]) == ("10", "0", "10")
    assert (ben["misconceptions"], ben["hand_ins"]) == ("doubled", "2")
    assert (gita["score"], gita["f"]) == ("", "")
    data = json.loads(page.as_json(told, [], []))
    assert data["mistakes"][0]["says"] == "Your `f` is 2 times too large."
    assert (data["median"], data["handed_in"]) == (told.median, 7)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_is_for_everybody(
    scheme: str, width: int, browser: Browser, written: Path
) -> None:
    opened = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    opened.goto(written.as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(opened)
    assert found.violations_count == 0, found.generate_report()
    wide = opened.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    opened.close()
