"""The kernel in the same process: what it shows and answers is what the student kernel would."""

import linecache

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.exercise.student import Student, StudentError
from autograder.kernel.protocol import Kernel
from autograder.kernel.same_process import SameProcess
from tests import probes


def run(*sources: str) -> SameProcess:
    kernel = SameProcess(new_notebook(cells=[new_code_cell(source) for source in sources]))
    kernel.start()
    for index in range(len(sources)):
        kernel.run_cell(index)
    return kernel


def shown(kernel: SameProcess) -> list[str]:
    return [
        out.get("text") or out.get("ename") or out.data["text/plain"]
        for cell in kernel.nb.cells
        for out in cell.outputs
    ]


def test_it_is_a_kernel() -> None:
    kernel: Kernel = SameProcess()
    assert kernel.notes == []


@pytest.mark.parametrize(
    ("source", "shows"),
    [
        ("print('a'); print('b')", ["a\nb\n"]),
        ("1 + 1", ["2"]),
        ("x = 1", []),
        ("print('a'); x = [1]; x", ["a\n", "[1]"]),
        ("print('a'); 1 / 0", ["a\n", "ZeroDivisionError"]),
        ("def f(:", ["SyntaxError"]),
        ("exit()", ["SystemExit"]),
        ("None", []),
    ],
)
def test_a_cell_ends_with_outputs(source: str, shows: list[str]) -> None:
    kernel = run(source)
    assert shown(kernel) == shows
    nbformat.validate(kernel.nb)


def test_cells_share_their_names_and_text_is_no_code() -> None:
    kernel = SameProcess(new_notebook(cells=[new_code_cell("x = 2"), new_markdown_cell("x = 3")]))
    kernel.run_cell(0)
    kernel.run_cell(1)
    assert kernel.names["x"] == 2


def test_a_probe_gets_what_cells_defined() -> None:
    student = Student(run("def double(x):\n    return 2 * x"))
    assert student.run(probes.double, x=torch.ones(2)).tolist() == [2, 2]


def test_an_error_is_told_with_the_line_of_the_notebook() -> None:
    kernel = run("def double(x):\n    return 2 * y")
    with pytest.raises(StudentError) as error:
        Student(kernel).run(probes.double, x=1)
    assert (error.value.type, error.value.line) == ("NameError", "return 2 * y")


def test_its_sources_are_forgotten() -> None:
    before = set(linecache.cache)
    kernel = run("x = 1", "y = 2")
    assert set(linecache.cache) > before
    kernel.close()
    assert set(linecache.cache) == before
    run("x = 1")
    assert set(linecache.cache) == before
