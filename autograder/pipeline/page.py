"""The feedback page itself, made in the worker: it holds what a student wrote."""

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.filters import ansi2html
from nbformat import NotebookNode
from traitlets.config import Config

from autograder.grading import report
from autograder.grading.standing import Sheet, Standing
from autograder.language import Text, Translate, render
from autograder.pipeline import mathematics
from autograder.pipeline.safe import clean_markdown
from autograder.submission.cells import grade_id, is_locked, marks, only_draws

_TEMPLATES = Path(__file__).with_name("templates")
_NAME = "feedback_page"
#: How pages look.
STYLE = "\n".join([(_TEMPLATES / _NAME / "page.css").read_text("utf-8"), report.STYLE])
#: The name under which a page says what it was made of.
MARK = "autograder-fits"
#: Lines of output beyond which it scrolls, and of given code beyond which it is folded.
_LONG, _LONG_CODE = 30, 15

_HEADING = re.compile(r"<(/?)h([1-6])(?=[\s>])")
_EMPTY_HEADING = re.compile(r"<h([1-6])[^<>]*>\s*</h\1>")
_EMPTY_HEADER = re.compile(r"<th\b([^<>]*)>\s*</th>")
_EMPTY_LINK = re.compile(r'(<a\b[^<>]*href="([^"]*)"[^<>]*>)\s*</a>')
_COLOUR = re.compile(r'(<span[^<>]*?) style="[^"]*"')


@dataclass(frozen=True)
class Told:
    """What a page tells beside the notebook.

    Attributes:
        sheet: what stands for the submission.
        fits: by what it is known later whether the page still fits.
        notes: what a student should know of the page.
        counts: which hand-in counts, where there is something to say of it.
    """

    sheet: Sheet
    fits: str = ""
    notes: tuple[Text, ...] = ()
    counts: Text | None = None


def make(
    nb: NotebookNode,
    resources: dict[str, Any],
    told: Told,
    config: Config,
    translate: Translate = str,
) -> str:
    """The page of a graded notebook."""
    head = report.rewrite(nb, told.sheet, told.notes, told.counts, translate)
    resources = resources | {
        "feedback": {
            "assignment": told.sheet.assignment,
            "head": head,
            "mark": MARK,
            "fits": told.fits,
            "style": STYLE,
        }
    }
    exporter = _Exporter(translate, config)
    exporter.register_preprocessor(_Cells(told.sheet, translate).describe)
    page: str = exporter.from_notebook_node(nb, resources)[0]
    return page


class _Exporter(HTMLExporter):
    """nbconvert's exporter with this page's template, and the filters of it."""

    def __init__(self, translate: Translate, config: Config) -> None:
        super().__init__(
            config=config, template_name=_NAME, extra_template_basedirs=[str(_TEMPLATES)]
        )
        self._translate = translate
        for name in ("told", "reached", "reached_if_wide", "reached_if_long"):
            self.register_filter(name, getattr(self, f"_{name}"))
        self.register_filter("tidy", tidy)
        self.register_filter("ansi2html", readable)

    def _told(self, text: str | tuple[str, Any]) -> str:
        template, *values = (text,) if isinstance(text, str) else text
        names = re.findall(r"\{(\w+)\}", template)
        return render(Text(template, **dict(zip(names, values, strict=True))), self._translate)

    def _label(self, template: str, cell: NotebookNode) -> str:
        label = self._told((template, cell.metadata["page"]["number"]))
        return f' tabindex="0" role="group" aria-label="{escape(label)}"'

    def _reached(self, code: str, template: str, cell: NotebookNode) -> str:
        """Code that a keyboard reaches, to scroll it."""
        return code.replace("<pre>", f"<pre{self._label(template, cell)}>", 1)

    def _reached_if_wide(self, html: str, template: str, cell: NotebookNode) -> str:
        wide = "<table" in html and 'class="ag-report"' not in html
        return self._label(template, cell) if wide else ""

    def _reached_if_long(self, text: str, template: str, cell: NotebookNode) -> str:
        return (
            self._label(template, cell)
            if len(text) > 80 * _LONG or text.count("\n") > _LONG
            else ""
        )


class _Cells:
    """What the template is told of each cell, in the order of the page."""

    def __init__(self, sheet: Sheet, translate: Translate) -> None:
        self._standings = {each.grade_id: each for each in sheet.cells}
        self._comments = sheet.comments
        self._translate = translate
        self._level = 1

    def describe(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """nbconvert's step: what is told of each cell goes to its metadata, as `page`."""
        for number, cell in enumerate(nb.cells, 1):
            cell.metadata["page"] = self._told(cell, number)
        return nb, resources

    def _told(self, cell: NotebookNode, number: int) -> dict[str, Any]:
        told = marks(cell)
        marked = any(told.get(key) for key in ("solution", "grade", "task"))
        comment = self._comments.get(grade_id(cell) or "", "")
        return {
            "number": number,
            "folded": _is_given(cell),
            "marked": marked,
            "heading": self._heading(cell) if marked else "",
            "html": self._prose(cell.source) if cell.cell_type == "markdown" else "",
            "comment": tidy(clean_markdown(comment, {})) if comment else "",
        }

    def _heading(self, cell: NotebookNode) -> str:
        """What a cell is, and what stands for it."""
        told, name = marks(cell), grade_id(cell) or ""
        if told.get("solution"):
            what = "Your answer: `{name}`"
        else:
            what = "Task: `{name}`" if told.get("task") else "Checks: `{name}`"
        parts = [
            f'<span class="grows">{report.marked_up(Text(what, name=name), self._translate)}</span>'
        ]
        if standing := self._standings.get(name):
            parts.append(f"<span>{report.marked_up(_points(standing), self._translate)}</span>")
        return " ".join(parts)

    def _prose(self, source: str) -> str:
        html = mathematics.rendered(source.replace("attachment:", "missing-"), str)
        return _HEADING.sub(self._lower, _EMPTY_HEADING.sub("", tidy(html)))

    def _lower(self, tag: re.Match[str]) -> str:
        """A heading below the page's own, none of which is left out."""
        if not tag[1]:
            self._level = min(int(tag[2]) + 1, self._level + 1, 6)
        return f"<{tag[1]}h{self._level}"


def _is_given(cell: NotebookNode) -> bool:
    """Whether a cell is code that was handed out and that nobody need read again."""
    long = cell.source.count("\n") >= _LONG_CODE
    return is_locked(cell) and not marks(cell).get("grade") and (only_draws(cell) or long)


def _points(standing: Standing) -> Text:
    """What stands for a cell, in few words."""
    if standing.points is None:
        return Text("not graded yet")
    most, points = f"{standing.most:g}", f"{standing.points + standing.extra:g}"
    if standing.by_person or standing.extra:
        return Text("{points} of {most} points, decided by a person", points=points, most=most)
    return Text("{points} of {most} points", points=points, most=most)


def tidy(html: str) -> str:
    """HTML in which nothing is empty that is read out: headers of tables, links."""
    html = _EMPTY_HEADER.sub(r"<td\1></td>", html)
    return _EMPTY_LINK.sub(r"\1\2</a>", html)


def readable(text: str) -> str:
    """Text of a terminal as HTML, without colours that nobody has looked at."""
    html: str = ansi2html(text)
    return _COLOUR.sub(r"\1", html)
