"""The corpus of broken submissions of `parameters`: what each is, and what must come of it."""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder import ROOT

Notebook = nbformat.NotebookNode
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"
    "=="
)


@dataclass(frozen=True)
class Case:
    """A broken submission: `change` breaks the notebook, or `files` writes what is handed in.

    `beside` fills the notebook's folder. Without a score it cannot be graded.
    """

    name: str
    score: float | None
    says: str = ""
    change: Callable[[Notebook], None] | None = None
    files: Callable[[Path], None] | None = None
    beside: Callable[[Path], None] | None = None


def cell(nb: Notebook, grade_id: str) -> Notebook:
    """The cell of that id."""
    return next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def released(grade_id: str) -> str:
    """The source of a cell as it is handed out."""
    path = ROOT / "release" / "parameters" / "parameters.ipynb"
    source: str = cell(nbformat.read(path, as_version=4), grade_id).source
    return source


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


def marks_gone(nb: Notebook) -> None:
    for c in nb.cells:
        c.metadata = {}


def one_big_cell(nb: Notebook) -> None:
    """As when a notebook is made a script, and that one a notebook again."""
    code = "\n".join(c.source for c in nb.cells if c.cell_type == "code").splitlines()
    nb.cells = [new_code_cell("\n".join(line for line in code if line[:1] != "%"))]


def answers_in_one_cell(nb: Notebook) -> None:
    cell(nb, "count_parameters").source += "\n\n" + cell(nb, "parameter_names").source
    nb.cells.remove(cell(nb, "parameter_names"))


def stub_left_above(nb: Notebook) -> None:
    own = cell(nb, "count_parameters")
    nb.cells.insert(
        nb.cells.index(cell(nb, "test_count_parameters")) + 1, new_code_cell(own.source)
    )
    own.source = released("count_parameters")


def another_assignment(nb: Notebook) -> None:
    path = ROOT / "source" / "training_loop" / "training_loop.ipynb"
    nb.cells = nbformat.read(path, as_version=4).cells


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


def exits_later(nb: Notebook) -> None:
    cell(nb, "parameter_names").source += "\n    exit()"
    nb.cells.insert(9, new_code_cell("exit()"))


def dies_later(nb: Notebook) -> None:
    code = "import os, threading\nthreading.Timer(0.05, os._exit, (1,)).start()"
    nb.cells.insert(9, new_code_cell(code))
    nb.cells.insert(10, new_code_cell("import time; time.sleep(0.3)"))


def awaits(nb: Notebook) -> None:
    nb.cells.insert(9, new_code_cell("import asyncio\nprint(await asyncio.sleep(0.01, 'awaited'))"))


def settings_for_all(nb: Notebook) -> None:
    code = "torch.set_default_device('cuda'); torch.set_default_dtype(torch.float64)"
    nb.cells.insert(nb.cells.index(cell(nb, "MyLinear")), new_code_cell(code))


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


def lone_surrogates_everywhere(nb: Notebook) -> None:
    note = new_markdown_cell("# \ud800 ![a](attachment:\ud800.png) ![b](attachment:b.png)")
    note["attachments"] = {"\ud800.png": {"image/png": PNG}, "b.png": {"image/png": "\udfff"}}
    note.metadata["nbgrader"] = {"grade_id": "\udc80", "\udc81": "\udc82"}
    nb.metadata["\udc83"] = nb.metadata["title"] = "\udc84"
    nb.cells += [note, new_code_cell("1", metadata={"tags": ["\udc85"]})]


def huge_outputs(nb: Notebook) -> None:
    """Sixty million characters of output, and two million values of it."""
    for own in nb.cells:
        if own.cell_type == "code":
            own.outputs = [
                nbformat.v4.new_output("stream", text="x" * 60_000_000),
                nbformat.v4.new_output(
                    "display_data", data={"application/json": [[0] * 2] * 500_000}
                ),
            ]
            break
    nb.metadata["widgets"] = {"state": [{"outputs": [[]] * 100_000}]}


def saved_as(encoding: str, remark: str) -> Callable[[Path], None]:
    """Hand in the solution with a remark in a comment, a string and a name, in that encoding."""

    def save(path: Path) -> None:
        nb = nbformat.read(path, as_version=4)
        own = cell(nb, "parameter_names")
        own.source = f"{remark} = '{remark}'  # {remark}\n{own.source}\n# {remark}\\n"
        nb.cells.append(new_markdown_cell(f"{remark}: {remark}\n- {remark}"))
        text = json.dumps(nb, ensure_ascii=False, indent=1)
        # What it has no sign for is written as JSON can, `\u25cf` say.
        path.write_bytes(text.encode(encoding, "backslashreplace"))

    return save


# --------------------------------------------------------------------- files that are no notebooks


def text(content: str) -> Callable[[Path], None]:
    """Hand in a file with this content."""
    return data(content.encode())


def data(content: bytes) -> Callable[[Path], None]:
    """Hand in a file of these bytes."""
    return lambda path: path.write_bytes(content) and None


def link_to(target: str) -> Callable[[Path], None]:
    """Hand in a symbolic link."""

    def make(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return make


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)


def merge_conflict(path: Path) -> None:
    whole = nbformat.writes(nbformat.read(path, as_version=4))
    ours, theirs = '   "source": [\n', '   "source": [\n    "# theirs\\n",\n'
    assert ours in whole
    conflict = f"<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> main\n"
    path.write_text(whole.replace(ours, conflict, 1))


def conflict_in_outputs(path: Path) -> None:
    whole = path.read_text()
    conflict = '"outputs": [\n<<<<<<< HEAD\n{"a": 1}\n=======\n{"a": 2}\n>>>>>>> main\n]'
    assert '"outputs": []' in whole
    path.write_text(whole.replace('"outputs": []', conflict, 1))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def renamed(path: Path) -> None:
    path.rename(path.with_name("my homework.ipynb"))


def old_format(path: Path) -> None:
    nb = nbformat.read(path, as_version=4)
    cells = [
        {**cell, "input": cell.source} if cell.cell_type == "code" else dict(cell)
        for cell in nb.cells
    ]
    for each in cells:
        if "input" in each:
            del each["source"]
    cells.insert(0, {"cell_type": "heading", "level": 2, "source": ["Mine"], "metadata": {}})
    path.write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}], "metadata": {}}))


# ---------------------------------------------------------------- files that lie beside notebooks


def bytes_named(name: bytes) -> Callable[[Path], None]:
    """A file under a name of these bytes."""
    return lambda path: (
        Path(os.fsdecode(os.path.join(os.fsencode(path), name))).write_text("") and None
    )


def pipe_named(name: str) -> Callable[[Path], None]:
    """A pipe that nobody writes to."""
    return lambda path: os.mkfifo(path / name)


def socket_named(name: str) -> Callable[[Path], None]:
    """A socket that nobody listens at."""

    def make(path: Path) -> None:
        here = os.open(path, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/{name}")
        os.close(here)

    return make


def stamp(content: bytes) -> Callable[[Path], None]:
    """A time stamp that cannot be set aside."""

    def make(path: Path) -> None:
        (path / "timestamp.txt").write_bytes(content)
        (path / "timestamp.txt.refused").mkdir()

    return make


def deep_folders(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path)
    for _ in range(1_100):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(before)


def many_notebooks(path: Path) -> None:
    (path / "sub").mkdir()
    for number in range(6_000):
        (path / "sub" / f"{number}.ipynb").touch()


def other_notebooks(path: Path) -> None:
    (path / ".ipynb_checkpoints").mkdir()
    for name in (".ipynb_checkpoints/parameters-checkpoint.ipynb", "broken.ipynb", ".x.ipynb"):
        (path / name).write_text("{")


CASES = [
    Case("grade-cells-deleted", 100, "were missing", grade_cells_deleted),
    Case("grade-and-solution-deleted", 70, "was missing", grade_and_solution_deleted),
    Case("everything-deleted", 0, "Nothing in this notebook is of", everything_deleted),
    Case("grade-cells-duplicated", 100, "more than once", grade_cells_duplicated),
    Case("solution-duplicated", 100, "its last copy was graded", solution_duplicated),
    Case("flags-flipped", 100, "", flags_flipped),
    Case("points-raised", 100, "", points_raised),
    Case("check-emptied", 70, "had been changed", check_emptied),
    Case("solution-renamed", 100, "", solution_renamed),
    Case("ids-swapped", 100, "had been exchanged", ids_swapped),
    Case("marks-gone", 100, "had lost the marks", marks_gone),
    Case("one-big-cell", 100, "but what they ask for is", one_big_cell),
    Case("answers-in-one-cell", 100, "another one does what it asks for", answers_in_one_cell),
    Case("stub-left-above", 100, "is as it was released", stub_left_above),
    Case("another-assignment", 0, "Nothing in this notebook is of", another_assignment),
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
    Case("lone-surrogates-everywhere", 100, "", lone_surrogates_everywhere),
    Case("huge-outputs", 100, "", huge_outputs),
    Case("old-format", 100, "Mine", files=old_format),
    Case("utf-8-mark", 100, "", files=saved_as("utf-8-sig", "größe")),
    Case("utf-16", 100, "saved as UTF-16", files=saved_as("utf-16", "größe_模型")),
    Case("utf-16-no-mark", 100, "saved as UTF-16", files=saved_as("utf-16-be", "größe_模型")),
    Case("windows-1252", 100, "saved as Windows-1252", files=saved_as("cp1252", "größe_für")),
    Case("gb18030", 100, "saved as GB18030", files=saved_as("gb18030", "这是模型的参数")),
    Case("windows-1251", None, "cannot be told", files=saved_as("cp1251", "это_параметры")),
    Case("shift-jis", None, "cannot be told", files=saved_as("shift_jis", "パラメータの名前")),
    Case("conflict-in-outputs", 100, "", files=conflict_in_outputs),
    Case("merge-conflict", None, "holds a merge conflict", files=merge_conflict),
    Case("cut-off", None, "is cut off: the file ends in the middle", files=cut_off),
    Case("not-json", None, "is broken in its line 1", files=text("{'cells': [")),
    Case("python", None, "is a Python script", files=text("import torch\n\nx = 1\n")),
    Case("web-page", None, "is a web page", files=text("<!DOCTYPE html><html></html>")),
    Case("zip", None, "is a zip archive", files=data(b"PK\x03\x04\x14\x00")),
    Case("zero-bytes", None, "nothing but zero bytes", files=data(b"\0" * 5000)),
    Case("empty", None, "is empty", files=text("")),
    Case("nested", None, "is not JSON", files=text("[" * 200_000)),
    Case(
        "nested-in-a-cell",
        None,
        "is nested deeper",
        files=text('{"nbformat": 4, "cells": [{"metadata": ' + "[" * 10**5 + "]" * 10**5 + "}]}"),
    ),
    Case(
        "values",
        None,
        "holds more values",
        files=text('{"nbformat": 4, "cells": [{"metadata": [' + "{}," * 10**6 + "1]}]}"),
    ),
    Case(
        "not-a-notebook", None, "not a notebook", files=text('{"nbformat": 4, "cells": {"a": 1}}')
    ),
    Case("a-list", None, "not a notebook", files=text("[1, 2]")),
    Case(
        "source-is-a-number",
        None,
        "not text",
        files=text('{"nbformat": 4, "cells": [{"source": 1}]}'),
    ),
    Case(
        "version-99",
        0,
        "Nothing in this notebook is of",
        files=text('{"nbformat": 99, "cells": []}'),
    ),
    Case("renamed", None, "(found: `my homework.ipynb`)", files=renamed),
    Case("linked", None, "a symbolic link", files=link_to("/dev/zero")),
    Case("linked-to-another", None, "a symbolic link", files=link_to("../../perfect/parameters")),
    Case("a-fifo", None, "no regular file", files=fifo),
    Case("a-folder", None, "no regular file", files=folder),
    Case("huge", None, "larger than", files=huge),
    Case("pipe-beside", 100, "it is no regular file", beside=pipe_named(".x.ipynb")),
    Case("socket-beside", 100, "it is no regular file", beside=socket_named("x.ipynb")),
    Case("name-no-text", 100, "a\\\\udcff", beside=bytes_named(b"a\xff")),
    Case("name-of-a-notebook-no-text", 100, "a\\\\udcff.ipynb", beside=bytes_named(b"a\xff.ipynb")),
    Case("name-escapes", 100, "a\\\\x1b[31mb", beside=bytes_named(b"a\x1b[31mb")),
    Case(
        "name-forges", 100, "\\\\n[Autograde", beside=bytes_named(b"x\n[AutogradeApp | ERROR] lies")
    ),
    Case("stamp-no-text", 100, "no time stamp", beside=stamp(b"\xff\xfe\0")),
    Case("stamp-huge", 100, "too large", beside=stamp(b"9" * 10**6)),
    Case("deep-folders", 100, "deeper than 20 folders", beside=deep_folders),
    Case("many-notebooks", 100, "more than 500 files", beside=many_notebooks),
    Case("other-notebooks", 100, "", beside=other_notebooks),
    *(Case(name, 100) for name in ("[y]", "*", "b c", ".dot", "d,e", "{0}", "%s", "größe")),
    Case("exits-later", 100, "while grading it is left out", exits_later),
    Case("dies-later", 100, "KernelDied: The kernel died some time after", dies_later),
    Case("awaits", 100, "awaited", awaits),
    Case("settings-for-all", 100, "", settings_for_all),
]
