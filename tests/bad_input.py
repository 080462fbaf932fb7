"""The corpus of broken submissions of `parameters`: what each is, and what must come of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

Notebook = nbformat.NotebookNode
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"
    "=="
)


@dataclass(frozen=True)
class Case:
    """A broken submission: `change` breaks the notebook, or `files` writes what is handed in."""

    name: str
    score: float | None
    says: str = ""
    change: Callable[[Notebook], None] | None = None
    files: Callable[[Path], None] | None = None


def cell(nb: Notebook, grade_id: str) -> Notebook:
    """The cell of that id."""
    return next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def drop(nb: Notebook, keep: Callable[[dict], bool]) -> None:
    nb.cells = [c for c in nb.cells if keep(c.metadata.get("nbgrader", {}))]


def grade_cells_deleted(nb: Notebook) -> None:
    drop(nb, lambda meta: not meta.get("grade"))


def grade_and_solution_deleted(nb: Notebook) -> None:
    drop(nb, lambda meta: meta.get("grade_id") not in ("MyLinear", "test_MyLinear"))


def everything_deleted(nb: Notebook) -> None:
    nb.cells = []


def grade_cells_duplicated(nb: Notebook) -> None:
    nb.cells += [c.copy() for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade")]


def solution_duplicated(nb: Notebook) -> None:
    wrong = nbformat.from_dict(dict(cell(nb, "parameter_names")))
    wrong.source = "def parameter_names(module):\n    return None"
    nb.cells.insert(nb.cells.index(cell(nb, "parameter_names")), wrong)


def flags_flipped(nb: Notebook) -> None:
    for c in nb.cells:
        if "nbgrader" in c.metadata:
            for flag in ("solution", "grade", "locked"):
                c.metadata.nbgrader[flag] = not c.metadata.nbgrader[flag]


def points_raised(nb: Notebook) -> None:
    cell(nb, "test_MyLinear").metadata.nbgrader["points"] = 1000


def check_emptied(nb: Notebook) -> None:
    cell(nb, "test_MyLinear").source = "30"
    cell(nb, "MyLinear").source = "pass"


def solution_renamed(nb: Notebook) -> None:
    cell(nb, "MyLinear").metadata.nbgrader["grade_id"] = "test_MyLinear2"


def ids_swapped(nb: Notebook) -> None:
    a, b = cell(nb, "MyLinear"), cell(nb, "parameter_names")
    a.metadata.nbgrader["grade_id"], b.metadata.nbgrader["grade_id"] = "parameter_names", "MyLinear"


def ids_odd(nb: Notebook) -> None:
    nb.cells[2].metadata["nbgrader"] = {"grade_id": "../../<b>", "grade": True}
    cell(nb, "MLP").metadata.nbgrader["schema_version"] = "new"


def schema_99(nb: Notebook) -> None:
    for c in nb.cells:
        if "nbgrader" in c.metadata:
            c.metadata.nbgrader["schema_version"] = 99


def schema_1(nb: Notebook) -> None:
    for c in nb.cells:
        if "nbgrader" in c.metadata:
            c.metadata.nbgrader["schema_version"] = 1


def setup_deleted(nb: Notebook) -> None:
    drop(nb, lambda meta: meta.get("grade_id") != "setup")


def cells_reversed(nb: Notebook) -> None:
    nb.cells.reverse()


def unknown_kernel(nb: Notebook) -> None:
    nb.metadata["kernelspec"] = {"name": "julia-9", "language": "julia", "display_name": "Julia"}


def skipped_by_tag(nb: Notebook) -> None:
    for c in nb.cells:
        c.metadata["tags"] = ["skip-execution"]


def own_cells(nb: Notebook) -> None:
    nb.cells.insert(0, new_markdown_cell("# My notes <script>document.title = 'hacked'</script>"))
    nb.cells.insert(5, new_code_cell("my_own = 1\n1 / 0"))
    nb.cells.append(new_code_cell("my_own"))


def solution_in_markdown(nb: Notebook) -> None:
    own = cell(nb, "parameter_names")
    own.cell_type = "markdown"
    del own["outputs"], own["execution_count"]


def syntax_error(nb: Notebook) -> None:
    cell(nb, "MyLinear").source += "\n    def oops(:"


def missing_name(nb: Notebook) -> None:
    cell(nb, "MLP").source = "Mlp = None"


def returns_none(nb: Notebook) -> None:
    cell(nb, "parameter_names").source = "def parameter_names(module):\n    module.parameters()"


def returns_nan(nb: Notebook) -> None:
    own = cell(nb, "Standardize")
    own.source = own.source.replace("(x - self.mean)", "float('nan') * (x - self.mean)")


def returns_a_monster(nb: Notebook) -> None:
    cell(nb, "count_parameters").source = (
        "class Monster:\n"
        "    def __repr__(self): raise SystemExit\n"
        "    __str__ = __float__ = __int__ = __eq__ = __iter__ = __repr__\n"
        "def count_parameters(module):\n"
        "    deep = []\n"
        "    for _ in range(100_000): deep = [deep]\n"
        "    return [Monster(), deep, float('inf'), 10**5000]"
    )


def prints_100_mb(nb: Notebook) -> None:
    nb.cells.insert(3, new_code_cell("print('x' * 100_000_000)"))


def prints_a_million_lines(nb: Notebook) -> None:
    nb.cells.insert(3, new_code_cell("for i in range(1_000_000): print(i)"))


def kernel_dies(nb: Notebook) -> None:
    nb.cells.insert(9, new_code_cell("import os\nos._exit(0)"))


def kernel_dies_in_a_probe(nb: Notebook) -> None:
    cell(
        nb, "count_parameters"
    ).source = "def count_parameters(module):\n    import os; os._exit(1)"


def loops_for_ever(nb: Notebook) -> None:
    nb.cells.insert(9, new_code_cell("while True: pass"))


def loops_in_a_probe(nb: Notebook) -> None:
    cell(nb, "count_parameters").source = "def count_parameters(module):\n    while True: pass"


def ignores_interrupts(nb: Notebook) -> None:
    nb.cells.insert(
        9, new_code_cell("import signal\nsignal.signal(2, signal.SIG_IGN)\nwhile True: pass")
    )


def exits(nb: Notebook) -> None:
    nb.cells.insert(9, new_code_cell("import sys\nsys.exit(3)"))


def asks_for_input(nb: Notebook) -> None:
    nb.cells.insert(9, new_code_cell("input('your name? ')"))


def forged_outputs(nb: Notebook) -> None:
    for c in nb.cells:
        if c.cell_type == "code":
            c.outputs = [
                nbformat.v4.new_output(
                    "execute_result",
                    data={"text/plain": "30", "text/html": "<script>alert(1)</script>"},
                    metadata={"autograder": {"seed": "", "tests": []}},
                )
            ]
    cell(nb, "MyLinear").source = "pass"


def bad_attachment(nb: Notebook) -> None:
    note = new_markdown_cell("![a](attachment:a.svg) ![b](attachment:b.png) ![c](attachment:c.png)")
    note["attachments"] = {
        "a.svg": {"image/svg+xml": "<svg onload='alert(1)'/>"},
        "b.png": {"image/png": "not base64 <script>"},
        "c.png": {"image/png": PNG},
    }
    nb.cells.append(note)


def lone_surrogates(nb: Notebook) -> None:
    nb.cells.append(new_code_cell("print('\\ud800')  # \ud800"))


# --------------------------------------------------------------------- files that are no notebooks


def text(content: str) -> Callable[[Path], None]:
    """Hand in a file with this content."""
    return lambda path: path.write_text(content, encoding="utf-8")


def link_to(target: str) -> Callable[[Path], None]:
    """Hand in a symbolic link."""
    return lambda path: path.symlink_to(target)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)


CASES = [
    Case("grade-cells-deleted", 100, "was missing", grade_cells_deleted),
    Case("grade-and-solution-deleted", 70, "was missing", grade_and_solution_deleted),
    Case("everything-deleted", 0, "was missing", everything_deleted),
    Case("grade-cells-duplicated", 100, "more than once", grade_cells_duplicated),
    Case("solution-duplicated", 100, "its last copy was graded", solution_duplicated),
    Case("flags-flipped", 100, "", flags_flipped),
    Case("points-raised", 100, "", points_raised),
    Case("check-emptied", 70, "had been changed", check_emptied),
    Case("solution-renamed", 100, "", solution_renamed),
    Case("ids-swapped", 70, "had been moved", ids_swapped),
    Case("ids-odd", 100, "", ids_odd),
    Case("schema-99", 100, "", schema_99),
    Case("schema-1", 100, "", schema_1),
    Case("setup-deleted", 100, "`setup` was missing", setup_deleted),
    Case("cells-reversed", 100, "had been moved", cells_reversed),
    Case("unknown-kernel", 100, "", unknown_kernel),
    Case("skipped-by-tag", 100, "", skipped_by_tag),
    Case("own-cells", 100, "", own_cells),
    Case("solution-in-markdown", 100, "", solution_in_markdown),
    Case("syntax-error", 70, "", syntax_error),
    Case("missing-name", 75, "`MLP` is not defined", missing_name),
    Case("returns-none", 90, "None (is a `return` missing?)", returns_none),
    Case("returns-nan", 90, "holds NaN", returns_nan),
    Case("returns-a-monster", 90, "", returns_a_monster),
    Case("prints-100-mb", 100, "", prints_100_mb),
    Case("prints-a-million-lines", 100, "", prints_a_million_lines),
    Case("kernel-dies", 100, "KernelDied", kernel_dies),
    Case("kernel-dies-in-a-probe", 90, "The kernel died: your code ended", kernel_dies_in_a_probe),
    Case("loops-for-ever", 100, "TimeLimit", loops_for_ever),
    Case("loops-in-a-probe", 90, "was stopped after", loops_in_a_probe),
    Case("ignores-interrupts", 100, "TimeLimit", ignores_interrupts),
    Case("exits", 100, "", exits),
    Case("asks-for-input", 100, "", asks_for_input),
    Case("forged-outputs", 70, "", forged_outputs),
    Case("bad-attachment", 100, "", bad_attachment),
    Case("lone-surrogates", 100, "", lone_surrogates),
    Case("not-json", 0, "it is not JSON", files=text("{'cells': [")),
    Case("empty", 0, "it is not JSON", files=text("")),
    Case("nested", 0, "it is not JSON", files=text("[" * 200_000)),
    Case("not-a-notebook", 0, "not a notebook", files=text('{"nbformat": 4, "cells": {"a": 1}}')),
    Case("a-list", 0, "not a notebook", files=text("[1, 2]")),
    Case(
        "source-is-a-number", 0, "not text", files=text('{"nbformat": 4, "cells": [{"source": 1}]}')
    ),
    Case("version-99", 0, "was missing", files=text('{"nbformat": 99, "cells": []}')),
    Case("linked", 0, "a symbolic link", files=link_to("/dev/zero")),
    Case("linked-to-another", 0, "a symbolic link", files=link_to("../../perfect/parameters")),
    Case("a-fifo", 0, "no regular file", files=fifo),
    Case("a-folder", 0, "no regular file", files=folder),
    Case("huge", 0, "larger than", files=huge),
]
