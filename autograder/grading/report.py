"""Turns results into what a student reads: the HTML of the feedback, in a notebook."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from autograder.grading import record
from autograder.grading.dependence import Dependence
from autograder.grading.grader import Graded
from autograder.grading.progress import Before, opening
from autograder.grading.results import CellResult
from autograder.language import Text, Translate, render
from autograder.submission.cells import grade_cells

#: The id of the cell that a graded notebook begins with.
SUMMARY_ID = "autograder-summary"

_TEMPLATES = Environment(
    loader=PackageLoader("autograder.grading", ""),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def cell(result: CellResult, translate: Translate = str) -> str:
    """The report of one grade cell: what was checked, points, and what went wrong."""
    return _page("report.html.j2", translate, result=result)


def summary(
    results: Sequence[CellResult],
    notes: Sequence[str | Text],
    before: Before | None = None,
    depends_on: Dependence | None = None,
    translate: Translate = str,
) -> str:
    """The head of a graded notebook: every task's score, and what else a student should know.

    One block of HTML without empty lines, so that markdown leaves it as it is.
    """
    html = _page(
        "summary.html.j2",
        translate,
        results=results,
        notes=notes,
        opening=opening(results, before),
        version=_version(depends_on),
    )
    return "\n".join(line for line in html.splitlines() if line.strip())


def _version(depends_on: Dependence | None) -> Text:
    """Which checks the points came from: what another page says tells whether they were others."""
    if depends_on is None:
        return Text("")
    return Text("Graded by version `{version}` of the checks.", version=depends_on.suites[:8])


def _page(name: str, translate: Translate, **values: Any) -> str:
    """Fill in a template; `_` in it writes a sentence out, in the language asked for."""

    def written(text: str | Text) -> str:
        return render(Text(text), translate)

    return _TEMPLATES.get_template(name).render(**values, _=written)


def write(nb: NotebookNode, graded: Graded) -> None:
    """Write what grading came to into a notebook.

    Each grade cell shows its result and nothing else: score, report and public record. Above them
    all stands a summary, and in the metadata the record.

    Raises:
        KeyError: a grade cell has no result: nbgrader would give it full marks.
    """
    for name, place in grade_cells(nb).items():
        shown, result = nb.cells[place], graded.results[name]
        shown.execution_count = None
        shown.outputs = [
            new_output(
                "execute_result",
                data={
                    "text/plain": "not graded" if result.ungraded else str(result.earned),
                    "text/html": cell(result),
                },
                metadata=record.public(result),
            )
        ]
    record.write(nb, record.of(graded))
    head = new_markdown_cell(
        summary(list(graded.results.values()), graded.notes, graded.before, graded.depends_on)
    )
    head["id"] = SUMMARY_ID
    nb.cells.insert(0, head)


def waiting(says: Text, translate: Translate = str) -> str:
    """The page of a hand-in that is graded later: it says when."""
    return _page("waiting.html.j2", translate, says=says).lstrip()
