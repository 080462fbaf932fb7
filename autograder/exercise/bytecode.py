"""What compiled code would look for and not find, told without running it."""

import builtins
import dis
from collections.abc import Container, Iterator
from types import CodeType, ModuleType
from typing import Any

_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS"}
_STORES = {"STORE_NAME", "STORE_GLOBAL"}


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Some code, and that of all functions and classes inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def unknown_names(code: CodeType, known: Container[str]) -> dict[str, int]:
    """The global names that code would use, without being among `known`, builtins or its own.

    Returns:
        By name, the first line that uses it.
    """
    own: set[str] = set()
    used: dict[str, int] = {}
    for each in codes_in(code):
        steps = list(dis.get_instructions(each))
        stores = _STORES if each is code else {"STORE_GLOBAL"}
        own |= {step.argval for step in steps if step.opname in stores}
        bound = {step.argval for step in steps if step.opname in _STORES}  # of a class's body
        for step in steps:
            if step.opname in _LOADS and step.argval not in bound | set(each.co_freevars):
                used.setdefault(step.argval, _line(step))
    return {
        name: line
        for name, line in used.items()
        if name not in own and name not in known and not hasattr(builtins, name)
    }


def unknown_attributes(code: CodeType, names: dict[str, Any]) -> dict[str, int]:
    """What code asks of modules that do not have it: `checks.colse`, by its first line.

    Args:
        names: what its global names stand for.
    """
    missing: dict[str, int] = {}
    for each in codes_in(code):
        at: Any = None
        path = ""
        for step in dis.get_instructions(each):
            if step.opname == "LOAD_GLOBAL":
                at, path = names.get(step.argval), step.argval
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(at, ModuleType):
                path += f".{step.argval}"
                if not hasattr(at, step.argval):
                    missing.setdefault(path, _line(step))
                at = getattr(at, step.argval, None)
            elif step.opname not in ("EXTENDED_ARG", "CACHE"):
                at = None
    return missing


def _line(step: dis.Instruction) -> int:
    return (step.positions.lineno if step.positions else None) or 0
