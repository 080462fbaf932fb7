"""The hidden suites: `<assignment>/test_<name>.py` grades the grade cell `test_<name>`.

What an assignment needs of the course's data is declared in `<assignment>/__init__.py`, if it needs
any: `DATASETS = ("digits_3_vs_8",)`, folders of `course_data`.
"""

import ast
from pathlib import Path

SUITES = Path(__file__).parent


def datasets(assignment: str) -> tuple[str, ...]:
    """The data sets that an assignment declares; read without importing its suites."""
    path = SUITES / assignment / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DATASETS":
            names: tuple[str, ...] = tuple(ast.literal_eval(node.value))
            return names
    return ()
