"""A kernel in the grader's own process: nothing starts, nothing is isolated, nothing ends it.

It stands in for the student kernel where the code is trusted: in tests of suites, of restoring, of
reports, of grading itself. Cells are plain Python, without IPython's magics; an endless one never
ends. Code that nobody has read must not come near it.
"""

import ast
import contextlib
import io
import itertools
import linecache
import traceback
import weakref
from collections.abc import Iterator
from types import CodeType
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_notebook, new_output

from autograder.kernel import inside
from autograder.language import Text

#: By such names of files a line of the notebook's is told from one of a library's, see `inside`.
_FILE = "/tmp/ipykernel_same_process/{}.py"
_NUMBERS = itertools.count()


class SameProcess:
    """Runs the cells of a notebook, and answers probes by what they defined.

    Args:
        nb: the notebook; cells get their outputs in place.
        names: what is defined before any cell has run.

    Attributes:
        names: what the notebook has defined so far.
    """

    def __init__(self, nb: NotebookNode | None = None, names: dict[str, Any] | None = None) -> None:
        self.nb: NotebookNode = new_notebook() if nb is None else nb
        self.notes: list[Text] = []
        self.names: dict[str, Any] = {"__name__": "__main__", **(names or {})}
        self._files: list[str] = []
        # Whoever keeps no hold of it need not close it: linecache would keep all sources.
        weakref.finalize(self, _forget, self._files)

    def start(self) -> None:
        """Nothing has to start."""

    def close(self) -> None:
        """Forget the sources of the cells."""
        _forget(self._files)

    def run_cell(self, index: int) -> None:
        """Run one code cell; it ends with what it printed, its value, or its error."""
        cell = self.nb.cells[index]
        if cell.cell_type != "code" or not cell.source.strip():
            return
        cell.outputs = []
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            output = self._execute(cell.source)
        if text := printed.getvalue():
            cell.outputs.append(new_output("stream", name="stdout", text=text))
        cell.outputs += output

    def _execute(self, source: str) -> list[NotebookNode]:
        file = _FILE.format(next(_NUMBERS))
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        self._files.append(file)
        value = None
        try:
            for code in _compiled(source, file):
                value = eval(code, self.names)
        except (Exception, SystemExit) as error:
            return [
                new_output(
                    "error",
                    ename=type(error).__name__,
                    evalue=str(error),
                    traceback=traceback.format_exception_only(error),
                )
            ]
        if value is None:
            return []
        return [new_output("execute_result", data={"text/plain": repr(value)})]

    def probe(self, code: CodeType, inputs: bytes, watch: bool) -> str:
        """Run a probe; see :class:`autograder.kernel.protocol.Kernel`."""
        return inside.run(self.names, code, inputs, watch)


def _compiled(source: str, file: str) -> Iterator[CodeType]:
    """A cell's statements, and its last expression by itself: that is what it shows."""
    tree = ast.parse(source, file)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    yield compile(tree, file, "exec")
    if isinstance(last, ast.Expr):
        yield compile(ast.Expression(last.value), file, "eval")


def _forget(files: list[str]) -> None:
    while files:
        linecache.cache.pop(files.pop(), None)
