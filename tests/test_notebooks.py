"""The notebooks: what is released is what is in source/, and an unsolved one says what to do."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert.exporters import ScriptExporter

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.grading.session import collect
from autograder.submission.cells import cell_of

pytestmark = pytest.mark.kernel

POINTS = {
    "parameters": "MyLinear 30, parameter_names 10, count_parameters 10, Standardize 25, MLP 25",
    "training_loop": "to_tensor 10, train_full_batch 25, make_loader 15, train 25, evaluate 15,"
    " model 10",
    "manual_backward": "ReshapeTransform 5, make_transforms 5, load_split 10, LR_init 5,"
    " LR_sigmoid 5, LR_forward 10, LR_backward 20, LR_optimize 10, loss 10, predict 5, train 5,"
    " model 10",
    "autograd_functions": "numerical_gradient 15, Linear 25, Sigmoid 10, SoftmaxCrossEntropy 25,"
    " LayerNorm 25",
    "blocks": "Linear 15, ReLU 5, LayerNorm 15, ResidualBlock 15, SelfAttention 25,"
    " TransformerBlock 15, model 10",
    "optimizers": "SGD 25, RMSprop 15, Adam 25, AdamW 10, CosineSchedule 15, model 10",
}
FIRST_TASK = {
    "parameters": "MyLinear.__init__",
    "training_loop": "to_tensor",
    "manual_backward": "ReshapeTransform.__init__",
    "autograd_functions": "numerical_gradient",
    "blocks": "Linear.__init__",
    "optimizers": "SGD.step",
}
#: What comes out where the student is asked to predict; the notebooks hold a hash of it only.
PREDICTED = {
    "parameters": 18,
    "training_loop": 1.32,
    "manual_backward": -0.4,
    "autograd_functions": 15,
    "blocks": 7,
    "optimizers": 1,
}
Solution = Callable[[str], nbformat.NotebookNode]
every_assignment = pytest.mark.parametrize("assignment", sorted(POINTS))


def nbgrader_of(cell: nbformat.NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


@every_assignment
def test_grade_cells_and_points(assignment: str, solution: Solution) -> None:
    wanted = {f"test_{name}": int(n) for name, n in map(str.split, POINTS[assignment].split(", "))}
    nb = solution(assignment)
    points = {nbgrader_of(c)["grade_id"]: c for c in nb.cells if nbgrader_of(c).get("grade")}
    assert {name: cell.metadata.nbgrader.points for name, cell in points.items()} == wanted
    assert {name: suite.points for name, suite in collect(assignment).items()} == wanted
    assert sum(wanted.values()) == 100


@every_assignment
def test_the_source_is_canonical(assignment: str, solution: Solution) -> None:
    nb = solution(assignment)
    assert (nb.nbformat, nb.nbformat_minor) == (4, 5)
    ids = [cell.id for cell in nb.cells]
    assert len(set(ids)) == len(ids)
    assert not any(len(name) == 8 and set(name) <= set("0123456789abcdef") for name in ids)
    for cell in nb.cells:
        given = nbgrader_of(cell).get("grade_id") in ("setup", "helpers")
        # Run All goes on after a cell that raises, so that its end always lists all checks.
        tags = [] if given or cell.cell_type != "code" else ["raises-exception"]
        assert cell.metadata.get("tags", []) == tags
        assert set(cell.metadata) <= {"nbgrader", "tags", "jupyter"}
        name = nbgrader_of(cell).get("grade_id", "")
        draws = name.startswith("picture_") and name != "picture_checks"
        folded = name == "helpers" or draws
        assert cell.metadata.get("jupyter", {}) == ({"source_hidden": True} if folded else {})
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        if nbgrader_of(cell).get("solution"):
            assert "### BEGIN SOLUTION" in cell.source
        else:
            assert "### BEGIN" not in cell.source


def test_the_helpers_are_the_same_everywhere(solution: Solution) -> None:
    texts = {cell_of(solution(assignment), "helpers").source for assignment in POINTS}
    assert len(texts) == 1


@every_assignment
def test_every_task_has_a_check_that_the_last_cell_runs_again(
    assignment: str, solution: Solution
) -> None:
    nb = solution(assignment)
    tasks = [entry.split()[0] for entry in POINTS[assignment].split(", ")]
    for task in tasks:
        assert cell_of(nb, f"test_{task}").source.startswith(
            f'@visible_check("{task}")\ndef check():\n'
        )
    assert nbgrader_of(nb.cells[-1])["grade_id"] == "picture_checks"
    (call,) = ast.parse(nb.cells[-1].source).body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert ast.unparse(call.value.func) == "list_checks"
    assert [ast.literal_eval(argument) for argument in call.value.args] == tasks


@every_assignment
def test_every_task_says_what_it_takes(assignment: str, solution: Solution) -> None:
    nb = solution(assignment)
    told, points = "", 0
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            told += f"{cell.source}\n"
        if not nbgrader_of(cell).get("solution"):
            continue
        head = re.compile(r"^\*Importance: ([●○]{5}) · up to \d+ minutes · (\d+) points.*\*$", re.M)
        (found,) = head.finditer(told)
        assert re.fullmatch("●+○*", found[1])
        points += int(found[2])
        told = ""
    assert points == 100


@every_assignment
@pytest.mark.parametrize(("off", "says"), [(0, "Right"), (1, "Something else"), (..., "Put your")])
def test_one_prediction_is_checked_without_giving_it_away(
    assignment: str, off: int, says: str, solution: Solution, capsys: pytest.CaptureFixture[str]
) -> None:
    nb = solution(assignment)
    (cell,) = [
        cell for cell in nb.cells if "check_prediction(" in cell.source and cell.id != "helpers"
    ]
    assert (cell.id, nbgrader_of(cell)) == ("prediction", {})
    assert cell.source.startswith("prediction = ...  # ")
    names: dict[str, object] = {}
    given = "import torch\nfrom matplotlib import pyplot as plt\n" + cell_of(nb, "helpers").source
    exec(given, names)
    guess = ... if off is ... else PREDICTED[assignment] + off
    exec(cell.source.replace("...", repr(guess).replace("Ellipsis", "..."), 1), names)
    assert capsys.readouterr().out.startswith(says)


def test_a_prediction_counts_however_it_is_set(solution: Solution) -> None:
    names: dict[str, Any] = {}
    exec(cell_of(solution("parameters"), "helpers").source, names)
    digest_of = names["digest_of"]
    alike = [
        [(3, 2), [3, 2], "3, 2", "torch.Size([3, 2])", "( 3,2 )"],
        [0.5, "0.50", "+.5", ".5"],
        [-2, "-2.0", "−2"],
        ["smaller", "Smaller.", " smaller"],
    ]
    digests = [{digest_of(each, "abcd") for each in row} for row in alike]
    assert [len(row) for row in digests] == [1] * len(alike)
    assert len(set().union(*digests)) == len(alike)
    assert digest_of(2, "abcd") != digest_of(2, "efgh")


@every_assignment
def test_the_release_is_current(assignment: str, tmp_path: Path) -> None:
    made = Workspace.make(tmp_path, [assignment]).notebook("release", assignment)
    released = Workspace(ROOT).notebook("release", assignment)
    assert released.read_text() == made.read_text(), "run `make release`"


@every_assignment
def test_the_release_holds_no_solution(assignment: str, solution: Solution) -> None:
    released = nbformat.read(Workspace(ROOT).notebook("release", assignment), 4)
    text = "\n".join(cell.source for cell in released.cells)
    for cell in solution(assignment).cells:
        if nbgrader_of(cell).get("solution"):
            inside = cell.source.split("### BEGIN SOLUTION")[1:]
            for part in inside:
                assert part.split("### END SOLUTION")[0].strip() not in text
    assert "suites" not in text
    assert "holdout" not in text


@every_assignment
def test_pictures_define_nothing_that_other_cells_need(assignment: str, solution: Solution) -> None:
    made: set[str] = set()
    for cell in solution(assignment).cells:
        if cell.cell_type != "code":
            continue
        names = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
        stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        if nbgrader_of(cell).get("grade_id", "").startswith("picture_"):
            assert nbgrader_of(cell)["locked"]
            body = ast.parse(cell.source).body
            made |= stored | {node.name for node in body if isinstance(node, ast.FunctionDef)}
        else:
            parameters = {
                node.arg for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.arg)
            }
            loaded = {name.id for name in names if isinstance(name.ctx, ast.Load)}
            assert not made & (loaded - stored - parameters), cell.id


def run(nb: nbformat.NotebookNode, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_DATA", str(ROOT / "course_data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(nb, timeout=120, resources=resources, shutdown_kernel="immediate").execute()


def errors(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    return [out for c in cells for out in c.get("outputs", ()) if out.output_type == "error"]


def printed(cells: list[nbformat.NotebookNode]) -> str:
    return "".join(out.text for c in cells for out in c.get("outputs", ()) if "text" in out)


@every_assignment
def test_a_solved_notebook_runs_from_top_to_bottom(
    assignment: str, solution: Solution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = solution(assignment)
    run(nb, tmp_path, monkeypatch)
    assert errors(nb.cells) == []
    tasks = [entry.split()[0] for entry in POINTS[assignment].split(", ")]
    for task in tasks:
        assert f"{task}: the visible check passes." in printed(nb.cells)
    listed = printed(nb.cells[-1:]).splitlines()
    assert [line.split() for line in listed[: len(tasks)]] == [[task, "passes"] for task in tasks]
    assert listed[-2].startswith(f"{len(tasks)} of {len(tasks)} visible checks pass.")
    assert "hidden checks, which award the points, come after you have handed in" in listed[-1]
    assert any("image/png" in out.get("data", {}) for c in nb.cells for out in c.get("outputs", ()))


@every_assignment
def test_an_unsolved_notebook_says_which_tasks_are_still_to_do(
    assignment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = nbformat.read(Workspace(ROOT).notebook("release", assignment), 4)
    run(nb, tmp_path, monkeypatch)  # all of it: no cell stops what comes after it
    told = [out.traceback for out in errors(nb.cells)]
    assert all(len(lines) == 1 and lines[0].startswith("StillToDo: ") for lines in told)
    stopped = [cell for cell in nb.cells if errors([cell])]
    assert all(len(cell.outputs) == 1 for cell in stopped)  # no picture half drawn
    checks = [cell for cell in nb.cells if nbgrader_of(cell).get("grade")]
    (first, *_) = errors(checks)
    assert first.ename == "StillToDo"
    task = FIRST_TASK[assignment]
    assert first.evalue.startswith(f"`{task}` is still to do: write your code where")
    listed = printed(nb.cells[-1:]).splitlines()
    for cell, line in zip(checks, listed, strict=False):
        assert len(errors([cell])) == 1
        assert line.split() == [nbgrader_of(cell)["grade_id"].removeprefix("test_"), "to", "do"]
    assert listed[-2].startswith(f"0 of {len(checks)} visible checks pass.")


@every_assignment
def test_whoever_has_written_each_function_has_the_whole_task(assignment: str) -> None:
    """A stub beside the functions would stop a cell in which nothing more need be written."""
    nb = nbformat.read(Workspace(ROOT).notebook("release", assignment), 4)
    for cell in nb.cells:
        if nbgrader_of(cell).get("solution"):
            tree = ast.parse(cell.source)
            classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
            for block in [tree] * (len(tree.body) > 1) + classes:
                beside = [node for node in block.body if isinstance(node, ast.Raise)]
                assert not beside, nbgrader_of(cell).grade_id


@pytest.mark.parametrize(
    ("old", "new", "says", "places"),
    [
        (
            "def forward",
            "def forwrad",
            'NotImplementedError: Module [MyLinear] is missing the required "forward" function. Is'
            " your method `forward` spelt so, and not indented into another one?",
            ["where the check has the line: y = layer(x)"],
        ),
        (
            "y = x @ self.weights",
            "y = x @ weigths",
            "NameError: name 'weigths' is not defined. Is `weigths` a typo, or does a cell define"
            " it that was not run?",
            ["In[3], line 20, in MyLinear.forward: y = x @ weigths"],
        ),
        (
            "y = x @ self.weights",
            "y = torch.ones(2, device='mps')",
            "NotImplementedError: Could not run 'aten::empty.memory_format' with arguments from the"
            " 'MPS' backend.",
            ["In[3], line 20, in MyLinear.forward: y = torch.ones(2, device='mps')"],
        ),
        (
            "y = x @ self.weights",
            "y = nn.functional.linear(x, self.weights)",
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x3 and 2x3)",
            ["In[3], line 20, in MyLinear.forward: y = nn.functional.linear(x, self.weights)"],
        ),
        (
            "def forward(self, x)",
            "def forward(self)",
            "TypeError: MyLinear.forward() takes 1 positional argument but 2 were given",
            ["where the check has the line: y = layer(x)"],
        ),
        (
            "y = x @ self.weights",
            "y = self.forward(x)",
            "RecursionError: maximum recursion depth exceeded",
            ["In[3], line 20, in MyLinear.forward: y = self.forward(x)"],
        ),
        (
            "y = x @ self.weights",
            "assert x is None, 'x is odd'",
            "AssertionError: x is odd",
            ["In[3], line 20, in MyLinear.forward: assert x is None, 'x is odd'"],
        ),
        (
            "self.weights = nn.Parameter(",
            "self.weights = (",
            "AssertionError: weights must be an nn.Parameter",
            [],
        ),
        (
            "y = x @ self.weights",
            "# YOUR CODE HERE\n        raise NotImplementedError()",
            "StillToDo: `MyLinear.forward` is still to do: write your code where its cell says YOUR"
            " CODE HERE, run that cell, then run this one again.",
            [],
        ),
        (
            "class MyLinear",
            "class MyLinaer",
            "StillToDo: `MyLinear` is not defined. If a cell above is to define it, write and run"
            " that one first, then run this one again; otherwise look for a typo in your code.",
            [],
        ),
        (
            "y = x @ self.weights",
            "raise NameError('mine')",
            "NameError: mine",
            ["In[3], line 20, in MyLinear.forward: raise NameError('mine')"],
        ),
    ],
)
def test_a_visible_check_tells_the_error_that_there_is(
    old: str,
    new: str,
    says: str,
    places: list[str],
    solution: Solution,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nb = solution("parameters")
    wanted = ("setup", "helpers", "MyLinear", "test_MyLinear")
    nb.cells = [cell for cell in nb.cells if nbgrader_of(cell).get("grade_id") in wanted]
    answer = cell_of(nb, "MyLinear")
    assert old in answer.source
    answer.source = answer.source.replace(old, new)
    run(nb, tmp_path, monkeypatch)
    (output,) = errors(nb.cells[-1:])
    assert output.ename == says.partition(":")[0]
    told, *lines = output.traceback
    assert told.replace("\n", " ") == says
    assert lines == [f"  {place}" for place in places]
    assert max(map(len, told.splitlines())) <= 76  # JupyterLab breaks what is longer in mid-word


@pytest.mark.parametrize(
    ("old", "new", "status", "says"),
    [
        ("", "", 0, "The hidden checks, which award the points, come after you have handed in."),
        ("y = x @ self.weights", "y = x @ weigths", 1, "NameError: name 'weigths' is not defined"),
        (
            "y = x @ self.weights",
            "# YOUR CODE HERE\n        raise NotImplementedError()",
            1,
            "StillToDo: `MyLinear.forward` is still to do: write your code where its cell says YOUR"
            " CODE HERE, run that cell, then run this one again.",
        ),
        (
            "self.weights = nn.Parameter(",
            "self.weights = (",
            1,
            "AssertionError: weights must be an nn.Parameter",
        ),
    ],
)
def test_as_a_script_it_runs_in_plain_python(
    old: str, new: str, status: int, says: str, solution: Solution, tmp_path: Path
) -> None:
    nb = solution("parameters")
    answer = cell_of(nb, "MyLinear")
    assert old in answer.source
    answer.source = answer.source.replace(old, new)
    script, resources = ScriptExporter().from_notebook_node(nb)
    assert resources["output_extension"] == ".py"
    (tmp_path / "parameters.py").write_text(script)
    plain = (
        "import runpy, sys; sys.modules['IPython'] = None;"
        " runpy.run_path('parameters.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", plain],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == status, done.stderr
    assert (done.stderr if status else done.stdout).splitlines()[-1].startswith(says)


def test_without_course_data_a_student_is_told_what_to_do(
    solution: Solution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = solution("manual_backward")
    nb.cells = [cell for cell in nb.cells if cell.cell_type == "code"][:4]
    monkeypatch.delenv("COURSE_DATA", raising=False)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(nb, timeout=60, resources=resources, shutdown_kernel="immediate").execute()
    error, *_ = errors(nb.cells)
    assert error.ename == "FileNotFoundError"
    assert "course_data" in error.evalue
    assert "COURSE_DATA" in error.evalue
