"""What runs in the student kernel lies in files of three names, and imports nothing of the project.

`inside.py` is machinery, `suites/<A>/probes.py` are an assignment's probes, sent as they stand with
those helpers in `exercise/inside_*.py` that they import from. Whatever else of the project such a
file imports, a submission could read.
"""

import ast
import importlib
import sys
from pathlib import Path

import pytest

from autograder import ROOT
from autograder.exercise.student import INSIDE, sent

FILES = sorted(
    path
    for name in ("inside.py", "inside_*.py", "probes.py")
    for path in ROOT.glob(f"autograder/**/{name}")
)
#: All that a probe may count on: Python, and what the kernels' template has imported.
KNOWN = {*sys.stdlib_module_names, "torch", "torchvision", "numpy", "PIL"}


def imports(tree: ast.AST) -> set[str]:
    """The packages that code imports, wherever it does so; of a relative import, the project."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("autograder" if node.level else node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {ast.literal_eval(arg) for arg in node.args if isinstance(arg, ast.Constant)}
    return {name.partition(".")[0] for name in found}


def is_sent_along(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith(INSIDE)


def crossings(source: str, name: str) -> set[str]:
    """What a file of this name imports, and must not."""
    tree = ast.parse(source)
    if name == "probes.py":
        tree.body = [node for node in tree.body if not is_sent_along(node)]
    everywhere = imports(tree) & {"autograder", "tests"}
    if name == "inside.py":
        return everywhere
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    first = [node for node in tree.body if not isinstance(node, functions)]
    return everywhere | (imports(ast.Module(first, [])) - KNOWN)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_the_project_goes_into_the_student_kernel(path: Path) -> None:
    assert not crossings(path.read_text(), path.name)


def test_the_machinery_is_where_it_is_looked_for() -> None:
    assert {ROOT / f"autograder/{room}/inside.py" for room in ("kernel", "sandbox")} <= set(FILES)


@pytest.mark.parametrize(
    ("source", "name", "found"),
    [
        ("import torch\nfrom PIL import Image", "probes.py", set()),
        ("import torch\nimport zmq", "inside.py", set()),
        ("def f():\n    import matplotlib", "probes.py", set()),
        ("import pytest", "probes.py", {"pytest"}),
        ("if True:\n    import safetensors", "probes.py", {"safetensors"}),
        ("def f():\n    from autograder.exercise import checks", "probes.py", {"autograder"}),
        ("import os, autograder.kernel", "inside.py", {"autograder"}),
        ("from . import reference", "probes.py", {"autograder"}),
        ("from autograder.exercise.inside_loops import Watched", "probes.py", set()),
        ("from autograder.exercise.inside_loops import Watched", "inside_x.py", {"autograder"}),
        ("def f():\n    import autograder.exercise.inside_loops", "probes.py", {"autograder"}),
        ("import pytest", "inside_x.py", {"pytest"}),
        ("importlib.import_module('autograder.text')", "inside.py", {"autograder"}),
    ],
)
def test_a_crossing_is_seen(source: str, name: str, found: set[str]) -> None:
    assert crossings(source, name) == found


def test_what_is_sent_imports_nothing_of_the_project() -> None:
    """Helpers stand in the place of their imports."""
    for path in ROOT.glob("autograder/suites/*/probes.py"):
        module = importlib.import_module(f"autograder.suites.{path.parent.name}.probes")
        assert "autograder" not in imports(sent(module))
