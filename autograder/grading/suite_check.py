"""Reads the code of suites before anything is graded: what would break them costs nobody a point.

Every problem is one line: the place, what is wrong there, and what to do.
"""

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from autograder.exercise.bytecode import unknown_attributes, unknown_names
from autograder.exercise.student import INSIDE, is_probe

_SCOPES = ("function", "class", "module", "package", "session")
_PROJECT = "autograder."
_SKIPS = ("skip", "skipif", "xfail")

#: The file of an assignment's probes.
PROBES = "probes.py"


def problems_of_module(module: ModuleType, root: Path) -> list[str]:
    """What is wrong in the code of a suite, or of what its suites share.

    Args:
        root: the folder that places are told relative to.
    """
    path = Path(str(module.__file__))
    source = path.read_text(encoding="utf-8")
    where = path.relative_to(root)
    tree = ast.parse(source)
    found: dict[tuple[int, str], None] = {}
    code = compile(source, str(path), "exec")
    for name, line in unknown_names(code, vars(module)).items():
        found[line, f"`{name}` is not defined: define or import it"] = None
    for name, line in unknown_attributes(code, vars(module)).items():
        found[line, f"there is no `{name}`: is it misspelt?"] = None
    for line, problem in _problems_of_calls(tree, module):
        found[line, problem] = None
    problems = _problems_of_imports if path.name == PROBES else _problems_of_asking
    for line, problem in problems(tree, module):
        found[line, problem] = None
    return [f"{where}:{line}: {problem}" for line, problem in sorted(found)]


def _problems_of_calls(tree: ast.Module, module: ModuleType) -> Iterator[tuple[int, str]]:
    """Calls of the project's own functions with arguments that they do not take."""
    nodes = list(ast.walk(tree))
    local = {node.arg for node in nodes if isinstance(node, ast.arg)}
    local |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    local |= {n.name for n in nodes if isinstance(n, ast.FunctionDef) and n not in tree.body}
    for call in nodes:
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        first, *rest = name.split(".")
        function = vars(module).get(first) if first not in local else None
        for each in rest:
            function = getattr(function, each, None) if isinstance(function, ModuleType) else None
        if not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
            continue
        starred = any(isinstance(each, ast.Starred) for each in call.args)
        if starred or any(keyword.arg is None for keyword in call.keywords):
            continue
        if function.__module__ != module.__name__ and not function.__module__.startswith(_PROJECT):
            continue
        given = {str(keyword.arg): None for keyword in call.keywords}
        try:
            inspect.signature(function).bind(*[None] * len(call.args), **given)
        except TypeError as error:
            yield call.lineno, f"`{name}` cannot be called like this: {error}"


def _problems_of_asking(tree: ast.Module, module: ModuleType) -> Iterator[tuple[int, str]]:
    """Calls of `student.run(…)` and `student.watch(…)` with what is no probe."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        if ast.unparse(call.func) not in ("student.run", "student.watch"):
            continue
        first, *rest = ast.unparse(call.args[0]).split(".")
        probe = vars(module).get(first)
        for each in rest:
            probe = getattr(probe, each, None)
        known = isinstance(call.args[0], ast.Name) and probe is None  # a parameter, say
        if not known and not is_probe(probe):
            yield (
                call.lineno,
                f"`{ast.unparse(call.args[0])}` is no probe: it must be a plain function at the top"
                f" of a file `{PROBES}`, which is sent to the student kernel as a whole",
            )


def _problems_of_imports(tree: ast.Module, module: ModuleType) -> Iterator[tuple[int, str]]:
    """What probes import that is not there in the student kernel."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
            if names[0].startswith(INSIDE) and node in tree.body:
                continue  # sent along
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top in ("", "autograder") or importlib.util.find_spec(top) is None:
                yield (
                    node.lineno,
                    f"`{name}` is not there in the student kernel: hand over what a probe needs of"
                    " it as an argument",
                )


def problems_of_test(item: pytest.Function, root: Path) -> list[str]:
    """What would keep a test from running: fixtures that are not there or end too soon, skips."""
    path, line, _ = item.reportinfo()
    where = f"{Path(path).relative_to(root)}:{(line or 0) + 1}: {item.originalname}"
    defined = item._fixtureinfo.name2fixturedefs
    problems = [
        f"{where} asks for a fixture `{name}` that does not exist: is it misspelt?"
        for name in item.fixturenames
        if name not in defined and name != "request"
    ]
    for name, found in defined.items():
        for asked in found[-1].argnames:
            if asked in defined and _lives(defined[asked][-1]) < _lives(found[-1]):
                problems.append(
                    f"{where}: the fixture `{name}` asks for `{asked}`, which ends sooner: give"
                    f" it the scope {defined[asked][-1].scope!r}, or ask for another"
                )
    problems += [
        f"{where} is marked `{mark}`: a test of a suite must run"
        for mark in _SKIPS
        if item.get_closest_marker(mark)
    ]
    return problems


def _lives(fixture: "pytest.FixtureDef[object]") -> int:
    return _SCOPES.index(fixture.scope)
