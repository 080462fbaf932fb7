"""Sentences are data: written out in one place, in whatever language is asked for."""

import ast
import pickle
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder import ROOT
from autograder.grading import record, report
from autograder.grading.grader import Graded
from autograder.grading.results import CellResult, TestResult
from autograder.grading.standing import Sheet, Standing
from autograder.language import Explained, Text, as_data, from_data, render

#: Calls whose first text is a template.
TEMPLATES = {"Text", "fail", "expect", "Misconception", "says", "Unfit", "NotANotebook", "NotLean"}

NESTED = Text("{name} is {what}.", name="`x`", what=Text("of shape {shape}", shape=(2, 3)))


def test_it_reads_as_written() -> None:
    assert str(NESTED) == "`x` is of shape (2, 3)."
    assert str(Text("a dict {} as it is")) == "a dict {} as it is"
    assert str(Text("{said}", said="{not a name}")) == "{not a name}"
    assert str(Text(Text("{a} and {b}", a=1), b=2)) == "1 and 2"


def test_every_template_is_looked_up_and_no_value_is() -> None:
    asked = []

    def translate(template: str) -> str:
        asked.append(template)
        return {"{name} is {what}.": "{what}: {name}", "of shape {shape}": "{shape}"}[template]

    assert render(NESTED, translate) == "(2, 3): `x`"
    assert sorted(asked) == ["of shape {shape}", "{name} is {what}."]
    assert render("as it is", translate) == "as it is"


def test_a_template_takes_values_by_name_alone() -> None:
    """A translator's mistake shows no more than the value."""
    with pytest.raises(KeyError):
        render(Text("{x}", x=1), lambda _: "{x.__class__}")


@pytest.mark.parametrize("text", [NESTED, Text("plain"), Text("{n:,} files", n=5000)])
def test_it_travels(text: Text) -> None:
    assert pickle.loads(pickle.dumps(text)) == text
    assert str(from_data(as_data(text))) == str(text)
    assert from_data(as_data("a string")) == "a string"


def test_an_error_is_explained_in_any_language() -> None:
    error = Explained("larger than {most} MiB", most=3)
    assert str(error) == "larger than 3 MiB"
    assert error.text.template == "larger than {most} MiB"


def test_all_that_a_report_says_can_be_translated() -> None:
    message = Text("`{name}` is wrong.", name="w")
    test = TestResult("t", 2, 0, "It works.", message, "m", "print(1)")
    cells = [CellResult("test_x", "0", (test,)), CellResult("test_y", "0", (), Text("it is gone"))]

    def translate(template: str) -> str:
        return f"\N{WHITE FLAG}{template}"

    sheet = Sheet("x", (Standing("test_x", 2, 1.5, by_person=True), Standing("test_y", 3, None)))
    nb = new_notebook(cells=[new_code_cell()])
    nb.cells[0].metadata["nbgrader"] = {"grade_id": "test_x", "grade": True, "solution": False}
    kept = Graded(nb, {cell.grade_id: cell for cell in cells}, (Text("A note."),))
    record.write(nb, record.of(kept))
    page = report.rewrite(nb, sheet, translate=translate)
    page += nb.cells[0].outputs[0]["data"]["text/html"]
    for english in (
        "What was checked",
        "It works.",
        "What happened",
        "A note.",
        "Sum of the checks",
    ):
        assert page.count(english) == page.count(translate(english)) > 0


def templates() -> Iterator[tuple[str, str, ast.Call]]:
    for path in sorted(Path(ROOT / "autograder").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                name = ast.unparse(call.func).rpartition(".")[2]
                texts = [each for each in call.args if _is_text(each)]
                if name in TEMPLATES and texts:
                    yield f"{path.name}:{call.lineno}", name, call


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_templates_are_plain_text() -> None:
    """An f-string would be another sentence for each value: no catalogue could have it."""
    found = list(templates())
    assert len(found) > 300
    glued = [
        where
        for where, name, call in found
        if any(isinstance(each, ast.JoinedStr | ast.BinOp) for each in call.args[:2])
    ]
    assert not glued


def test_templates_say_what_they_need() -> None:
    """Where all values are named in the call, they are those of the template."""
    for where, name, call in templates():
        template = next(each.value for each in call.args if _is_text(each))
        if name in ("Misconception", "says"):
            list(string.Formatter().parse(template))
            continue
        given = {str(keyword.arg) for keyword in call.keywords} - {"because"}
        if given and "None" not in given:
            named = {field for _, field, _, _ in string.Formatter().parse(template) if field}
            assert named <= given | {"cell"}, where  # `ended` gives the cell to it later
