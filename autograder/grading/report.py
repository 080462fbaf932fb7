"""Turns results into the HTML that a student reads in the feedback."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from autograder.grading.results import CellResult

_TEMPLATES = Environment(
    loader=PackageLoader("autograder.grading", ""),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def cell(result: CellResult) -> str:
    """The report of one grade cell: what was checked, points, and what went wrong."""
    return _TEMPLATES.get_template("report.html.j2").render(result=result)


def summary(results: Sequence[CellResult], notes: Sequence[str]) -> str:
    """The head of a graded notebook: every task's score, and what else a student should know.

    One block of HTML without empty lines, so that markdown leaves it as it is.
    """
    html = _TEMPLATES.get_template("summary.html.j2").render(results=results, notes=notes)
    return "\n".join(line for line in html.splitlines() if line.strip())
