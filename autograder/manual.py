"""Reads submitted code for ways into autograd, where a backward pass is to be written by hand.

Only what the backward pass reaches counts: the method itself and the notebook's functions and
methods that it uses, from one to the next. Autograd anywhere else, to check oneself, is welcome,
and so are comments and texts that mention it. This is reading, not running: what is hidden with
effort is left to the traps that watch while a probe runs. Neither stops deliberate concealment.
"""

import ast
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from IPython.core.inputtransformer2 import TransformerManager

_TRANSFORMS = ("grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize")

#: Dotted paths that are ways into autograd, and packages in which every function is one.
_DOORS = {
    *(f"torch.autograd.{name}" for name in ("grad", "backward", "gradcheck", "gradgradcheck")),
    *(f"torch.func.{name}" for name in _TRANSFORMS),
    *(f"functorch.{name}" for name in _TRANSFORMS),
    "torch.Tensor.backward",
    "torch._tensor.Tensor.backward",
}
_PACKAGES = (
    "torch.autograd.functional.",
    "torch.autograd.forward_ad.",
    "torch._functorch.apis.",
    "torch._functorch.eager_transforms.",
)
#: Attributes that mean autograd whatever they are attributes of.
_ATTRIBUTES = {
    "run_backward",
    "_run_engine",
    "_engine_run_backward",
    "_execution_engine",
    "next_functions",
}
#: Cell magics whose body is code of the notebook like any other.
_RUN_HERE = {"time", "timeit", "capture", "prun"}

#: How far other names are followed, and how many steps reading a submission may take.
_DEEP = 12
_STEPS = 500_000

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class _Imported:
    """A name bound by an import: the dotted path that it stands for."""

    path: str


class _Enough(Exception):
    """Reading has taken more steps than any honest notebook needs."""


@dataclass(eq=False)
class _Class:
    """A class of the notebook: its bases, and what its body and its methods bind."""

    scope: "_Scope"
    bases: list["_Class"] = field(default_factory=list)
    bound: dict[str, list["_Bound"]] = field(default_factory=dict)

    @cached_property
    def family(self) -> list["_Class"]:
        """The class and all that it inherits from, nearest first."""
        return list(dict.fromkeys([self, *(each for base in self.bases for each in base.family)]))

    def find(self, name: str) -> list["_Bound"]:
        """What the attribute `name` of this class or of the nearest base is bound to."""
        return next((each.bound[name] for each in self.family if name in each.bound), [])


@dataclass(frozen=True, eq=False)
class _Bound:
    """Something that a name may stand for, and the scope in which its own names have a meaning."""

    value: ast.expr | ast.FunctionDef | ast.AsyncFunctionDef | _Imported | _Class | None
    scope: "_Scope"
    owner: _Class | None = None


@dataclass(eq=False)
class _Scope:
    """What names mean: in a function, else in the one around it, else in the notebook."""

    parent: "_Scope | None" = None
    owner: _Class | None = None
    me: str | None = None
    names: dict[str, list[_Bound]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    def find(self, name: str) -> list[_Bound]:
        if name in self.names:
            return self.names[name]
        return self.parent.find(name) if self.parent else []

    def all_stars(self) -> list[str]:
        return self.stars + (self.parent.all_stars() if self.parent else [])

    def self_class(self, name: str) -> _Class | None:
        """The class whose instance `name` is, as the first parameter of a method."""
        if self.me == name:
            return self.owner
        if name in self.names or self.parent is None:
            return None
        return self.parent.self_class(name)


def autograd_in(code: Sequence[str], roots: Sequence[str]) -> list[str]:
    """The ways into autograd that functions of a notebook take, also through others that they use.

    Args:
        code: the source of its code cells, in order; cells that are no Python count as empty.
        roots: where to start: functions or methods, such as "LR.backward".

    Returns:
        Their names, such as "torch.autograd.grad" or "Tensor.backward", each once; empty where
        there is none, or where the roots are not defined.
    """
    reader = _Reader()
    with suppress(_Enough, RecursionError):
        for cell in code:
            for tree in _parse(cell):
                reader.define(tree.body, reader.notebook)
        for root in roots:
            reader.start(root)
    return reader.found


# ----------------------------------------------------------------------------------- cells to trees


def _parse(cell: str) -> list[ast.Module]:
    """The syntax trees of a cell, without its magics; none where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(cell)
            except SyntaxError:
                tree = ast.parse(TransformerManager().transform_cell(cell))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    trees = [tree]
    for statement in tree.body:
        # What IPython makes of a cell magic: get_ipython().run_cell_magic(name, line, body)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            if _last_name(call.func) == "run_cell_magic" and len(call.args) == 3:
                name, _, body = (_constant(argument) for argument in call.args)
                if name in _RUN_HERE and body is not None:
                    trees += _parse(body)
    return trees


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_door(path: str) -> bool:
    return path in _DOORS or path.startswith(_PACKAGES)


# ------------------------------------------------------------------------------------------ reading


_DEFINED = _Class | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class _Reader:
    """Collects what a notebook defines, then follows its functions from the roots on."""

    def __init__(self) -> None:
        self.notebook = _Scope()
        self.classes: list[_Class] = []
        self.found: list[str] = []
        self.seen: set[int] = set()
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps > _STEPS:
            raise _Enough

    # ------------------------------------------------------------------------------- definitions

    def define(self, body: Sequence[ast.stmt], scope: _Scope) -> None:
        """Note what statements bind in `scope`; in the notebook, the last one counts."""
        for statement in body:
            self._define(statement, scope)

    def _define(self, node: ast.AST, scope: _Scope) -> None:
        self.step()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._bind(scope, node.name, _Bound(node, scope))
            for decorator in node.decorator_list:  # @add_to_class(LR) and its like
                for argument in decorator.args if isinstance(decorator, ast.Call) else ():
                    self._patch(argument, node.name, _Bound(node, scope), scope)
        elif isinstance(node, ast.ClassDef):
            self._bind(scope, node.name, _Bound(self._class(node, scope), scope))
        elif isinstance(node, ast.Import):
            for name in node.names:
                whole = name.asname or name.name.partition(".")[0]
                path = name.name if name.asname else whole
                self._bind(scope, whole, _Bound(_Imported(path), scope))
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.name == "*":
                    scope.stars.append(node.module or "")
                else:
                    imported = _Imported(f"{node.module}.{name.name}")
                    self._bind(scope, name.asname or name.name, _Bound(imported, scope))
        elif isinstance(node, ast.Lambda):
            return
        else:
            self._assign(node, scope)
            for child in ast.iter_child_nodes(node):
                self._define(child, scope)

    def _assign(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._target(target, node.value, scope)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._target(node.target, node.value, scope)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._target(node.target, None, scope)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._target(node.optional_vars, None, scope)
        elif isinstance(node, ast.Call) and _last_name(node.func) == "setattr":
            name = self.text(node.args[1], scope) if len(node.args) == 3 else None
            if name is not None:
                self._patch(node.args[0], name, _Bound(node.args[2], scope), scope)

    def _target(self, target: ast.expr, value: ast.expr | None, scope: _Scope) -> None:
        if isinstance(target, ast.Name):
            self._bind(scope, target.id, _Bound(value, scope))
        elif isinstance(target, ast.Attribute):
            self._patch(target.value, target.attr, _Bound(value, scope), scope)
        elif isinstance(target, ast.Tuple | ast.List):
            values: Sequence[ast.expr | None] = [None] * len(target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                values = value.elts
            for part, one in zip(target.elts, values, strict=True):
                self._target(part, one, scope)
        elif isinstance(target, ast.Starred):
            self._target(target.value, None, scope)

    def _bind(self, scope: _Scope, name: str, bound: _Bound) -> None:
        """Bind a name: in the notebook anew, in a function beside what else it may stand for."""
        if scope is self.notebook:
            scope.names[name] = [bound]
        else:
            scope.names.setdefault(name, []).append(bound)

    def _patch(self, owner: ast.expr, name: str, bound: _Bound, scope: _Scope) -> None:
        """Note an attribute that is set from outside of a class: `LR.backward = ...`."""
        if not isinstance(owner, ast.Name):
            return
        for found in scope.find(owner.id):
            if isinstance(found.value, _Class):
                found.value.bound[name] = [bound]

    def _class(self, node: ast.ClassDef, scope: _Scope) -> _Class:
        made = _Class(scope)
        for base in node.bases:
            if isinstance(base, ast.Name):
                found = (bound.value for bound in scope.find(base.id))
                made.bases += [value for value in found if isinstance(value, _Class)]
        body = _Scope(parent=scope)
        self.define(node.body, body)
        for name, bounds in body.names.items():
            made.bound[name] = [_Bound(bound.value, scope, made) for bound in bounds[-1:]]
        for method in node.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                self._instance_attributes(method, made)
        self.classes.append(made)
        return made

    def _instance_attributes(
        self, method: ast.FunctionDef | ast.AsyncFunctionDef, made: _Class
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
                            _Bound(node.value, inside, made)
                        )

    def inside(self, function: Function, scope: _Scope, owner: _Class | None) -> _Scope:
        """The scope inside a function: its parameters, defaults, and what its body binds."""
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        plain = owner is not None and "staticmethod" not in map(
            _last_name, getattr(function, "decorator_list", ())
        )
        me = positional[0].arg if plain and positional else None
        made = _Scope(parent=scope, owner=owner, me=me)
        named = [*positional, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for parameter in named:
            if parameter is not None and parameter.arg != me:
                made.names[parameter.arg] = [_Bound(None, scope)]
        defaults = [
            *zip(reversed(positional), reversed(arguments.defaults), strict=False),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for parameter, default in defaults:
            if default is not None:
                made.names[parameter.arg] = [_Bound(default, scope)]
        if not isinstance(function, ast.Lambda):
            self.define(function.body, made)
        return made

    # ------------------------------------------------------------------------------- what is used

    def start(self, root: str) -> None:
        name, _, method = root.partition(".")
        for bound in self.notebook.find(name):
            if not method:
                self.follow(bound)
            elif isinstance(bound.value, _Class):
                for each in bound.value.find(method):
                    self.follow(_Bound(each.value, each.scope, bound.value))

    def follow(self, bound: _Bound, depth: int = 0) -> None:
        """Read what a name stands for, if it is a function, a class or another name for one."""
        value = bound.value
        if depth > _DEEP or value is None:
            return
        if isinstance(value, _Imported):
            self.door(value.path)
        elif isinstance(value, _Class):
            for each in value.family:
                for name, bounds in each.bound.items():
                    if name == "forward" or (name.startswith("__") and name.endswith("__")):
                        for one in bounds:
                            self.follow(_Bound(one.value, one.scope, value), depth + 1)
        elif isinstance(value, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self.function(value, bound.scope, bound.owner)
        elif isinstance(value, ast.Name | ast.Attribute) or self.path(value, bound.scope):
            # Another name for something; what a call once gave has been computed elsewhere.
            new = id(value) not in self.seen
            self.seen.add(id(value))
            if new:
                self.read(value, bound.scope)

    def function(self, node: Function, scope: _Scope, owner: _Class | None) -> None:
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        inside = self.inside(node, scope, owner)
        if isinstance(node, ast.Lambda):
            self.read(node.body, inside)
            return
        for decorator in node.decorator_list:
            self.read(decorator, scope)
        for statement in node.body:
            self.read(statement, inside)

    def read(self, node: ast.AST, scope: _Scope) -> None:
        """Read a piece of code that runs in `scope`."""
        self.step()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self.function(node, scope, None)
            return
        if isinstance(node, ast.ClassDef):
            self.follow(_Bound(self._class(node, scope), scope))
            return
        if isinstance(node, ast.Call):
            self.call(node, scope)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self.name(node, scope)
        elif isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                self.attribute(node.value, node.attr, scope)
            if self.path(node, scope) is None:
                self.read(node.value, scope)
            return
        elif isinstance(node, ast.Subscript):
            self.door(self.path(node, scope) or "")
        elif isinstance(node, ast.Assign) and _last_name(node.value) == "grad_fn":
            self.report("grad_fn")
        for child in ast.iter_child_nodes(node):
            self.read(child, scope)

    def name(self, node: ast.Name, scope: _Scope) -> None:
        path = self.path(node, scope)
        if path is not None:
            self.door(path)
        for bound in scope.find(node.id):
            alias = isinstance(bound.value, ast.Name | ast.Attribute)
            if isinstance(bound.value, _DEFINED) or (alias and bound.scope is self.notebook):
                self.follow(bound)

    def attribute(self, base: ast.expr, name: str, scope: _Scope) -> None:
        """Read an attribute: a path from an import, the notebook's own method, or neither."""
        if name in _ATTRIBUTES:
            self.report(name)
        path = self.path(base, scope)
        if path is not None:
            self.door(f"{path}.{name}")
        elif name != "backward":  # whose it is, its call tells
            for bound in self.methods(base, name, scope):
                self.follow(bound)

    def methods(self, base: ast.expr, name: str, scope: _Scope) -> list[_Bound]:
        """What `base.name` may be, of what the notebook's classes define."""
        owners = self.owners(base, scope)
        if owners is None:
            return [bound for each in self.classes for bound in each.bound.get(name, ())]
        return [
            _Bound(bound.value, bound.scope, owner)
            for owner in owners
            for bound in owner.find(name)
        ]

    def owners(self, base: ast.expr, scope: _Scope) -> list[_Class] | None:
        """The classes that `base` is, or is an instance of; None where that is not known."""
        if isinstance(base, ast.Name):
            mine = scope.self_class(base.id)
            if mine is not None:
                return [mine]
            values = [bound.value for bound in scope.find(base.id)]
            if values and all(isinstance(value, _Class) for value in values):
                return [value for value in values if isinstance(value, _Class)]
        if isinstance(base, ast.Call) and isinstance(base.func, ast.Name):
            inner = scope
            while base.func.id == "super" and inner.parent is not None:
                if inner.owner is not None:
                    return inner.owner.bases
                inner = inner.parent
            return self.owners(base.func, scope)
        return None

    def call(self, node: ast.Call, scope: _Scope) -> None:
        for callee, where in self.callees(node.func, scope):
            name = _last_name(callee)
            if isinstance(callee, ast.Attribute):
                if name == "backward":
                    self.backward(callee.value, node, where)
                elif name == "grad_fn":
                    self.report("grad_fn")
            elif isinstance(callee, ast.Name):
                mine = where.self_class(callee.id)  # self(x) is self.forward(x)
                for method in ("forward", "__call__") if mine else ():
                    for bound in mine.find(method) if mine else ():
                        self.follow(_Bound(bound.value, bound.scope, mine))
            self.texts(name, node, scope)

    def callees(
        self, node: ast.expr, scope: _Scope, depth: int = 0
    ) -> list[tuple[ast.expr, _Scope]]:
        """The expressions that are called, behind other names and `getattr` with a text."""
        self.step()
        if isinstance(node, ast.Call):
            known = self.attribute_by_text(node, scope)
            return [(known, scope)] if known is not None else []
        if isinstance(node, ast.Name) and depth < _DEEP:
            aliases = [
                bound
                for bound in scope.find(node.id)
                if isinstance(bound.value, ast.Name | ast.Attribute | ast.Call)
            ]
            found = [
                each
                for bound in aliases
                if isinstance(bound.value, ast.expr)
                for each in self.callees(bound.value, bound.scope, depth + 1)
            ]
            return [(node, scope), *found]
        return [(node, scope)]

    def attribute_by_text(self, node: ast.Call, scope: _Scope) -> ast.Attribute | None:
        """`getattr(x, "name")` and `x.__getattribute__("name")` as what they mean, `x.name`."""
        function = _last_name(node.func)
        if function == "getattr" and len(node.args) >= 2:
            base, name = node.args[0], self.text(node.args[1], scope)
        elif function == "attrgetter" and len(node.args) == 1:
            base, name = node, self.text(node.args[0], scope)
        elif function in ("__getattribute__", "__getattr__") and len(node.args) == 1:
            assert isinstance(node.func, ast.Attribute | ast.Name)
            base = node.func.value if isinstance(node.func, ast.Attribute) else node
            name = self.text(node.args[0], scope)
        else:
            return None
        return ast.Attribute(value=base, attr=name, ctx=ast.Load()) if name else None

    def texts(self, function: str, node: ast.Call, scope: _Scope) -> None:
        """Read a text that is used as code or as a name."""
        known = self.attribute_by_text(node, scope)
        if known is not None:
            self.attribute(known.value, known.attr, scope)
        if function == "methodcaller" and len(node.args) == 1:
            if self.text(node.args[0], scope) == "backward":
                self.report("Tensor.backward")
        elif function in ("exec", "eval", "compile") and node.args:
            text = self.text(node.args[0], scope)
            for tree in _parse(text.strip()) if text else ():
                inside = _Scope(parent=scope)
                self.define(tree.body, inside)
                for statement in tree.body:
                    self.read(statement, inside)

    def backward(self, base: ast.expr, node: ast.Call, scope: _Scope) -> None:
        """Tell a tensor's `backward` from a method of that name which the notebook defines.

        A method written by hand takes arguments: what is called otherwise is a tensor's.
        """
        if self.path(base, scope) is not None:
            return  # already read as a path
        own = self.methods(base, "backward", scope)
        if self.owners(base, scope) is None:
            own = [bound for bound in own if _accepts(bound.value, node)]
            if not own:
                self.report("Tensor.backward")
        for bound in own:
            self.follow(bound)

    # ------------------------------------------------------------------------------ what it means

    def path(self, node: ast.expr, scope: _Scope, depth: int = 0) -> str | None:
        """The dotted path that an expression stands for, where imports give it one."""
        self.step()
        if depth > _DEEP:
            return None
        if isinstance(node, ast.Name):
            bounds = scope.find(node.id)
            for bound in bounds:
                if isinstance(bound.value, _Imported):
                    return bound.value.path
                if isinstance(bound.value, ast.expr):
                    found = self.path(bound.value, bound.scope, depth + 1)
                    if found is not None:
                        return found
            if not bounds and scope.self_class(node.id) is None:
                for star in scope.all_stars():
                    if _is_door(f"{star}.{node.id}") or node.id in ("autograd", "func", "Tensor"):
                        return f"{star}.{node.id}"
            return None
        if isinstance(node, ast.Attribute):
            base = self.path(node.value, scope, depth + 1)
            if base is not None:
                return f"{base}.{node.attr}"
            for bound in self._own(node, scope):
                if isinstance(bound.value, ast.expr):
                    found = self.path(bound.value, bound.scope, depth + 1)
                    if found is not None:
                        return found
            return None
        if isinstance(node, ast.Call):
            return self._path_of_call(node, scope, depth)
        if isinstance(node, ast.Subscript):
            return self._path_of_item(node, scope, depth)
        return None

    def _own(self, node: ast.Attribute, scope: _Scope) -> list[_Bound]:
        """What `self.name` or `Class.name` is bound to, where it is no method of the notebook."""
        if isinstance(node.value, ast.Name) and self.owners(node.value, scope) is not None:
            return self.methods(node.value, node.attr, scope)
        return []

    def _path_of_call(self, node: ast.Call, scope: _Scope, depth: int) -> str | None:
        function = _last_name(node.func)
        if function in ("import_module", "__import__") and node.args:
            name = self.text(node.args[0], scope)
            if name and function == "__import__" and len(node.args) < 4:
                return name.partition(".")[0]
            return name
        if function in ("partial", "staticmethod") and node.args:
            return self.path(node.args[0], scope, depth + 1)
        known = self.attribute_by_text(node, scope)
        if known is not None and known.value is not node:
            return self.path(known, scope, depth + 1)
        return None

    def _path_of_item(self, node: ast.Subscript, scope: _Scope, depth: int) -> str | None:
        """`vars(module)["name"]`, `module.__dict__["name"]` and `sys.modules["name"]`."""
        name = self.text(node.slice, scope)
        if name is None:
            return None
        holder = node.value
        if self.path(holder, scope, depth + 1) == "sys.modules":
            return name
        if isinstance(holder, ast.Attribute) and holder.attr == "__dict__":
            base = self.path(holder.value, scope, depth + 1)
        elif isinstance(holder, ast.Call) and _last_name(holder.func) == "vars" and holder.args:
            base = self.path(holder.args[0], scope, depth + 1)
        else:
            return None
        return f"{base}.{name}" if base is not None else None

    def text(self, node: ast.expr, scope: _Scope, depth: int = 0) -> str | None:
        """The text that an expression gives, where that can be read off."""
        self.step()
        if depth > _DEEP:
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
        self, nodes: Sequence[ast.expr], between: str, scope: _Scope, depth: int
    ) -> str | None:
        parts = [self.text(node, scope, depth + 1) for node in nodes]
        return None if None in parts else between.join(part for part in parts if part is not None)

    # ------------------------------------------------------------------------------------- findings

    def door(self, path: str) -> None:
        if _is_door(path):
            self.report(path)

    def report(self, door: str) -> None:
        if door not in self.found:
            self.found.append(door)


def _accepts(function: object, call: ast.Call) -> bool:
    """Whether a method takes the arguments of a call."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return False
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    if starred or any(keyword.arg is None for keyword in call.keywords):
        return True
    static = "staticmethod" in map(_last_name, getattr(function, "decorator_list", ()))
    arguments = function.args
    positional = [each.arg for each in [*arguments.posonlyargs, *arguments.args]]
    positional = positional if static else positional[1:]
    needed = positional[: len(positional) - len(arguments.defaults)]
    given = {keyword.arg for keyword in call.keywords}
    known = {*positional, *(each.arg for each in arguments.kwonlyargs)}
    if len(call.args) > len(positional) and arguments.vararg is None:
        return False
    if not given <= known and arguments.kwarg is None:
        return False
    return set(needed[len(call.args) :]) <= given
