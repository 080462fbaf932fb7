"""What the names of a notebook stand for, as far as reading its code tells.

Its cells are read in order, as they run; of what a function binds, each binding may be meant.
"""

import ast
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autograder.errors import AutograderError

#: How far other names are followed, and what reading may take: a cell, or all that a root reaches,
#: so many steps and seconds, and everything together so many seconds.
DEEP = 12
_STEPS = 500_000
_SECONDS = 2.0
_ALL_SECONDS = 6.0
#: What defines a name, or sets an attribute of it, where code is looked at as a text.
_DEFINES = re.compile(
    r"\b(?:class|def)\s+(\w+)|^(\w+)(?:\.\w+)?[ \t]*=(?!=)|\bsetattr\(\s*(\w+)", re.M
)

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Imported:
    """A name bound by an import: the dotted path that it stands for."""

    path: str


@dataclass(frozen=True)
class Unread:
    """What a name stands for whose definition was too long or too deep to be read."""


class Enough(AutograderError):
    """Reading has taken more steps, or more time, than any honest notebook needs."""


@dataclass(eq=False)
class Class:
    """A class of the notebook: its bases, and what its body and its methods bind."""

    scope: "Scope"
    bases: list["Class"] = field(default_factory=list)
    bound: dict[str, list["Bound"]] = field(default_factory=dict)

    @cached_property
    def family(self) -> list["Class"]:
        """The class and all that it inherits from, nearest first."""
        return list(dict.fromkeys([self, *(each for base in self.bases for each in base.family)]))

    def find(self, name: str) -> list["Bound"]:
        """What the attribute `name` of this class or of the nearest base is bound to."""
        return next((each.bound[name] for each in self.family if name in each.bound), [])


@dataclass(frozen=True, eq=False)
class Bound:
    """Something that a name may stand for, and the scope in which its own names have a meaning."""

    value: ast.expr | ast.FunctionDef | ast.AsyncFunctionDef | Imported | Class | Unread | None
    scope: "Scope"
    owner: Class | None = None


@dataclass(eq=False)
class Scope:
    """What names mean: in a function, else in the one around it, else in the notebook."""

    parent: "Scope | None" = None
    owner: Class | None = None
    me: str | None = None
    names: dict[str, list[Bound]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    def find(self, name: str) -> list[Bound]:
        if name in self.names:
            return self.names[name]
        return self.parent.find(name) if self.parent else []

    def all_stars(self) -> list[str]:
        return self.stars + (self.parent.all_stars() if self.parent else [])

    def self_class(self, name: str) -> Class | None:
        """The class whose instance `name` is, as the first parameter of a method."""
        if self.me == name:
            return self.owner
        if name in self.names or self.parent is None:
            return None
        return self.parent.self_class(name)


def last_name(node: ast.expr) -> str:
    """`c` of `a.b.c`, and of `c`; empty for what is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def seem_defined(text: str) -> set[str]:
    """The names that a piece of code seems to define, where it is looked at as a text."""
    return {name for names in _DEFINES.findall(text) for name in names if name}


class Definitions:
    """Collects what a notebook defines.

    Attributes:
        notebook: its own scope.
        classes: every class in it, also inside functions.
    """

    def __init__(self) -> None:
        self.notebook = Scope()
        self.classes: list[Class] = []
        self._last = time.thread_time() + _ALL_SECONDS
        self.begin()

    def begin(self) -> None:
        """Count steps and time anew, for another cell or root."""
        self.steps = 0
        self._end = min(time.thread_time() + _SECONDS, self._last)

    def step(self, number: int = 1) -> None:
        """Count steps; raise `Enough` where there have been too many, or they took too long.

        The clock is for steps that take longer than others: those of parsers, say.
        """
        self.steps += number
        if self.steps > _STEPS or time.thread_time() > self._end:
            raise Enough

    def define(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Note what statements bind in `scope`; in the notebook, the last one counts."""
        for statement in body:
            try:
                self._define(statement, scope)
            except RecursionError:
                self._unread(statement, scope)

    def _unread(self, statement: ast.stmt, scope: Scope) -> None:
        """Note what a statement defines that is too deep to be followed."""
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._bind(scope, node.name, Bound(Unread(), scope))

    def skip(self, names: Iterable[str]) -> None:
        """Note what a cell seems to define that cannot be read."""
        for name in names:
            self._bind(self.notebook, name, Bound(Unread(), self.notebook))

    def _define(self, node: ast.AST, scope: Scope) -> None:
        self.step()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._bind(scope, node.name, Bound(node, scope))
            for decorator in node.decorator_list:  # @add_to_class(LR) and its like
                for argument in decorator.args if isinstance(decorator, ast.Call) else ():
                    self._patch(argument, node.name, Bound(node, scope), scope)
        elif isinstance(node, ast.ClassDef):
            self._bind(scope, node.name, Bound(self._class(node, scope), scope))
        elif isinstance(node, ast.Import):
            for name in node.names:
                whole = name.asname or name.name.partition(".")[0]
                path = name.name if name.asname else whole
                self._bind(scope, whole, Bound(Imported(path), scope))
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.name == "*":
                    scope.stars.append(node.module or "")
                else:
                    imported = Imported(f"{node.module}.{name.name}")
                    self._bind(scope, name.asname or name.name, Bound(imported, scope))
        elif isinstance(node, ast.Lambda):
            return
        else:
            self._assign(node, scope)
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.Constant):  # of which a table may have many
                    self._define(child, scope)

    def _assign(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._target(target, node.value, scope)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._target(node.target, node.value, scope)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._target(node.target, None, scope)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._target(node.optional_vars, None, scope)
        elif isinstance(node, ast.Call) and last_name(node.func) == "setattr":
            name = self.text(node.args[1], scope) if len(node.args) == 3 else None
            if name is not None:
                self._patch(node.args[0], name, Bound(node.args[2], scope), scope)

    def _target(self, target: ast.expr, value: ast.expr | None, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self._bind(scope, target.id, Bound(value, scope))
        elif isinstance(target, ast.Attribute):
            self._patch(target.value, target.attr, Bound(value, scope), scope)
        elif isinstance(target, ast.Tuple | ast.List):
            values: Sequence[ast.expr | None] = [None] * len(target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                values = value.elts
            for part, one in zip(target.elts, values, strict=True):
                self._target(part, one, scope)
        elif isinstance(target, ast.Starred):
            self._target(target.value, None, scope)

    def _bind(self, scope: Scope, name: str, bound: Bound) -> None:
        """Bind a name: in the notebook anew, in a function beside what else it may stand for."""
        if scope is self.notebook:
            scope.names[name] = [bound]
        else:
            scope.names.setdefault(name, []).append(bound)

    def _patch(self, owner: ast.expr, name: str, bound: Bound, scope: Scope) -> None:
        """Note an attribute that is set from outside of a class: `LR.backward = ...`."""
        if not isinstance(owner, ast.Name):
            return
        for found in scope.find(owner.id):
            if isinstance(found.value, Class):
                found.value.bound[name] = [bound]

    def _class(self, node: ast.ClassDef, scope: Scope) -> Class:
        made = Class(scope)
        for base in node.bases:
            if isinstance(base, ast.Name):
                found = (bound.value for bound in scope.find(base.id))
                made.bases += [value for value in found if isinstance(value, Class)]
        body = Scope(parent=scope)
        self.define(node.body, body)
        for name, bounds in body.names.items():
            made.bound[name] = [Bound(bound.value, scope, made) for bound in bounds[-1:]]
        for method in node.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                self._instance_attributes(method, made)
        self.classes.append(made)
        return made

    def _instance_attributes(
        self, method: ast.FunctionDef | ast.AsyncFunctionDef, made: Class
    ) -> None:
        """Note `self.name = value` of a method, so that `self.name` can be followed."""
        inside = self.inside(method, made.scope, made)
        for node in ast.walk(method):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if (
                        isinstance(target, ast.Attribute)
                        and isinstance(target.value, ast.Name)
                        and target.value.id == inside.me
                        and inside.me is not None
                    ):
                        made.bound.setdefault(target.attr, []).append(
                            Bound(node.value, inside, made)
                        )

    def inside(self, function: Function, scope: Scope, owner: Class | None) -> Scope:
        """The scope inside a function: its parameters, defaults, and what its body binds."""
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        plain = owner is not None and "staticmethod" not in map(
            last_name, getattr(function, "decorator_list", ())
        )
        me = positional[0].arg if plain and positional else None
        made = Scope(parent=scope, owner=owner, me=me)
        named = [*positional, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for parameter in named:
            if parameter is not None and parameter.arg != me:
                made.names[parameter.arg] = [Bound(None, scope)]
        defaults = [
            *zip(reversed(positional), reversed(arguments.defaults), strict=False),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for parameter, default in defaults:
            if default is not None:
                made.names[parameter.arg] = [Bound(default, scope)]
        if not isinstance(function, ast.Lambda):
            self.define(function.body, made)
        return made

    def text(self, node: ast.expr, scope: Scope, depth: int = 0) -> str | None:
        """The text that an expression gives, where that can be read off."""
        self.step()
        if depth > DEEP:
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            values = [bound for bound in scope.find(node.id) if isinstance(bound.value, ast.expr)]
            found = [self.text(bound.value, bound.scope, depth + 1) for bound in values]  # type: ignore[arg-type]
            return found[0] if len(found) == 1 else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right], "", scope, depth)
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.FormattedValue) else p for p in node.values]
            return self._joined(parts, "", scope, depth)
        if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "::-1":
            turned = self.text(node.value, scope, depth + 1)
            return turned[::-1] if turned is not None else None
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "join"
            and len(node.args) == 1
            and isinstance(node.args[0], ast.List | ast.Tuple)
        ):
            between = self.text(node.func.value, scope, depth + 1)
            if between is not None:
                return self._joined(node.args[0].elts, between, scope, depth)
        return None

    def _joined(
        self, nodes: Sequence[ast.expr], between: str, scope: Scope, depth: int
    ) -> str | None:
        parts = [self.text(node, scope, depth + 1) for node in nodes]
        return None if None in parts else between.join(part for part in parts if part is not None)
