"""Makes what a submission shows safe to open: outputs, markdown, and the notebook's metadata.

Runs when the student kernel is gone. Text stays text, images stay images, HTML keeps its harmless
tags; scripts, styles, remote addresses and everything unknown go.
"""

import base64
import binascii
import math
import re
import resource
import signal
import time
from collections.abc import Callable
from functools import lru_cache, partial
from html import escape
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.preprocessors import HighlightMagicsPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum
from traitlets import Integer

from autograder.grading.worker import BudgetSpent, worker
from autograder.pipeline import mathematics
from autograder.pipeline.harmless import clean_html
from autograder.submission.cells import marks

_IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif")
_ESCAPE = re.compile(r"\x1b(\[[0-9;:?]*[ -/]*[@-~]?)?")
#: Colours beyond this go: nbconvert takes its time for each.
_MAX_ESCAPES = 2_000
_ALL_ESCAPES = 20_000
#: Outputs of a submission: each takes a page half a millisecond, however small it is.
_MAX_OUTPUTS = 2_000
_MAX_ESCAPED = 10**8
#: Code beyond this is not coloured; of shorter code, so much is, without trying how long it takes.
_MAX_COLOURED = 20_000
_UNTRIED, _UNTRIED_CELL = 20_000, 1_000
_COLOUR_SECONDS = 0.5
_MAX_MARKDOWN = 20 * 2**20

_MAGICS = HighlightMagicsPreprocessor()


def clean_markdown(source: str, attachments: dict[str, dict[str, str]]) -> str:
    """Render a student's markdown to safe HTML, in a form that markdown leaves as it is.

    Args:
        source: the cell's text.
        attachments: its images, by name and MIME type.
    """
    for name, bundle in attachments.items():
        for mime, data in bundle.items():
            valid, link = _base64(data), f"attachment:{name}"
            if valid and source.count(link) * len(valid) + len(source) < _MAX_MARKDOWN:
                source = source.replace(link, f"data:{mime};base64,{valid}")
    # nbconvert stops at an attachment that is not there.
    return _render(source.replace("attachment:", "missing-"))


@lru_cache(maxsize=256)  # most markdown is the release's own, the same in every submission
def _render(source: str) -> str:
    try:
        html = mathematics.rendered(source, clean_html)
    except Exception:  # nested beyond what the parser can do, say: then its text will do
        return _as_text(source)
    return _one_block(html)


def _as_text(source: str) -> str:
    """Markdown that shows a text as it is."""
    return _one_block(f"<pre>{escape(source)}</pre>")


def _one_block(html: str) -> str:
    # HTML stays HTML in markdown up to the first empty line: leave none.
    html = (
        re.sub(r"\n(?=[ \t]*\n)", "&#10;", html)
        if "<pre" in html
        else re.sub(r"\n\s*\n", "\n", html)
    )
    # No bracket is left for later filters to look for links in (nbconvert's need quadratic time).
    return f"<div>{html.strip()}</div>".replace("[", "&#91;")


def _base64(data: Any) -> str:
    """Valid base64 without white space, or an empty text."""
    text = "".join(data.split()) if isinstance(data, str) else ""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return text


def clean_output(output: Any) -> NotebookNode | None:
    """Make one output of a student's cell harmless; None where nothing is left of it."""
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return _new("stream", name=name, text=_overwritten(_text(output.get("text"))))
    if kind == "error":
        lines = output.get("traceback")
        return _new(
            "error",
            ename=_text(output.get("ename")),
            evalue=_text(output.get("evalue")),
            traceback=[_text(line) for line in lines] if isinstance(lines, list) else [],
        )
    data = _clean_data(output.get("data"))
    return _new("display_data", data=data) if data else None


def _new(kind: str, **content: Any) -> NotebookNode:
    output: NotebookNode = new_output(kind, **content)
    return output


def _clean_data(data: Any) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    kept = {mime: text for mime in _IMAGE_TYPES if (text := _base64(data.get(mime)))}
    if kept:
        return kept
    if svg := _text(data.get("image/svg+xml")):
        # Inside <img> a browser runs no script of an SVG and loads nothing for it.
        encoded = base64.b64encode(svg.encode()).decode()
        return {"text/html": f'<img alt="figure" src="data:image/svg+xml;base64,{encoded}">'}
    if html := _text(data.get("text/html")):
        return {"text/html": clean_html(html)}
    if markdown := _text(data.get("text/markdown")) or _text(data.get("text/latex")):
        return {"text/html": clean_markdown(markdown, {})}
    return {"text/plain": text} if (text := _text(data.get("text/plain"))) else {}


def _overwritten(text: str) -> str:
    """Text as a terminal shows it: a carriage return starts its line again (progress bars)."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(item for item in value if isinstance(item, str))
    if isinstance(value, str):
        escapes = value.count("\x1b")
        if escapes > _MAX_ESCAPES or escapes * len(value) > _MAX_ESCAPED:
            value = _ESCAPE.sub("", value)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


_TOO_LONG = "Some output took too long to be made safe, and is not shown."


class SafeNotebook(NbGraderPreprocessor):
    """Makes a graded submission safe to open, for the student, the instructor and anyone."""

    output_bytes = Integer(2**20, help="The most that the outputs of one cell may hold.").tag(
        config=True
    )

    submission_bytes = Integer(
        10 * 2**20, help="The most that the outputs of a submission may hold."
    ).tag(config=True)
    seconds = Integer(
        20, help="Processor time to make the HTML and markdown of a submission safe with."
    ).tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Clean every cell in the worker; past its budget, leave out what would have to be."""
        graded = resources.get("autograder")
        if graded is not None and graded.safe:
            return nb, resources
        try:
            return worker.call(clean, nb, *self.budget(), log=self.log), resources
        except BudgetSpent as error:
            who = resources["nbgrader"]["student"]
            self.log.warning("%s: no outputs are shown: %s", who, error)
        return bare(nb), resources

    def budget(self) -> tuple[int, int, int]:
        """What `clean` may show, and the time that it has."""
        return self.output_bytes, self.submission_bytes, self.seconds


def clean(
    nb: NotebookNode, output_bytes: int, submission_bytes: int, seconds: float
) -> NotebookNode:
    """Make every cell of a notebook harmless, and keep of its metadata what the grader wrote.

    Args:
        nb: a graded submission, changed in place.
        output_bytes: the most that the outputs of one cell may hold.
        submission_bytes: the most that all outputs may.
        seconds: of processor time, for all of it.
    """
    return _Cleaner(output_bytes, submission_bytes, seconds).notebook(nb)


def bare(nb: NotebookNode) -> NotebookNode:
    """What can be shown of a notebook without looking at it: no outputs, and text as it is."""
    for cell in nb.cells:
        nbgrader = cell.metadata.get("nbgrader")
        cell.metadata = NotebookNode({"nbgrader": nbgrader} if nbgrader else {})
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [_note(_TOO_LONG)], None
            cell.metadata["magics_language"] = "text"
        elif cell.cell_type == "raw" or not _is_as_released(cell):
            cell.source = _as_text(cell.source)
    return _with_plain_metadata(nb, "text")


def _is_as_released(cell: NotebookNode) -> bool:
    """Whether a rebuilt cell holds what was handed out: locked, or an answer not begun."""
    told = marks(cell)
    untouched = bool(told) and told.get("checksum") == compute_checksum(cell)
    return bool(told.get("locked")) or untouched


def _with_plain_metadata(nb: NotebookNode, lexer: str) -> NotebookNode:
    nb.metadata = NotebookNode(
        {
            "kernelspec": nb.metadata.get("kernelspec", {}),
            "language_info": {"name": "python", "pygments_lexer": lexer},
        }
    )
    return nb


class _Cleaner:
    """Cleans the cells of one notebook, with the time and the room that are left for the next."""

    def __init__(self, output_bytes: int, submission_bytes: int, seconds: float) -> None:
        self.output_bytes = output_bytes
        self._seconds_left, self._room_left = float(seconds), submission_bytes
        self._escapes_left, self._outputs_left = _ALL_ESCAPES, _MAX_OUTPUTS
        self._untried_left, self._lexer = _UNTRIED, "ipython3"

    def notebook(self, nb: NotebookNode) -> NotebookNode:
        """Clean a notebook in place."""
        for cell in nb.cells:
            self._cell(cell)
        return _with_plain_metadata(nb, self._lexer)

    def _cell(self, cell: NotebookNode) -> None:
        nbgrader = cell.metadata.get("nbgrader")
        cell.metadata = NotebookNode({"nbgrader": nbgrader} if nbgrader else {})
        if cell.cell_type == "code":
            cell.outputs = self._outputs(cell.outputs)
            if not (nbgrader and nbgrader.get("locked")) and not self._has_colours(cell.source):
                cell.metadata["magics_language"] = "text"  # nbconvert's: no colours for this one
                if _MAGICS.which_magic_language(cell.source):
                    self._lexer = "text"  # this magic would get its own all the same: none for any
            if not (type(cell.execution_count) is int and 0 <= cell.execution_count < 10**6):
                cell.execution_count = None
        elif cell.cell_type == "markdown" and not _is_as_released(cell):
            images = cell.pop("attachments", {})
            clean = self._in_time(partial(clean_markdown, cell.source, images))
            cell.source = _as_text(cell.source) if clean is None else clean
        elif cell.cell_type == "raw":
            clean = self._in_time(partial(clean_html, cell.source))
            cell.source = escape(cell.source) if clean is None else clean

    def _has_colours(self, code: str) -> bool:
        """Whether the colours of a cell are found soon, each time that its page is made.

        Lexers may need hours. All pages are made later, by programs that set no limit.
        """
        if len(code) > _MAX_COLOURED or max(map(len, code.split("\n"))) > _MAX_COLOURED // 10:
            return False
        language = _MAGICS.which_magic_language(code)
        if len(code) < _UNTRIED_CELL and language is None and len(code) <= self._untried_left:
            self._untried_left -= len(code)
            return True
        metadata = {"magics_language": language} if language else {}
        colour = partial(Highlight2HTML(pygments_lexer="ipython3"), code, metadata=metadata)
        return self._in_time(colour, _COLOUR_SECONDS) is not None

    def _outputs(self, outputs: list[Any]) -> list[NotebookNode]:
        kept: list[NotebookNode] = []
        room = min(self.output_bytes, self._room_left)
        for place, output in enumerate(outputs):
            self._outputs_left -= 1
            if self._outputs_left < 0 and place < len(outputs) - 1:
                # The last one is shown: it says how the cell ended.
                last = self._outputs(outputs[-1:])
                return [*kept, _note("Further output was cut here."), *last]
            made = self._in_time(partial(_cleaned, output))
            if made is None:
                made = [_note(_TOO_LONG)]
            for each in map(self._few_escapes, made):
                size = len(each.get("text", "")) + 200 if "text" in each else len(str(each))
                room -= size
                if room < -1000 and each.output_type != "error":
                    return [*kept, _note("Further output was cut here.")]
                self._room_left -= size
                kept.append(each)
        return kept

    def _few_escapes(self, output: NotebookNode) -> NotebookNode:
        """An output without colours, where there have been too many in all."""
        if "traceback" in output:
            lines = output.traceback
        else:
            lines = [output.get("text", "") or output.get("data", {}).get("text/plain", "")]
        self._escapes_left -= sum(line.count("\x1b") for line in lines)
        if self._escapes_left < 0:
            lines = [_ESCAPE.sub("", line) for line in lines]
            if "traceback" in output:
                output.traceback = lines
            elif "text" in output:
                output.text = lines[0]
            elif "text/plain" in output.data:
                output.data["text/plain"] = lines[0]
        return output

    def _in_time(self, clean: Callable[[], Any], most: float = math.inf) -> Any:
        """What `clean` returns; None where it takes longer than there is time for, or than `most`.

        Parsers of HTML and of markdown need hours for what is made for that.
        """
        given = min(self._seconds_left, most)
        if given <= 0:
            return None
        started = _processor_seconds()

        def look(*ignored: Any) -> None:
            if _processor_seconds() - started >= given:
                raise _TooLong

        handler = signal.signal(signal.SIGALRM, look)
        try:
            # Timers of processor time count ticks that they happen to see, and miss most of some.
            signal.setitimer(signal.ITIMER_REAL, given, 0.1)
            try:
                return clean()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except (Exception, _TooLong):
            return None
        finally:
            signal.signal(signal.SIGALRM, handler)
            self._seconds_left -= _processor_seconds() - started


def _processor_seconds() -> float:
    """What this process has used, with the processes of its own that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _cleaned(output: Any) -> list[NotebookNode]:
    return list(filter(None, [clean_output(output)]))


class _TooLong(BaseException):
    """The time is up: for no library's `except Exception`."""


def _note(text: str) -> NotebookNode:
    return _new("stream", name="stdout", text=f"[{text}]\n")
