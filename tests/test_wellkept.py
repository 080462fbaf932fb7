"""Packages whose private names are used have an upper bound; errors have one root, and a page."""

import ast
import builtins
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from autograder import ROOT, errors

PACKAGE = ROOT / "autograder"
FILES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
#: Private names of Python itself, which `requires-python` and its own care for.
PYTHONS = {"_exit", "_Popen"}
REQUIREMENT = re.compile(r'((?: *#.*\n)+) *"([\w-]+)(?:\[\w+\])?([^"]*)",')


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def imported(tree: ast.Module) -> dict[str, str]:
    """The names that a file imports from other packages than Python's, with their modules."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = node.module
    return {
        name: module
        for name, module in found.items()
        if module.partition(".")[0] not in {"autograder", *sys.stdlib_module_names}
    }


def made(tree: ast.AST) -> Iterator[str]:
    """The names that code makes itself: functions, classes, variables, attributes of objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from [node.attr] * (ast.unparse(node.value) == "self")


def borrowed(tree: ast.Module, ours: set[str]) -> Iterator[str]:
    """The private names of other packages that a file uses, or makes anew in a subclass."""
    modules = imported(tree)
    for module in modules.values():
        yield from filter(private, module.split("."))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            *before, _ = chain = ast.unparse(node).split(".")
            if not any(map(private, before)) and (chain[0] in modules or node.attr not in ours):
                yield node.attr
        elif isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            for base in filter(modules.get, bases):
                parent = getattr(importlib.import_module(modules[base]), base)
                yield from (name for name in made(node) if private(name) and hasattr(parent, name))


def bounds() -> dict[str, tuple[set[str], str]]:
    """The dependencies with a comment: the private names in it, and the versions asked for."""
    text = (ROOT / "pyproject.toml").read_text()
    return {
        name: (set(re.findall(r"(?<!\w)_\w+", comment)), versions)
        for comment, name, versions in REQUIREMENT.findall(text)
    }


def test_whose_private_names_are_used_has_an_upper_bound() -> None:
    ours = {name for tree in FILES.values() for name in made(tree)} | PYTHONS
    used = {name: path for path, tree in FILES.items() for name in borrowed(tree, ours)}
    named = set[str]().union(*(names for names, _ in bounds().values()))
    places = {name: str(path.relative_to(ROOT)) for name, path in used.items() if name not in named}
    assert not places, "name them in pyproject.toml, above the package that they are of"
    assert named <= set(used), "named in pyproject.toml, but used no more"
    for package, (names, versions) in bounds().items():
        assert not names or re.search(r"<|==", versions), f"{package} needs an upper bound"


# ------------------------------------------------------------------------------------------- errors

#: What runs in the student kernel imports nothing of the project, its root of errors neither.
INSIDE = {"inside.py", "probes.py"}


def own_errors() -> dict[str, tuple[str, list[str]]]:
    """The package's exception classes, each with its file and the names of its bases."""
    classes = {
        node.name: (str(path.relative_to(PACKAGE)), list(map(ast.unparse, node.bases)))
        for path, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }

    def is_error(name: str) -> bool:
        known = getattr(builtins, name, None)
        if isinstance(known, type):
            return issubclass(known, BaseException)
        return any(map(is_error, classes[name][1])) if name in classes else False

    return {name: found for name, found in classes.items() if is_error(name)}


def test_the_page_shows_every_error_below_what_it_is_derived_from() -> None:
    page, _, told = (errors.__doc__ or "").partition("Raised by")
    above: dict[int, str] = {}
    shown = {}
    for indent, name in re.findall(r"^( *)[*x+] (\w+)", page, re.MULTILINE):
        above[len(indent)] = name
        shown[name] = above.get(len(indent) - 2, "Exception")
    found = own_errors()
    assert len(found) > 20
    for name, (file, bases) in found.items():
        apart = bases == ["BaseException"] or Path(file).name in INSIDE
        if apart:
            assert f"{name} (`{file}`)" in told
        else:
            assert shown.pop(name, "not on the page") in bases, f"{name} of {file}"
    assert not shown, "on the page, but nowhere else"
