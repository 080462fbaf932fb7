"""Turns results into what a student reads: the HTML of the feedback, in a notebook."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from autograder.grading import record
from autograder.grading.dependence import Dependence
from autograder.grading.grader import Graded
from autograder.grading.progress import Before, opening
from autograder.grading.results import CellResult
from autograder.grading.standing import Sheet, Standing
from autograder.language import Sentence, Text, Translate, render
from autograder.submission.cells import grade_cells

#: The id of the cell that a graded notebook begins with.
SUMMARY_ID = "autograder-summary"

#: How the reports look, in whatever page they are.
STYLE = files("autograder.grading").joinpath("report.css").read_text("utf-8").strip()


def templates(package: str) -> Environment:
    """The templates in the folder of a package: what they are filled with is text, never HTML."""
    return Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


_TEMPLATES = templates("autograder.grading")


def cell(result: CellResult, standing: Standing | None = None, translate: Translate = str) -> str:
    """The report of one grade cell: what was checked, points, and what went wrong.

    Args:
        result: what its checks came to.
        standing: what stands in the end, where a person may have decided.
        translate: finds the sentences of the language asked for.
    """
    standing = standing or Standing.of(result)
    return _page(
        "report.html.j2",
        translate,
        result=result,
        standing=standing,
        reasons=_reasons(result, standing),
        caption=Text("The checks of `{task}`", task=result.task),
    )


def summary(
    results: Sequence[CellResult],
    notes: Sequence[Sentence],
    sheet: Sheet | None = None,
    before: Before | None = None,
    depends_on: Dependence | None = None,
    translate: Translate = str,
) -> str:
    """The head of a graded notebook: every task's score, and what else a student should know.

    One block of HTML without empty lines, so that markdown leaves it as it is.

    Args:
        results: of each grade cell that has checks.
        notes: what a student should know beside.
        sheet: what stands in the end, where a person may have decided; it is a part of a page then
            that has the reports' style already.
        before: what is known of the attempt before this one.
        depends_on: what the results follow from.
        translate: finds the sentences of the language asked for.
    """
    known = {result.grade_id: result for result in results}
    cells = sheet.cells if sheet else [Standing.of(result) for result in results]
    rows = [(each, _reasons(known.get(each.grade_id), each)) for each in cells]
    if len(rows) > 1 and all(each.points is None for each in cells):
        every = {tuple(reasons) for _, reasons in rows}
        if len(every) == 1:  # said once for all
            notes, rows = [*every.pop(), *notes], [(each, []) for each in cells]
    style = Markup("" if sheet else STYLE)  # it is the package's own
    html = _page(
        "summary.html.j2",
        translate,
        rows=rows,
        notes=notes,
        style=style,
        opening=opening(results, before),
        version=_version(depends_on),
    )
    return "\n".join(line for line in html.splitlines() if line.strip())


def _reasons(result: CellResult | None, standing: Standing) -> list[Text]:
    """What is to be said of the points of a cell: what cost some, and who decided."""
    if standing.points is None:
        return result.messages if result else [Text("A person grades this answer.")]
    told = {"points": f"{standing.points:g}", "most": f"{standing.most:g}"}
    if not standing.by_person:
        return result.messages if result else []
    if result is None:
        return [Text("A person decided: {points} of {most}.", **told)]
    if result.ungraded:
        why = result.ungraded
        return [
            Text(
                "The checks could not grade this task: {why}. A person decided: {points} of"
                " {most}.",
                why=why,
                **told,
            )
        ]
    says = Text(
        "A person decided: {points} of {most}. The checks alone came to {earned}.",
        earned=result.earned,
        **told,
    )
    return [says, *(result.messages if standing.points < standing.most else [])]


def _version(depends_on: Dependence | None) -> Text:
    """Which checks the points came from: what another page says tells whether they were others."""
    if depends_on is None:
        return Text("")
    return Text("Graded by version `{version}` of the checks.", version=depends_on.suites[:8])


def _page(name: str, translate: Translate, **values: Any) -> str:
    """Fill in a template; `_` in it writes a sentence out, in the language asked for."""

    def written(text: Sentence) -> str:
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
        _show(nb.cells[place], graded.results[name], cell(graded.results[name]))
    record.write(nb, record.of(graded))
    head = new_markdown_cell(
        summary(
            list(graded.results.values()),
            graded.notes,
            before=graded.before,
            depends_on=graded.depends_on,
        )
    )
    head["id"] = SUMMARY_ID
    nb.cells.insert(0, head)


def waiting(assignment: str, says: Text, style: str, translate: Translate = str) -> str:
    """The page of a hand-in that has no results: it says why, and what comes.

    Args:
        assignment: what was handed in.
        says: why, in a sentence or some.
        style: of the page; CSS, the package's own.
        translate: finds the sentences of the language asked for.
    """
    told = {"assignment": assignment, "says": says, "style": Markup(style)}
    return _page("waiting.html.j2", translate, **told).lstrip()


def rewrite(
    nb: NotebookNode,
    sheet: Sheet,
    notes: Sequence[Sentence] = (),
    counts: Text | None = None,
    translate: Translate = str,
) -> str:
    """Make the reports of a graded notebook anew, as its record and the gradebook have it.

    Args:
        nb: changed in place; the cell that its summary was in goes.
        sheet: what stands in the end.
        notes: what else a student should know, beside what the record holds.
        counts: which hand-in counts, where there is something to say of it.
        translate: finds the sentences of the language asked for.

    Returns:
        The head of its page: the score, what there is to say of it, and the summary.
    """
    kept = record.read(nb)
    results = {result.grade_id: result for result in kept.cells}
    standings = {each.grade_id: each for each in sheet.cells}
    for name, place in grade_cells(nb).items():
        if name in results:
            html = cell(results[name], standings.get(name), translate)
            _show(nb.cells[place], results[name], html)
    nb.cells = [each for each in nb.cells if each.get("id") != SUMMARY_ID]
    table = summary(
        kept.cells, [*notes, *kept.notes], sheet, kept.before, kept.depends_on, translate
    )
    total, *beside = _in_all(sheet)
    if counts:
        beside.append(counts)
    told = {"sheet": sheet, "total": total, "beside": beside, "summary": Markup(table)}
    return _page("head.html.j2", translate, **told)


def _in_all(sheet: Sheet) -> list[Text]:
    """What the points come to, and what is to be said of that."""
    score, most, left = (f"{each:g}" for each in (sheet.score, sheet.most, sheet.open))
    if sheet.cells and sheet.open == sheet.most:
        lines = [Text("Not graded yet. That costs you nothing: a person will look at it.")]
    elif sheet.open:
        lines = [
            Text("{score} of {most} points so far", score=score, most=most),
            Text(
                "{left} points are not graded yet. That costs you nothing: a person will look at"
                " it.",
                left=left,
            ),
        ]
    else:
        lines = [Text("{score} of {most} points", score=score, most=most)]
    if sheet.by_person:
        lines.append(Text("A person decided on a part of it: the table says where."))
    if sheet.penalty:
        late = f"{sheet.penalty:g}"
        lines.append(Text("It was handed in late: that took off {late} points.", late=late))
    return lines


def marked_up(message: Sentence, translate: Translate = str) -> str:
    """A sentence as HTML."""
    return _page("message.html.j2", translate, message=message)


def _show(shown: NotebookNode, result: CellResult, html: str) -> None:
    """Make a result all that its grade cell shows."""
    shown.execution_count = None
    shown.outputs = [
        new_output(
            "execute_result",
            data={
                "text/plain": "not graded" if result.ungraded else str(result.earned),
                "text/html": html,
            },
            metadata=record.public(result),
        )
    ]
