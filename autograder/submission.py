"""Reads what was submitted: a file that may be anything, into a plain notebook or a reason."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

MAX_NOTEBOOK = 50 * 2**20
MAX_FILE = 100 * 2**20
MAX_CELLS = 2_000
MAX_SOURCE = 2**18
#: Lists, objects and items of a notebook's JSON together: it takes 100 bytes for each to read it.
MAX_VALUES = 5 * 10**6
#: What may lie beside a notebook. nbgrader needs a second for 500 files, and four for 1,000.
MAX_FILES = 500
MAX_FOLDER = 50 * 2**20

_CELL_TYPES = ("code", "markdown", "raw")


class NotANotebook(Exception):
    """The submitted file is no notebook that can be graded; the text says why, for the student."""


@dataclass(frozen=True)
class Refused:
    """A file beside the notebook that grading leaves alone, and why."""

    path: Path
    why: str


def read(path: Path) -> nbformat.NotebookNode:
    """Read a submitted notebook: cells, their text and their nbgrader ids, nothing else.

    Outputs, attachments that are no images, and all metadata but a cell's `nbgrader` go; that of
    an older format is brought up to date.

    Raises:
        NotANotebook: the file is a link, no regular file, too large, not JSON, or not a notebook.
    """
    why = unsafe(path, MAX_NOTEBOOK)
    if why:
        raise NotANotebook(f"it is {why}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if sum(map(text.count, ",[{")) > MAX_VALUES:
            raise NotANotebook("it holds more values than a notebook can have")
        data = json.loads(text)
    except OSError as error:
        raise NotANotebook(f"it cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise NotANotebook("it is not JSON, the format that Jupyter saves notebooks in") from None
    return plain(data)


def plain(data: Any) -> nbformat.NotebookNode:
    """Build a plain notebook of format 4.5 from decoded JSON.

    Raises:
        NotANotebook: it does not have a notebook's form.
    """
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        raise NotANotebook("it is JSON, but not a notebook: it has no `nbformat` number")
    if data["nbformat"] < 4:
        try:
            data = nbformat.convert(nbformat.from_dict(data), 4)
        except Exception:
            raise NotANotebook("it has an old notebook format that cannot be converted") from None
    cells = data.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise NotANotebook("it is JSON, but not a notebook: it has no list of `cells`")
    if len(cells) > MAX_CELLS:
        raise NotANotebook(f"it has more than {MAX_CELLS} cells")
    made = [_plain_cell(cell) for cell in cells]
    for place, cell in enumerate(made):
        cell["id"] = f"cell-{place}"
    return new_notebook(cells=made)


def new_cell(kind: str, source: str) -> NotebookNode:
    """A new cell; unlike nbformat's it is not checked by itself, which is slow, nor has it an id.

    The notebook is checked as a whole before it is written.
    """
    made = NotebookNode(cell_type=kind, metadata=NotebookNode(), source=source)
    if kind == "code":
        made.update(execution_count=None, outputs=[])
    return made


def _plain_cell(cell: dict[str, Any]) -> NotebookNode:
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotANotebook("it is JSON, but not a notebook: a cell's `source` is not text")
    if len(source) > MAX_SOURCE:
        raise NotANotebook(f"a cell's source is longer than {MAX_SOURCE // 2**10} KiB")
    # Lone surrogates are valid JSON, but can neither be saved nor sent.
    source = source.encode("utf-8", "replace").decode("utf-8")
    kind = cell.get("cell_type")
    made = new_cell(kind if isinstance(kind, str) and kind in _CELL_TYPES else "raw", source)
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if isinstance(nbgrader, dict) and isinstance(nbgrader.get("grade_id"), str):
        made.metadata["nbgrader"] = nbformat.from_dict({"grade_id": nbgrader["grade_id"]})
    if kind == "markdown" and (attachments := _images(cell.get("attachments"))):
        made.attachments = nbformat.from_dict(attachments)
    return made


def _images(attachments: Any) -> dict[str, dict[str, str]]:
    """Keep the attachments that are images, as base64 text."""
    kept: dict[str, dict[str, str]] = {}
    if isinstance(attachments, dict):
        for name, bundle in attachments.items():
            for mime in ("image/png", "image/jpeg", "image/gif"):
                if isinstance(bundle, dict) and isinstance(bundle.get(mime), str):
                    kept[name] = {mime: bundle[mime]}
    return kept


def unsafe(path: Path, limit: int = MAX_FILE) -> str:
    """Say what makes a file unfit to be read or copied; an empty text where nothing does."""
    try:
        status = path.lstat()
    except OSError as error:
        return f"a file that cannot be looked at ({error.strerror})"
    if stat.S_ISLNK(status.st_mode):
        return "a symbolic link"
    if not stat.S_ISREG(status.st_mode):
        return "no regular file"
    if status.st_nlink > 1:
        return "a hard link"
    if status.st_size > limit:
        return f"larger than {limit // 2**20} MiB"
    if not os.access(path, os.R_OK):
        return "not readable"
    return ""


def refused_files(folder: Path, assignment: str) -> list[Refused]:
    """The files beside a notebook that must not be copied: links, devices, and huge ones.

    Where there are too many of them, or too much together, the folder stands for all.
    """
    found = []
    count = size = 0
    for where, folders, files in os.walk(folder):
        here = Path(where)
        # A linked folder is listed among `folders`; os.walk does not follow it, nbgrader neither.
        for name in files + [each for each in folders if (here / each).is_symlink()]:
            path = here / name
            if path.suffix == ".ipynb":
                continue
            count += 1
            if path.relative_to(folder).parts[0] == f"{assignment}.html":
                found.append(Refused(path, "under the name of its feedback"))
            elif not str(path.relative_to(folder)).isprintable():
                found.append(Refused(path, "under a name that cannot be printed"))
            elif why := unsafe(path):
                found.append(Refused(path, why))
            else:
                size += path.lstat().st_size
            if count > MAX_FILES or size > MAX_FOLDER:
                why = f"more than {MAX_FILES} files or {MAX_FOLDER // 2**20} MiB"
                return [Refused(folder, why)]
    return found
