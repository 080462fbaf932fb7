"""What runs in the student kernel lies in files of two names, and imports nothing of the project.

`inside.py` is machinery, `suites/<A>/probes.py` are an assignment's probes, sent as they stand.
Whatever such a file imports of the project, a submission could read.
"""

import ast
import sys
from pathlib import Path

import pytest

from autograder import ROOT

FILES = sorted(
    path for name in ("inside.py", "probes.py") for path in ROOT.glob(f"autograder/**/{name}")
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


def crossings(source: str, name: str) -> set[str]:
    """What a file of this name imports, and must not."""
    tree = ast.parse(source)
    everywhere = imports(tree) & {"autograder", "tests"}
    if name != "probes.py":
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
        ("importlib.import_module('autograder.text')", "inside.py", {"autograder"}),
    ],
)
def test_a_crossing_is_seen(source: str, name: str, found: set[str]) -> None:
    assert crossings(source, name) == found
