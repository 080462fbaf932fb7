"""Turns results into the HTML that a student reads in the feedback."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from autograder.grading.results import CellResult
from autograder.language import Text, Translate, render

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
    results: Sequence[CellResult], notes: Sequence[str | Text], translate: Translate = str
) -> str:
    """The head of a graded notebook: every task's score, and what else a student should know.

    One block of HTML without empty lines, so that markdown leaves it as it is.
    """
    html = _page("summary.html.j2", translate, results=results, notes=notes)
    return "\n".join(line for line in html.splitlines() if line.strip())


def _page(name: str, translate: Translate, **values: Any) -> str:
    """Fill in a template; `_` in it writes a sentence out, in the language asked for."""

    def written(text: str | Text) -> str:
        return render(Text(text), translate)

    return _TEMPLATES.get_template(name).render(**values, _=written)
