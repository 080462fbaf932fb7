"""What a person grades: answers in words or code, overruled points, comments; kept for good."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Grade

from autograder.commands.workspace import Workspace

pytestmark = pytest.mark.kernel

Solution = Callable[[str], NotebookNode]
ANSWER = (
    "Because autograd sees `a < b` only.<script>alert(1)</script>\n\n![my sketch](attachment:a.png)"
)
PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def marked(cell: NotebookNode, name: str, points: int) -> NotebookNode:
    """A cell as nbgrader marks an answer that is graded by hand."""
    cell.metadata["nbgrader"] = {
        "grade": True,
        "grade_id": name,
        "locked": False,
        "points": points,
        "schema_version": 3,
        "solution": True,
        "task": False,
    }
    return cell


def with_questions(nb: NotebookNode) -> NotebookNode:
    """An assignment with two answers in it that no suite can grade."""
    nb.cells.append(marked(new_markdown_cell("Because of the chain rule."), "why", 6))
    nb.cells.append(marked(new_code_cell("sketch = 'mine'"), "sketch", 4))
    return nb


def cell(nb: NotebookNode, name: str) -> NotebookNode:
    return next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, solution: Solution) -> Workspace:
    """A course whose `parameters` asks for two answers by hand; ann wrote both, bea neither."""
    folder = tmp_path_factory.mktemp("by-hand")
    workspace = Workspace.make(folder, [])
    source = workspace.notebook("source", "parameters")
    source.parent.mkdir(parents=True)
    nbformat.write(with_questions(solution("parameters")), source)
    workspace.nbgrader("generate_assignment", "parameters")

    nb = with_questions(solution("parameters"))
    cell(nb, "why").source = ANSWER
    cell(nb, "why")["attachments"] = {"a.png": {"image/gif": PIXEL}}
    cell(nb, "MLP").source = "MLP = None"
    workspace.submit("ann", "parameters", nb)
    nb = nbformat.read(workspace.notebook("release", "parameters"), as_version=4)
    workspace.submit("bea", "parameters", nb)
    path = workspace.submit("cyd", "parameters", nb)
    path.write_text("{")
    workspace.nbgrader("autograde", "parameters", check=False)
    return workspace


def grade(course: Workspace, student: str, name: str) -> Grade:
    with course.gradebook() as gradebook:
        return gradebook.find_grade(name, "parameters", "parameters", student).to_dict()


def test_an_answer_in_words_is_left_to_a_person(course: Workspace) -> None:
    for name in ("why", "sketch"):
        found = grade(course, "ann", name)
        assert (found["auto_score"], found["needs_manual_grade"]) == (None, True)
    graded = nbformat.read(course.notebook("autograded", "parameters", "ann"), as_version=4)
    text = cell(graded, "why").source
    assert "a &lt; b" in text
    assert "<script" not in text
    assert f'<img src="data:image/gif;base64,{PIXEL}" alt="my sketch">' in text
    assert cell(graded, "sketch").source == "sketch = 'mine'"


def test_an_answer_that_was_not_begun_is_nobody_s_work(course: Workspace) -> None:
    for name in ("why", "sketch"):
        found = grade(course, "bea", name)
        assert (found["auto_score"], found["needs_manual_grade"]) == (0, False)
    with course.gradebook() as gradebook:
        comment = gradebook.find_comment("why", "parameters", "parameters", "bea")
        assert comment.auto_comment == "No response."
        comment = gradebook.find_comment("MLP", "parameters", "parameters", "bea")
        assert comment.auto_comment is None


def test_of_what_cannot_be_read_nothing_is_said(course: Workspace) -> None:
    for name in ("why", "sketch", "test_MLP"):
        found = grade(course, "cyd", name)
        assert (found["auto_score"], found["needs_manual_grade"]) == (None, True)


def test_what_a_person_decided_survives_a_regrade(course: Workspace, tmp_path: Path) -> None:
    shutil.copytree(course.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    own = Workspace(tmp_path)
    with own.gradebook() as gradebook:
        where = "parameters", "parameters", "ann"
        for name, points, extra in (("why", 5, None), ("sketch", 3, 1), ("test_MLP", 20, 2)):
            decided = gradebook.find_grade(name, *where)
            decided.manual_score, decided.extra_credit = points, extra
            decided.needs_manual_grade = False
        for name in ("why", "MLP"):
            gradebook.find_comment(name, *where).manual_comment = f"Seen: {name}"
        gradebook.db.commit()
    own.nbgrader("autograde", "parameters", "--force", "--student", "ann")
    with own.gradebook() as gradebook:
        assert gradebook.find_submission("parameters", "ann").score == 75 + 5 + 4 + 22
        comments = [gradebook.find_comment(name, *where).comment for name in ("why", "MLP")]
        assert comments == ["Seen: why", "Seen: MLP"]
    overruled = grade(own, "ann", "test_MLP")
    assert (overruled["auto_score"], overruled["manual_score"]) == (0, 20)


def test_a_later_hand_in_with_a_time_stamp_is_graded(
    course: Workspace, tmp_path: Path, solution: Solution
) -> None:
    shutil.copytree(course.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    own = Workspace(tmp_path)
    path = own.submit("ann", "parameters", with_questions(solution("parameters")))
    path.with_name("timestamp.txt").write_text("2026-01-02 03:04:05.000006 UTC\n")
    own.nbgrader("autograde", "parameters", "--student", "ann")
    assert grade(own, "ann", "test_MLP")["auto_score"] == 25
    assert "Skipping" in own.nbgrader("autograde", "parameters", "--student", "ann").stderr
