"""Reads the code of suites before anything is graded: what would break them costs nobody a point.

Every problem is one line: the place, what is wrong there, and what to do.
"""

import ast
import importlib.util
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from autograder.exercise.bytecode import PROBE_NAMES, codes_in, unknown_attributes, unknown_names
from autograder.exercise.student import compile_probe

_SCOPES = ("function", "class", "module", "package", "session")
_PROJECT = "autograder."
_SKIPS = ("skip", "skipif", "xfail")


def problems_of_module(module: ModuleType, root: Path) -> list[str]:
    """What is wrong in the code of a suite, or of what its suites share.

    Args:
        root: the folder that places are told relative to.
    """
    path = Path(str(module.__file__))
    source = path.read_text(encoding="utf-8")
    where = path.relative_to(root)
    tree = ast.parse(source)
    probes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    probes = [node for node in probes if node.name == "probe" or node.name.startswith("probe_")]
    found: dict[tuple[int, str], None] = {}
    for node in probes:
        for line, problem in _problems_of_probe(node, source):
            found[line, problem] = None
    code = compile(source, str(path), "exec")
    for name, line in unknown_names(code, vars(module)).items():
        # In a probe, the same name has been told of already, with the rest of what it may not use.
        if not any(node.lineno <= line <= (node.end_lineno or 0) for node in probes):
            found[line, f"`{name}` is not defined: define or import it"] = None
    for name, line in unknown_attributes(code, vars(module)).items():
        found[line, f"there is no `{name}`: is it misspelt?"] = None
    for line, problem in _problems_of_calls(tree, module):
        found[line, problem] = None
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _asks(call) and isinstance(call.args[0], ast.Lambda):
            found[call.lineno, "a probe must be a function with a name, not a lambda"] = None
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


def _asks(node: ast.Call) -> bool:
    """Whether a call is `student.run(…)` or `student.watch(…)`, by what it looks like."""
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in ("run", "watch")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "student"
        and bool(node.args)
    )


def _problems_of_probe(node: ast.FunctionDef, source: str) -> Iterator[tuple[int, str]]:
    """What a probe uses that is not in the student kernel, where its source alone is sent."""
    if node.decorator_list:
        yield node.lineno, f"the probe `{node.name}` cannot have a decorator: it is not sent along"
        return
    lines = source.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
    code = compile_probe(textwrap.dedent("".join(lines)))
    for name, line in unknown_names(code, PROBE_NAMES).items():
        yield (
            node.lineno + line - 1,
            f"the probe `{node.name}` uses `{name}`, which is not there in the student kernel: hand"
            " it over as an argument, or define or import it inside",
        )
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            modules = [name.name for name in inner.names]
        elif isinstance(inner, ast.ImportFrom) and not inner.level:
            modules = [inner.module or ""]
        else:
            continue
        for module in modules:
            top = module.partition(".")[0]
            if top == "autograder" or importlib.util.find_spec(top) is None:
                yield (
                    inner.lineno,
                    f"the probe `{node.name}` imports `{module}`, which is not there in the student"
                    " kernel",
                )
    if not any(inner.co_name == "probe" for inner in codes_in(code)):
        yield node.lineno, f"the probe `{node.name}` must be a plain function on a line of its own"


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
