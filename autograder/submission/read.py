"""Reads what was submitted: a file that may be anything, into a plain notebook or a reason."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from autograder.language import Explained, Sentence, Text
from autograder.submission.encoding import UnknownEncoding, to_utf8
from autograder.submission.lean import NotLean, lean
from autograder.submission.limits import ReadLimits

_CELL_TYPES = ("code", "markdown", "raw")
_BEGINNINGS = {
    b"PK\x03\x04": "a zip archive: unpack it, and hand in the notebook that is in it",
    b"\x1f\x8b": "a compressed archive: unpack it, and hand in the notebook that is in it",
    b"%PDF": "a PDF document, not the notebook itself",
    b"\x89PNG": "a picture, not the notebook itself",
    b"version https://git-lfs": "a pointer of Git LFS, not the notebook itself",
}
_CONFLICT = re.compile(rb"^<{7}(?: |\r?$)", re.M)
_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.I)
_PYTHON = re.compile(rb"^(?:import \w|from [\w.]+ import |def \w|class \w|# ?%%|#!)", re.M)


class NotANotebook(Explained):
    """The submitted file is no notebook that can be graded; the text goes on after its name."""


def read_file(path: Path, limits: ReadLimits) -> tuple[NotebookNode, list[Text]]:
    """Read a regular file (see `autograder.submission.intake`) like :func:`read`."""
    return read(path.read_bytes(), limits)


def read(data: bytes, limits: ReadLimits | None = None) -> tuple[NotebookNode, list[Text]]:
    """Read a submitted notebook: cells, their text and their nbgrader ids, nothing else.

    Outputs, attachments that are no images, and all metadata but a cell's `nbgrader` go; that of
    an older format is brought up to date.

    Args:
        data: the file's bytes, whatever they are.
        limits: what a notebook may be.

    Returns:
        the notebook, and what the student is to know about how it was read.

    Raises:
        NotANotebook: it is too large, not JSON, or not a notebook.
    """
    limits = limits or ReadLimits()
    notes: list[Text] = []
    if why := _is_something_else(data):
        raise NotANotebook(why)
    try:
        data, encoding = to_utf8(data)
    except UnknownEncoding as error:
        raise NotANotebook(
            "is not in UTF-8, as Jupyter saves notebooks, and {why}", why=error.text
        ) from None
    if encoding:
        notes.append(
            Text(
                "Your notebook was saved as {encoding}, not as UTF-8, which is what Jupyter writes."
                " It was read as such, and that cost you nothing.",
                encoding=encoding,
            )
        )
    try:
        data = lean(data)
        if len(data) > limits.notebook_bytes:
            most = limits.notebook_bytes // 2**20
            raise NotANotebook("is larger than {most} MiB without its outputs", most=most)
        if sum(data.count(mark) for mark in (b",", b"[", b"{")) > limits.values:
            raise NotANotebook("holds more values than a notebook can have")
        return plain(json.loads(data, strict=False), limits), notes
    except RecursionError:
        raise NotANotebook("is nested deeper than a notebook can be") from None
    except (NotLean, ValueError) as error:
        raise NotANotebook(_why_broken(data, error)) from None


def _is_something_else(data: bytes) -> Sentence:
    """Name what a file is that was never a notebook; an empty text where it may be one."""
    if not data.strip():
        return "is empty"
    if not data.strip(b"\0"):
        return "holds nothing but zero bytes: it was not saved to its end"
    found = (what for mark, what in _BEGINNINGS.items() if data.startswith(mark))
    return next((Text("is {what}", what=Text(what)) for what in found), "")


def _why_broken(data: bytes, error: Exception) -> Sentence:
    """Say why a text is no JSON, as somebody would who looks at it."""
    if _CONFLICT.search(data):
        return "holds a merge conflict: lines of Git that begin with `<<<<<<<`"
    if _PAGE.match(data):
        return "is a web page, not the notebook itself: download the file, not the page about it"
    if not data.lstrip().startswith(b"{"):
        if _PYTHON.search(data):
            return "is a Python script, not a notebook"
        return "is not JSON, as Jupyter saves notebooks"
    if isinstance(error, NotLean):
        return error.text
    return "is broken: it is not JSON, as Jupyter saves notebooks"


def plain(data: Any, limits: ReadLimits) -> NotebookNode:
    """Build a plain notebook of format 4.5 from decoded JSON.

    Raises:
        NotANotebook: it does not have a notebook's form.
    """
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        raise NotANotebook("is JSON, but not a notebook: it has no `nbformat` number")
    cells = data.get("cells")
    if data["nbformat"] < 4 and isinstance(sheets := data.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotANotebook("is JSON, but not a notebook: it has no list of `cells`")
    if len(cells) > limits.cells:
        raise NotANotebook("has more than {most} cells", most=limits.cells)
    made = [_plain_cell(cell, limits.source_length) for cell in cells]
    for place, cell in enumerate(made):
        cell["id"] = f"cell-{place}"
    notebook: NotebookNode = new_notebook(cells=made)
    return notebook


def new_cell(kind: str, source: str) -> NotebookNode:
    """A new cell; unlike nbformat's it is not checked by itself, which is slow, nor has it an id.

    The notebook is checked as a whole before it is written.
    """
    made = NotebookNode(cell_type=kind, metadata=NotebookNode(), source=source)
    if kind == "code":
        made.update(execution_count=None, outputs=[])
    return made


def _plain_cell(cell: dict[str, Any], most: int) -> NotebookNode:
    source = cell.get("source", cell.get("input", ""))  # code was `input` in old formats
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotANotebook("is JSON, but not a notebook: a cell's `source` is not text")
    if len(source) > most:
        raise NotANotebook("has a cell whose source is longer than {most} KiB", most=most // 2**10)
    kind = cell.get("cell_type")
    if kind == "heading":  # so were headings
        level = cell.get("level")
        source = "#" * (level if isinstance(level, int) and 0 < level < 7 else 1) + " " + source
        kind = "markdown"
    made = new_cell(kind if isinstance(kind, str) and kind in _CELL_TYPES else "raw", _text(source))
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if isinstance(nbgrader, dict) and isinstance(nbgrader.get("grade_id"), str):
        made.metadata["nbgrader"] = NotebookNode(grade_id=_text(nbgrader["grade_id"]))
    if kind == "markdown" and (attachments := _images(cell.get("attachments"))):
        made.attachments = nbformat.from_dict(attachments)
    return made


def _text(text: str) -> str:
    """The text without lone surrogates: valid JSON, but they can neither be saved nor sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _images(attachments: Any) -> dict[str, dict[str, str]]:
    """Keep the attachments that are images, as base64 text."""
    kept: dict[str, dict[str, str]] = {}
    if isinstance(attachments, dict):
        for name, bundle in attachments.items():
            for mime in ("image/png", "image/jpeg", "image/gif"):
                if isinstance(bundle, dict) and isinstance(bundle.get(mime), str):
                    kept[_text(name)] = {mime: _text(bundle[mime])}
    return kept
