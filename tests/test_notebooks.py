"""The notebooks: what is released is what is in source/, and an unsolved one says what to do."""

import ast
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.grading.session import collect

pytestmark = pytest.mark.kernel

POINTS = {
    "parameters": "MyLinear 30, parameter_names 10, count_parameters 10, Standardize 25, MLP 25",
    "training_loop": "to_tensor 10, train_full_batch 25, make_loader 15, train 25, evaluate 15,"
    " model 10",
    "manual_backward": "ReshapeTransform 5, make_transforms 5, load_split 10, LR_init 5,"
    " LR_sigmoid 5, LR_forward 10, LR_backward 20, LR_optimize 10, loss 10, predict 5, train 5,"
    " model 10",
    "blocks": "Linear 15, ReLU 5, LayerNorm 15, ResidualBlock 15, SelfAttention 25,"
    " TransformerBlock 15, model 10",
}
FIRST_TASK = {
    "parameters": "MyLinear.__init__",
    "training_loop": "to_tensor",
    "manual_backward": "ReshapeTransform.__init__",
    "blocks": "Linear.__init__",
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
        assert set(cell.metadata) <= {"nbgrader"}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        if nbgrader_of(cell).get("solution"):
            assert "### BEGIN SOLUTION" in cell.source
        else:
            assert "### BEGIN" not in cell.source


def test_the_given_helper_is_the_same_everywhere(solution: Solution) -> None:
    helpers = set()
    for assignment in POINTS:
        (setup,) = [
            c for c in solution(assignment).cells if nbgrader_of(c).get("grade_id") == "setup"
        ]
        start = setup.source.index("class StillToDo")
        end = setup.source.index('the visible check passes.")')
        helpers.add(setup.source[start:end])
    assert len(helpers) == 1


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


@every_assignment
def test_a_solved_notebook_runs_from_top_to_bottom(
    assignment: str, solution: Solution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = solution(assignment)
    run(nb, tmp_path, monkeypatch)
    said = "".join(out.text for c in nb.cells for out in c.get("outputs", ()) if "text" in out)
    for name in POINTS[assignment].split(", "):
        assert f"{name.split()[0]}: the visible check passes." in said
    assert any("image/png" in out.get("data", {}) for c in nb.cells for out in c.get("outputs", ()))


@every_assignment
def test_an_unsolved_notebook_says_which_task_is_still_to_do(
    assignment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = nbformat.read(Workspace(ROOT).notebook("release", assignment), 4)
    with pytest.raises(CellExecutionError) as error:
        run(nb, tmp_path, monkeypatch)
    task = FIRST_TASK[assignment]
    assert error.value.ename == "StillToDo"
    assert error.value.evalue.startswith(f"`{task}` is still to do: write your code where")
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "name", "shown"),
    [
        (
            "def forward",
            "def forwrad",
            "NotImplementedError",
            'NotImplementedError: Module [MyLinear] is missing the required "forward" function. Is'
            " your method `forward` spelt so, and not indented into another one?",
        ),
        (
            "y = x @ self.weights",
            "y = x @ weigths",
            "NameError",
            "NameError: name 'weigths' is not defined, in your line `y = x @ weigths`. Is `weigths`"
            " a typo, or does a cell define it that was not run?",
        ),
        (
            "y = x @ self.weights",
            "y = torch.ones(2, device='mps')",
            "NotImplementedError",
            "NotImplementedError: Could not run 'aten::empty.memory_format' with arguments from the"
            " 'MPS' backend, in your line `y = torch.ones(2, device='mps')`.",
        ),
        (
            "y = x @ self.weights",
            "# YOUR CODE HERE\n        raise NotImplementedError()",
            "StillToDo",
            "StillToDo: `MyLinear.forward` is still to do: write your code where its cell says",
        ),
        (
            "class MyLinear",
            "class MyLinaer",
            "StillToDo",
            "StillToDo: `MyLinear` is not defined. If a cell above defines it, run that cell first",
        ),
        ("y = x @ self.weights", "raise NameError('mine')", "NameError", "NameError: mine, in"),
    ],
)
def test_a_visible_check_tells_the_error_that_there_is(
    old: str, new: str, name: str, shown: str, solution: Solution, tmp_path: Path
) -> None:
    nb = solution("parameters")
    wanted = ("setup", "MyLinear", "test_MyLinear")
    nb.cells = [cell for cell in nb.cells if nbgrader_of(cell).get("grade_id") in wanted]
    assert old in nb.cells[1].source
    nb.cells[1].source = nb.cells[1].source.replace(old, new)
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(nb, timeout=60, resources=resources, shutdown_kernel="immediate")
    with pytest.raises(CellExecutionError) as error:
        client.execute()
    assert error.value.ename == name
    (output,) = [out for out in nb.cells[2].outputs if out.output_type == "error"]
    (line,) = output.traceback
    assert line.startswith(shown)


def test_without_course_data_a_student_is_told_what_to_do(
    solution: Solution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nb = solution("manual_backward")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(nb, timeout=60, resources=resources, shutdown_kernel="immediate")
    with pytest.raises(CellExecutionError) as error:
        client.execute()
    assert error.value.ename == "FileNotFoundError"
    assert "course_data" in error.value.evalue
    assert "COURSE_DATA" in error.value.evalue
