"""What goes wrong in a student's code is told by its name: which cell, line and error."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_output

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.exercise import checks
from autograder.exercise.checks import Failure, Misconception
from autograder.exercise.ended import why_missing
from autograder.exercise.packages import PACKAGES
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import Student, StudentError
from autograder.grading import record
from autograder.kernel.same_process import SameProcess
from autograder.suites.training_loop.test_to_tensor import LAYOUT
from autograder.suites.training_loop.test_to_tensor import PYTORCH_SAYS as READ
from tests import probes

Notebook = nbformat.NotebookNode

# ----------------------------------------------------------------- cells run in this process


class Cells(SameProcess):
    """A notebook in the making."""

    def run(self, source: str, grade_id: str = "", error: tuple[str, str] | None = None) -> None:
        """Run a new cell; where `error` is given, its output says that, and it does not run."""
        self.nb.cells.append(new_code_cell(source))
        if grade_id:
            self.nb.cells[-1].metadata["nbgrader"] = {"grade_id": grade_id}
        if error is None:
            self.run_cell(len(self.nb.cells) - 1)
        else:
            ename, evalue = error
            output = new_output("error", ename=ename, evalue=evalue, traceback=[])
            self.nb.cells[-1].outputs = [output]


@pytest.fixture
def cells() -> Iterator[Cells]:
    made = Cells()
    made.run("import torch\nfrom torch import nn\nimport numpy as np")
    yield made
    made.close()


def told(cells: Cells) -> StudentError:
    with pytest.raises(StudentError) as error:
        Student(cells, ()).run(probes.task, x=torch.ones(2, 3))
    return error.value


STUB = "# YOUR CODE HERE\n    raise NotImplementedError()"


def test_only_the_stub_is_still_to_do(cells: Cells) -> None:
    cells.run(f"def task(x):\n    {STUB}\n")
    error = told(cells)
    assert (error.kind, str(error)) == ("todo", "`task` is still to do.")


def test_a_stub_of_another_task_is_told_by_its_own_name(cells: Cells) -> None:
    cells.run(f"class Other:\n  def go(self):\n    {STUB}\n", "Other")
    cells.run("def task(x):\n    return Other().go()", "task")
    assert str(told(cells).message) == "`Other.go` is still to do."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "class Layer(nn.Module):\n    def forwad(self, x):\n        return x\n"
            "def task(x):\n    return Layer()(x)",
            "PyTorch found no `forward` in your class `Layer`: is the name misspelt, or the method"
            " indented into another one?",
        ),
        (
            "class Layer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        def forward(self, x):\n            return x\n"
            "def task(x):\n    return Layer()(x)",
            "PyTorch found no `forward` in your class `Layer`: is the name misspelt, or the method"
            " indented into another one?",
        ),
        (
            "def task(x):\n    y = x + 1\n    raise NotImplementedError()",
            "Your code comes to the line `raise NotImplementedError()`: is that line left over?",
        ),
        (
            "class Base:\n    def go(self):\n        raise NotImplementedError('later')\n"
            "def task(x):\n    return Base().go()",
            "Your code comes to the line `raise NotImplementedError('later')`: is that line left"
            " over?",
        ),
        (
            "def task(x):\n    raise ValueError('odd')  # YOUR CODE HERE",
            "Your code raised `ValueError` in your line `raise ValueError('odd')  # YOUR CODE"
            " HERE`: odd",
        ),
        (
            "def task(x):\n    return x @ weigths",
            "Your code raised `NameError` in your line `return x @ weigths`: name 'weigths' is not"
            " defined",
        ),
        (
            "def task(x):\n    if x is None:\n        y = 1\n    return y",
            "Your code raised `UnboundLocalError` in your line `return y`: cannot access local"
            " variable 'y' where it is not associated with a value",
        ),
    ],
)
def test_every_other_error_is_told_with_its_line(cells: Cells, source: str, message: str) -> None:
    cells.run(source)
    error = told(cells)
    assert (error.kind, str(error)) == ("error", message)


@pytest.mark.parametrize("where", ["x.to('mps')", "torch.ones(2, device='mps')"])
def test_a_device_that_is_not_there_is_no_task_to_do(cells: Cells, where: str) -> None:
    cells.run(f"def task(x):\n    return {where}")
    error = told(cells)
    assert error.kind == "error"
    assert f"Error` in your line `return {where}`: " in str(error)
    assert "to do" not in str(error)


def test_numbers_of_a_message_are_not_shown(cells: Cells) -> None:
    cells.run("def task(x):\n    raise ValueError(f'{x.sum() / 7:.6f} of shape {x.shape[0]}')")
    error = told(cells)
    assert error.text == "0.857143 of shape 2"
    assert "0.857" not in str(error)
    assert str(error).endswith("… of shape 2")


# -------------------------------------------------------------------------- how a cell had ended


@pytest.mark.parametrize(
    ("source", "error", "why"),
    [
        (
            "from tqdm_that_is_not_there import tqdm\n\ndef task(x):\n    return x",
            None,
            "the cell `task` imports `tqdm_that_is_not_there`, which is not there when submissions"
            " are graded (there are torch, torchvision, numpy, ",
        ),
        (
            "import torch.functionl\n\ndef task(x):\n    return x",
            None,
            "the cell `task` raised ModuleNotFoundError: No module named 'torch.functionl'",
        ),
        (
            "open('/no/such/file')\ndef task(x):\n    return x",
            None,
            "the cell `task` raised FileNotFoundError: [Errno 2] No such file or directory:"
            " '/no/such/file'",
        ),
        (
            "def task(x)\n    return x",
            ("SyntaxError", "expected ':' (3506214520.py, line 1)"),
            "the cell `task` raised SyntaxError: expected ':', line 1",
        ),
        (
            "def task(x):\n<<<<<<< HEAD\n    return x\n=======\n    return 2 * x\n>>>>>>> other",
            ("SyntaxError", "invalid syntax (1.py, line 2)"),
            "the cell `task` holds a merge conflict (line 2 begins with `<<<<<<<`): keep one"
            " version",
        ),
        (
            "task = lambda x: x",
            ("TimeLimit", "This cell ran longer than its time limit of 60 s and was stopped."),
            "the cell `task` was ended by TimeLimit: This cell ran longer than its time limit of"
            " 60 s and was stopped.",
        ),
        (
            "task = 1",
            ("KernelDied", "The kernel died"),
            "the cell `task` was ended by KernelDied: The kernel died",
        ),
        (
            "# Make task.\n# YOUR CODE HERE\nraise NotImplementedError()",
            None,
            "the cell `task` is still to do",
        ),
        ("  # nothing here", None, "the cell `task` is empty"),
        ("def tsak(x):\n    return x", None, "the cell `task` defines `tsak` instead"),
        ("print()", None, "the cell `task` defines no such name"),
        (
            "def task(x):\n    return x\ndel task",
            None,
            "the cell `task` did not get that far, or the name was deleted later",
        ),
        (
            "raise ValueError('\\x1b[31m' + 'long ' * 1000)\ndef task(x):\n    return x",
            None,
            "the cell `task` raised ValueError: \N{REPLACEMENT CHARACTER}[31m" + "long " * 38,
        ),
    ],
)
def test_a_name_that_is_missing_is_told_by_its_cell(
    cells: Cells, source: str, error: tuple[str, str] | None, why: str
) -> None:
    cells.run(source, "task", error)
    found = told(cells)
    assert found.kind == "missing"
    assert str(found.message).startswith(f"`task` is not defined: {why[:200].rstrip()}")


def test_a_cell_of_the_student_s_own_is_told_by_its_first_line(cells: Cells) -> None:
    cells.run("import torch", "task")
    cells.run("import no_such_module_here\n\ndef task(x):\n    return x")
    assert str(told(cells).message).startswith(
        "`task` is not defined: your cell that begins `import no_such_module_here` imports"
        " `no_such_module_here`, which is not there when submissions are graded ("
    )


def test_a_package_that_is_imported_late_is_named_too(cells: Cells) -> None:
    cells.run("def task(x):\n    import no_such_module_here.part\n    return x")
    assert str(told(cells).message).startswith(
        "Your code imports `no_such_module_here`, which is not there when submissions are graded ("
    )


def test_the_packages_that_are_listed_are_there() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in PACKAGES:
        assert find_spec(name)
        assert f"`{'pillow' if name == 'PIL' else name}`" in readme


def test_a_name_that_no_cell_was_to_define(cells: Cells) -> None:
    assert str(told(cells).message) == "`task` is not defined in your notebook."


def test_what_a_task_needs_of_another_is_told_by_that_cell(cells: Cells) -> None:
    cells.run("import no_such_module_here\nclass Layer:\n    pass", "Layer")
    cells.run("def task(x):\n    return Layer()", "task")
    assert str(told(cells).message).startswith(
        "Your code raised `NameError` in your line `return Layer()` (line 2 of the cell `task`):"
        " name 'Layer' is not defined: the cell `Layer` imports `no_such_module_here`, which"
    )


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a, b = 1, 2\nc: int = 3\nd == 4\ne += 5", ["a", "b", "c"]),
        ("import a.b, c as d\nfrom e import f, g as h", ["a", "d", "f", "h"]),
        ("async def a():\n    b = 1\nclass C(D):\n    e = 2", ["a", "C"]),
    ],
)
def test_names_are_found_where_a_cell_binds_them(source: str, names: list[str]) -> None:
    cell = new_code_cell(source)
    cell.outputs = [new_output("error", ename="E", evalue="", traceback=[])]
    found = [name for name in "abcdefghCDE" if why_missing(name, [cell])]
    assert found == sorted(names, key="abcdefghCDE".index)


def test_what_is_too_long_is_not_read_to_its_end() -> None:
    long = [new_code_cell("x = 1\n" * 2**16) for _ in range(3)]
    late = new_code_cell("task = 1")
    for cell in (*long, late):
        cell.outputs = [new_output("error", ename="E", evalue="", traceback=[])]
    assert str(why_missing("x", long)) == "your cell that begins `x = 1` raised E"
    assert (
        str(why_missing("task", [*long[:1], late])) == "your cell that begins `task = 1` raised E"
    )
    assert str(why_missing("task", [*long, late])) == ""


# ---------------------------------------------------------------------------- PyTorch's own words


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("return torch.from_numpy(np.ones(4)[::-1])", True),
        ("return torch.tensor(np.ones(3).astype('>f8'))", False),
        ("return torch.from_dlpack(np.ones(4)[::-1])", True),
        ("return torch.tensor([1.0], strides=(1,))", False),
        ("raise ValueError('strides and the byte order')", False),
        ("at_least_one_stride_in_the_given_numpy_array_is_negative", False),
        ("raise TypeError('At least one stride in the given numpy array is negative')", False),
        ("return 1 / 0  # byte order different from the native byte order", False),
    ],
)
def test_pytorch_s_words_are_looked_for_in_what_pytorch_said(
    cells: Cells, source: str, named: bool
) -> None:
    cells.run(f"def task(x):\n    {source}")
    student = Student(cells, ())
    with pytest.raises(Failure) as error, named_by_pytorch(*READ):
        student.run(probes.task, x=torch.ones(2))
    assert error.value.misconception == (LAYOUT.name if named else None)
    assert isinstance(error.value, StudentError) is not named


def test_the_sentence_that_is_shown_names_nothing() -> None:
    table = Says("ValueError", "negative", Misconception("m", "It is m."))
    error = StudentError("error", "in your line `negative`", "ValueError", "positive")
    with pytest.raises(StudentError), named_by_pytorch(table):
        raise error
    with pytest.raises(StudentError), named_by_pytorch(table):
        raise StudentError("timeout", "negative", "ValueError", "negative")


# ------------------------------------------------------------------------- what a value is named


NOTHING = Misconception("nothing", "Nothing was done.", idle=True)
ONE, OTHER = Misconception("one", "It is one."), Misconception("other", "It is the other.")


def diagnosed(got: Any, among: list[tuple[Misconception, Any]], scale: float | None = None) -> str:
    wanted = torch.tensor([3.0, 4.0])
    compared = checks.Compared(torch.tensor(got), wanted, lambda: among, 1e-5, scale)
    found = checks.diagnose(compared)
    return found.name if found else ""


def test_what_a_mistake_gives_names_it() -> None:
    assert diagnosed([1.0, 2.0], [(ONE, [1.0, 2.0]), (OTHER, [2.0, 2.0])]) == "one"
    assert diagnosed([1.0, 2.0], [(ONE, [1.0, 2.0]), (ONE, [1.0, 2.0])]) == "one"
    assert diagnosed([5.0, 2.0], [(ONE, [1.0, 2.0])]) == ""


@pytest.mark.parametrize("scale", [None, 4.0])
def test_nothing_filled_in_is_looked_at_first(scale: float | None) -> None:
    zeros = [0.0, 0.0]
    assert diagnosed(zeros, [(ONE, zeros)], scale) == ""
    assert diagnosed(zeros, [(ONE, zeros), (NOTHING, zeros)], scale) == "nothing"
    assert diagnosed([1.0, 2.0], [(ONE, [1.0, 2.0]), (NOTHING, [1.0, 2.0])], scale) == "nothing"


def test_mistakes_that_come_to_the_same_are_not_named() -> None:
    assert diagnosed([1.0, 2.0], [(ONE, [1.0, 2.0]), (OTHER, [1.0, 2.0])]) == ""
    almost = [1.0 + 5e-5, 2.0]
    assert diagnosed([1.0, 2.0], [(ONE, [1.0, 2.0]), (OTHER, almost)]) == ""
    assert diagnosed([3.0, 4.0 + 1e-3], [(ONE, [3.0, 4.0])]) == ""


# ------------------------------------------------------------------------------ the real thing


def changed(nb: Notebook, **sources: Callable[[str], str]) -> Notebook:
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in sources:
            cell.source = sources[name](cell.source)
    return nb


@pytest.fixture(scope="module")
def course(
    tmp_path_factory: pytest.TempPathFactory, solution: Callable[[str], Notebook]
) -> Workspace:
    workspace = Workspace.make(tmp_path_factory.mktemp("told"), ["parameters"])

    def hand_in(student: str, **sources: Callable[[str], str]) -> None:
        workspace.submit(student, "parameters", changed(solution("parameters"), **sources))

    hand_in(
        "errors",
        MyLinear=lambda source: source.replace("def forward", "def forwrad"),
        Standardize=lambda source: source.replace("/ self.std", "/ self.std + shfit"),
        MLP=lambda source: "import no_such_module\n" + source,
        parameter_names=lambda source: source.replace("):", ")", 1),
        count_parameters=lambda source: (
            "def count_parameters(module):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
        ),
    )
    hand_in(
        "more",
        MLP=lambda source: "import os\nos._exit(0)\n" + source,
        MyLinear=lambda source: "<<<<<<< HEAD\n" + source + "\n>>>>>>> theirs",
        Standardize=lambda source: "torch.zeros(2).cuda()\n" + source,
        parameter_names=lambda source: "",
    )
    workspace.nbgrader("autograde", "parameters")
    return workspace


def reasons(course: Workspace, student: str) -> dict[str, str]:
    """What each task of a graded notebook lost points for, joined."""
    nb = nbformat.read(course.notebook("autograded", "parameters", student), 4)
    found: dict[str, list[str]] = {}
    for cell in record.read(nb).cells:
        for test in cell.tests:
            if test.earned < test.points:
                found.setdefault(cell.task, []).append(str(test.message))
    return {task: "\n".join(each) for task, each in found.items()}


@pytest.mark.kernel
def test_the_report_names_cells_lines_and_errors(course: Workspace) -> None:
    first, second = reasons(course, "errors"), reasons(course, "more")
    assert "PyTorch found no `forward` in your class `MyLinear`" in first["MyLinear"]
    assert (
        "`NameError` in your line `return (x - self.mean) / self.std + shfit` (line 15 of the cell"
        " `Standardize`): name 'shfit'" in first["Standardize"]
    )
    assert "the cell `MLP` imports `no_such_" in first["MLP"]
    assert "the cell `parameter_names` raised SyntaxError: " in first["parameter_names"]
    assert ", line 1." in first["parameter_names"]
    assert set(first["count_parameters"].splitlines()) == {"`count_parameters` is still to do."}
    assert "the cell `MLP` was ended by KernelDied: " in second["MLP"]
    assert "the cell `MyLinear` holds a merge conflict (line 1 begins" in second["MyLinear"]
    assert "the cell `Standardize` raised " in second["Standardize"]
    assert "the cell `parameter_names` is empty" in second["parameter_names"]
