"""Which cells of a notebook make its `model`: a suite may run them again with stand-ins.

Where earlier tasks are wrong, so are the functions that the model is trained with. Their mistakes
cost nothing in the task `model`: there counts what its own cells do.
"""

import ast
from collections.abc import Sequence


def cells_of_model(code: Sequence[str]) -> list[str]:
    """The sources from the first cell that assigns `model` to the check of `model`."""
    end = next((place for place, cell in enumerate(code) if 'visible_check("model")' in cell), 0)
    for start in range(end):
        try:
            tree = ast.parse(code[start])
        except SyntaxError:
            continue
        assigned = (
            name.id
            for statement in tree.body
            for name in ast.walk(statement)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        )
        if "model" in assigned:
            return list(code[start:end])
    return []
