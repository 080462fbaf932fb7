"""What is made of a submission's cells: every answer counts once, wherever it stands."""

from collections.abc import Callable

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.submission.rebuild import ReleasedCell, rebuild

STUB = "def {name}():\n    # YOUR CODE HERE\n    raise NotImplementedError()"


def given(name: str, source: str) -> ReleasedCell:
    return ReleasedCell(name, "code", source, True, False, False, None, None)


def task(name: str, source: str | None = None) -> list[ReleasedCell]:
    stub = STUB.format(name=name) if source is None else source
    check = f"visible_check('{name}')"
    return [
        ReleasedCell(name, "code", stub, False, True, False, None, None),
        ReleasedCell(f"test_{name}", "code", check, True, False, False, 10.0, None),
    ]


RELEASE = [
    given("setup", "import torch"),
    *task("f"),
    *task("g"),
    given("data", "x = 1"),
    *task("model", "# YOUR CODE HERE\nraise NotImplementedError()"),
]


def answer(name: str) -> str:
    return "model = g()" if name == "model" else f"def {name}():\n    return '{name}'"


def solved() -> list[NotebookNode]:
    made = []
    for cell in RELEASE:
        source = answer(cell.grade_id) if cell.solution else cell.source
        made.append(new_code_cell(source, metadata={"nbgrader": {"grade_id": cell.grade_id}}))
    return nbformat.from_dict(made)


def names(cells: list[NotebookNode]) -> list[str]:
    """The cells by their marks, a student's own ones by their code; empty ones are left out."""
    return [
        cell.metadata.get("nbgrader", {}).get("grade_id", cell.source)
        for cell in cells
        if cell.source
    ]


def unmarked(cells: list[NotebookNode]) -> list[NotebookNode]:
    for cell in cells:
        cell.metadata = NotebookNode()
    return cells


def find(cells: list[NotebookNode], name: str) -> NotebookNode:
    return next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


ALL = [cell.grade_id for cell in RELEASE]


def test_what_is_as_it_should_be_stays_so() -> None:
    cells, notes = rebuild(solved(), RELEASE)
    assert names(cells) == ALL
    assert [cell.source for cell in cells] == [cell.source for cell in solved()]
    assert notes == []


def without_marks(cells: list[NotebookNode]) -> list[NotebookNode]:
    return unmarked(cells)


def with_other_blanks(cells: list[NotebookNode]) -> list[NotebookNode]:
    for cell in unmarked(cells):
        cell.source = "\n" + cell.source.replace("\n", "  \n\n") + "\n"
    return cells


def with_text_between(cells: list[NotebookNode]) -> list[NotebookNode]:
    return [new_markdown_cell("My notes"), *unmarked(cells)]


def half_marked(cells: list[NotebookNode]) -> list[NotebookNode]:
    return [*cells[:3], *unmarked(cells[3:])]


def in_other_case(cells: list[NotebookNode]) -> list[NotebookNode]:
    for cell in cells:
        cell.metadata.nbgrader.grade_id = cell.metadata.nbgrader.grade_id.upper()
    return cells


@pytest.mark.parametrize(
    "change", [without_marks, with_other_blanks, with_text_between, half_marked, in_other_case]
)
def test_cells_are_known_by_what_is_in_them(
    change: Callable[[list[NotebookNode]], list[NotebookNode]],
) -> None:
    cells, notes = rebuild(change(solved()), RELEASE)
    marked = [cell for cell in cells if cell.cell_type == "code" and cell.source]
    assert names(marked) == ALL
    for name in ("f", "g", "model"):
        assert find(cells, name).source.split() == answer(name).split()
    assert all("lost the marks" in note and "cost you nothing" in note for note in notes)


def test_the_last_of_several_answers_without_marks_counts() -> None:
    first = new_code_cell("def f():\n    return 'first'")
    cells = solved()
    cells.insert(1, first)
    rebuilt, _ = rebuild(unmarked(cells), RELEASE)
    assert find(rebuilt, "f").source == answer("f")
    assert names(rebuilt).index(first.source) < names(rebuilt).index("f")


def test_one_cell_with_everything_is_graded_after_it() -> None:
    whole = "\n".join(cell.source for cell in solved() if "check" not in cell.source)
    cells, notes = rebuild([new_code_cell(whole)], RELEASE)
    assert names(cells) == ["setup", "data", whole, "test_f", "test_g", "test_model"]
    assert len(notes) == 1
    assert "but what they ask for is" in notes[0]
    assert find(cells, "f").source == ""


def merged(into: str, gone: str) -> list[NotebookNode]:
    cells = solved()
    kept = find(cells, into)
    kept.source = f"{answer(gone)}\n\n{kept.source}"
    cells.remove(find(cells, gone))
    return cells


def test_two_answers_in_the_later_cell() -> None:
    cells, notes = rebuild(merged("g", "f"), RELEASE)
    assert names(cells) == ["setup", "g", "test_f", "test_g", "data", "model", "test_model"]
    assert find(cells, "f").source == ""
    (note,) = notes
    assert "`f` was missing, and another one does what it asks for" in note


def test_two_answers_in_the_earlier_cell() -> None:
    cells, _ = rebuild(merged("f", "g"), RELEASE)
    assert names(cells) == [name for name in ALL if name != "g"]
    assert find(cells, "g").source == ""


def test_a_stub_that_was_left_does_not_overwrite_the_answer() -> None:
    for place, order in ((1, ["setup", "own", "test_f"]), (3, ["setup", "own", "test_f"])):
        cells = solved()
        find(cells, "f").source = RELEASE[1].source
        cells.insert(place, new_code_cell(answer("f"), metadata={}))
        rebuilt, notes = rebuild(cells, RELEASE)
        assert find(rebuilt, "f").source == ""
        shown = ["own" if name == answer("f") else name for name in names(rebuilt)]
        assert shown[:3] == order
        assert "as it was released" in notes[0]


def test_a_copy_of_a_stub_without_its_mark_does_not_overwrite_the_answer() -> None:
    for place in (1, 2):
        cells = solved()
        cells.insert(place, new_code_cell(RELEASE[1].source + "\n", metadata={}))
        rebuilt, notes = rebuild(cells, RELEASE)
        assert names(rebuilt) == ALL
        assert find(rebuilt, "f").source == answer("f")
        assert notes == []


def test_other_ends_of_lines_are_no_change() -> None:
    cells = solved()
    for cell in cells:
        cell.source = cell.source.replace("\n", "\r\n") + "\r\n"
    assert rebuild(cells, RELEASE)[1] == []


def test_what_is_still_to_do_stays_so() -> None:
    cells = solved()
    find(cells, "f").source = RELEASE[1].source
    rebuilt, notes = rebuild(cells, RELEASE)
    assert find(rebuilt, "f").source == RELEASE[1].source
    assert notes == []


def test_a_deleted_answer_comes_back_empty() -> None:
    cells = solved()
    cells.remove(find(cells, "g"))
    rebuilt, notes = rebuild(cells, RELEASE)
    assert find(rebuilt, "g").source == ""
    assert notes == ["The cell `g` was missing, and nothing else does what it asks for."]


def test_a_locked_cell_that_became_one_with_an_answer() -> None:
    cells = solved()
    find(cells, "setup").source += "\n\n" + answer("f")
    cells.remove(find(cells, "f"))
    rebuilt, notes = rebuild(cells, RELEASE)
    assert find(rebuilt, "setup").source == "import torch"
    assert names(rebuilt)[:3] == ["setup", answer("f"), "test_f"]
    assert any("become one with code of yours" in note for note in notes)
    assert not any("had been changed" in note for note in notes)


def test_exchanged_marks_are_told_by_what_the_cells_hold() -> None:
    cells = solved()
    find(cells, "f").source, find(cells, "g").source = answer("g"), answer("f")
    rebuilt, notes = rebuild(cells, RELEASE)
    assert find(rebuilt, "f").source == answer("f")
    assert find(rebuilt, "g").source == answer("g")
    assert any("`f`, `g` had been exchanged" in note for note in notes)


@pytest.mark.parametrize("cells", [[], [new_code_cell("print('another course')")]])
def test_a_notebook_of_something_else_is_called_so_once(cells: list[NotebookNode]) -> None:
    rebuilt, notes = rebuild(cells, RELEASE)
    assert [name for name in names(rebuilt) if name in ALL] == [
        cell.grade_id for cell in RELEASE if not cell.solution
    ]
    (note,) = notes
    assert "Nothing in this notebook is of this assignment" in note


def test_missing_cells_are_one_note() -> None:
    cells = [cell for cell in solved() if not cell.source.startswith("visible")]
    _, notes = rebuild(cells, RELEASE)
    assert notes == [
        "The cells `test_f`, `test_g`, `test_model` were missing; they were put back as released."
    ]


def by_hand(name: str, kind: str = "markdown") -> ReleasedCell:
    return ReleasedCell(name, kind, "YOUR ANSWER HERE", False, True, False, 5.0, None)


def test_an_answer_in_words_is_no_code_that_does_what_a_task_asks_for() -> None:
    cells = solved()
    find(cells, "f").source = RELEASE[1].source
    words = new_markdown_cell("f = g, said he", metadata={"nbgrader": {"grade_id": "why"}})
    rebuilt, notes = rebuild([*cells, nbformat.from_dict(words)], [*RELEASE, by_hand("why")])
    assert find(rebuilt, "f").source == RELEASE[1].source
    assert find(rebuilt, "why").source == "f = g, said he"
    assert notes == []


def test_a_question_between_a_task_and_its_check_changes_nothing() -> None:
    release = [*RELEASE[:2], by_hand("why"), by_hand("sketch", "code"), *RELEASE[2:]]
    cells = merged("g", "f")
    rebuilt, _ = rebuild(cells, release)
    kept = [name for name in names(rebuilt) if name not in ("why", "sketch")]
    assert kept == ["setup", "g", "test_f", "test_g", "data", "model", "test_model"]


def test_pictures_in_an_answer_stay_in_it() -> None:
    words = new_markdown_cell("![](attachment:a)", metadata={"nbgrader": {"grade_id": "why"}})
    words["attachments"] = {"a": {"image/png": "AAAA"}}
    rebuilt, _ = rebuild([*solved(), nbformat.from_dict(words)], [*RELEASE, by_hand("why")])
    assert find(rebuilt, "why").attachments == {"a": {"image/png": "AAAA"}}


def test_what_is_kept_from_students_is_no_change_of_theirs() -> None:
    scheme = "=== BEGIN MARK SCHEME ===\n3 points for any.\n=== END MARK SCHEME ==="
    source = f"Draw a network.\n{scheme}"
    draw = ReleasedCell("draw", "markdown", source, True, False, True, 3.0, None)
    for text, changed in (("Draw a network.", 0), (source, 0), ("Draw nothing.", 1)):
        shown = new_markdown_cell(text, metadata={"nbgrader": {"grade_id": "draw"}})
        cells, notes = rebuild([*solved(), nbformat.from_dict(shown)], [*RELEASE, draw])
        assert find(cells, "draw").source == source
        assert len(notes) == changed
