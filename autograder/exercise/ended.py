"""Why the notebook does not define a name: which cell was to do so, and how that cell ended.

What a cell left behind was sent by the student kernel: it is text, cut to a line.
"""

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache

from nbformat import NotebookNode

from autograder.exercise.packages import not_there
from autograder.language import Text
from autograder.submission.cells import described, grade_id
from autograder.submission.recognise import bound_names
from autograder.text import printable

#: Errors that the grader gives to a cell, which did not raise them itself.
_STOPPED = ("TimeLimit", "KernelDied", "KernelGarbled", "NotRun")
#: Characters of a submission's code that are looked through for what they define: enough for any
#: honest notebook, and half a second.
_READ = 2**20
_STUB = re.compile(r"^[ \t]*# YOUR CODE HERE[ \t]*\n[ \t]*raise NotImplementedError\(\)", re.M)
_MERGE = re.compile(r"^(<{7}|>{7})( .*)?$", re.M)
_IMPORTED = re.compile(r"^(?:from[ ]+[\w.]+[ ]+)?import[ ]+(.+)", re.M)


def why_missing(name: str, cells: Sequence[NotebookNode]) -> Text:
    """Why nothing that ran defines `name`: half a sentence, empty where no cell was to define it.

    Args:
        cells: the cells of the submission as it was run, with their outputs.
    """
    code = [cell for cell in cells if cell.cell_type == "code"]
    task = [cell for cell in code if grade_id(cell) == name]
    makers = [code[place] for place in _makers(tuple(cell.source for cell in code)).get(name, ())]
    for cell in (*task, *makers):
        if how := _how_it_ended(cell):
            return Text(how, cell=described(cell))
    if makers:
        return Text(
            "{cell} did not get that far, or the name was deleted later", cell=described(makers[0])
        )
    if not task:
        return Text("")
    called = described(task[0])
    if not re.sub(r"#.*", "", task[0].source).strip():
        return Text("{cell} is empty", cell=called)
    others = [each for each in _defined(task[0].source[:_READ]) if len(each) < 80]
    near = difflib.get_close_matches(name[:80], others[:100], 1)
    if not near:
        return Text("{cell} defines no such name", cell=called)
    return Text("{cell} defines `{other}` instead", cell=called, other=near[0])


def where(line: str, cells: Sequence[NotebookNode]) -> Text:
    """Where a line stands: its number and its cell; empty where no cell of a task has it, or two.

    Args:
        line: without the spaces around it.
        cells: the cells of the submission.
    """
    found = [
        (number, cell)
        for cell in cells
        if cell.cell_type == "code" and grade_id(cell) and line in cell.source[:_READ]
        for number, text in enumerate(cell.source[:_READ].splitlines(), 1)
        if text.strip() == line
    ]
    if len(found) != 1:
        return Text("")
    ((number, cell),) = found
    return Text("line {number} of {cell}", number=number, cell=described(cell))


def _how_it_ended(cell: NotebookNode) -> Text:
    """What ended the `{cell}` before its end; empty where nothing is known to have."""
    errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
    if not errors:
        return Text("")
    kind, says = (_one_line(errors[-1][key]) for key in ("ename", "evalue"))
    if kind == "NotImplementedError" and _STUB.search(cell.source):
        return Text("{cell} is still to do")
    if kind in ("SyntaxError", "IndentationError") and (mark := _MERGE.search(cell.source)):
        line = cell.source.count("\n", 0, mark.start()) + 1
        return Text(
            "{cell} holds a merge conflict (line {line} begins with `{mark}`): keep one version",
            line=line,
            mark=mark[1],
        )
    if kind == "ModuleNotFoundError" and (what := not_there(says)):
        return Text("{cell} imports {what}", what=what)
    says = re.sub(r" \((?:\S+\.py|<[^>]*>), line (\d+)\)$", r", line \1", says)
    error = f"{kind}: {says}" if says else kind
    stopped = kind in _STOPPED
    template = "{cell} was ended by {error}" if stopped else "{cell} raised {error}"
    return Text(template, error=error)


@lru_cache(maxsize=1)  # a submission is asked about once for each check that fails
def _makers(sources: tuple[str, ...]) -> dict[str, list[int]]:
    """By name, the places of the sources that bind it."""
    found: dict[str, list[int]] = {}
    left = _READ
    for place, source in enumerate(sources):
        source, left = source[:left], left - len(source[:left])
        for name in dict.fromkeys(_defined(source)):
            found.setdefault(name, []).append(place)
    return found


def _defined(source: str) -> list[str]:
    """The names that the unindented lines of a cell bind, also of one that is no valid Python."""
    found = bound_names(source)
    for imported in _IMPORTED.findall(source):
        parts = [part.split() for part in imported.strip("()").split(",")]
        found += [part[-1].partition(".")[0] for part in parts if part]
    return found


def _one_line(text: str) -> str:
    return " ".join(printable(text[:2000]).split())[:200]
