"""Reads submitted code for ways into autograd, where a backward pass is to be written by hand.

Only what the backward pass reaches counts: the method itself and the notebook's functions and
methods that it uses, from one to the next. Autograd anywhere else, to check oneself, is welcome,
and so are comments and texts that mention it. This is reading, not running: what is hidden with
effort is left to the traps that watch while a probe runs. Neither stops deliberate concealment.
"""

import ast
import builtins
import re
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from autograder.exercise.bindings import (
    DEEP,
    Bound,
    Class,
    Definitions,
    Enough,
    Function,
    Imported,
    Scope,
    Unread,
    last_name,
    seem_defined,
)

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
#: Stands for what was found where code that is reached cannot be read to its end.
UNREAD = "code that could not be read"
#: How deep reading may go, and the bytes that it may take for that.
_DEPTH = 10_000
_STACK = 64 * 2**20
#: Cell magics whose body is no code of the notebook; others, a student's own too, may run it here.
_ELSEWHERE = {
    *("!", "HTML", "R", "SVG", "bash", "cmd", "cython", "file", "html", "javascript", "js"),
    *("latex", "markdown", "perl", "pypy", "python", "python2", "python3", "ruby", "script", "sh"),
    *("svg", "sx", "system", "writefile"),
}
#: Line magics that run the rest of their line.
_RUN_LINE = {"time", "prun"}


def autograd_in(code: Sequence[str], roots: Sequence[str]) -> list[str]:
    """The ways into autograd that functions of a notebook take, also through others that they use.

    Args:
        code: the source of its code cells, in order; cells that are no Python count as empty.
        roots: where to start: functions or methods, such as "LR.backward".

    Returns:
        Their names, such as "torch.autograd.grad" or "Tensor.backward", each once; empty where
        there is none, or where the roots are not defined. `UNREAD` is among them where something
        that they reach is too long or too deeply nested to be read.
    """
    return _deep(lambda: _found(code, roots))


def _found(code: Sequence[str], roots: Sequence[str]) -> list[str]:
    reader = _Reader()
    broken = []
    for cell in code:
        reader.begin()
        try:
            trees = _parse(cell, reader.step)
            for tree in trees:
                reader.define(tree.body, reader.notebook)
        except (Enough, RecursionError, MemoryError):
            reader.skip(seem_defined(cell))
        else:
            if not trees:
                broken.append(cell)
    known = {*reader.notebook.names, *dir(builtins)}
    for cell in broken:  # it ran, if at all, in a way that only the notebook knows
        reader.skip(set(re.findall(r"\w+", cell)) - known)
    try:
        for root in roots:
            reader.begin()
            reader.start(root)
    except (Enough, RecursionError):
        reader.report(UNREAD)
    return reader.found


def _deep(function: Callable[[], list[str]]) -> list[str]:
    """Call a function with room for expressions that are nested far deeper than usual."""
    before = sys.getrecursionlimit(), threading.stack_size(_STACK)
    try:
        sys.setrecursionlimit(_DEPTH)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function).result()
    finally:
        sys.setrecursionlimit(before[0])
        threading.stack_size(before[1])


# ----------------------------------------------------------------------------------- cells to trees


class _Transformer(TransformerManager):
    """IPython's; it looks through the whole cell for each of its magics: each look is a step."""

    def __init__(self, step: Callable[[], None]) -> None:
        super().__init__()
        self._step = step

    def do_one_token_transform(self, lines: list[str]) -> Any:
        """One look."""
        self._step()
        return super().do_one_token_transform(lines)


def _parse(cell: str, step: Callable[[], None]) -> list[ast.Module]:
    """The syntax trees of a cell, without its magics; none where it is no Python.

    Raises:
        Enough: by `step`, which is called again and again.
        RecursionError, MemoryError: it is nested too deeply.
    """
    step()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(cell)
            except SyntaxError:
                tree = ast.parse(_Transformer(step).transform_cell(cell))
    except RecursionError:
        raise
    except (SyntaxError, ValueError, RuntimeError):
        return []  # a RuntimeError: too many magics for IPython
    trees = [tree]
    for statement in tree.body:
        # What IPython makes of magics: get_ipython().run_cell_magic(name, line, body), and
        # get_ipython().run_line_magic(name, line)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            made, given = last_name(statement.value.func), statement.value.args
            if len(given) < 2 or (body := _constant(given[-1])) is None:
                continue
            name = _constant(given[0])
            of_cell = made == "run_cell_magic" and name not in _ELSEWHERE
            if of_cell or (made == "run_line_magic" and name in _RUN_LINE):
                trees += _parse(body, step)
    return trees


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_door(path: str) -> bool:
    return path in _DOORS or path.startswith(_PACKAGES)


# ------------------------------------------------------------------------------------------ reading


_DEFINED = Class | Unread | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class _Reader(Definitions):
    """Follows the functions of a notebook from the roots on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.seen: set[int] = set()

    # ------------------------------------------------------------------------------- what is used

    def start(self, root: str) -> None:
        name, _, method = root.partition(".")
        for bound in self.notebook.find(name):
            if not method:
                self.follow(bound)
            elif isinstance(bound.value, Unread):
                self.report(UNREAD)
            elif isinstance(bound.value, Class):
                for each in bound.value.find(method):
                    self.follow(Bound(each.value, each.scope, bound.value))

    def follow(self, bound: Bound, depth: int = 0) -> None:
        """Read what a name stands for, if it is a function, a class or another name for one."""
        value = bound.value
        if depth > DEEP or value is None:
            return
        if isinstance(value, Imported):
            self.door(value.path)
        elif isinstance(value, Unread):
            self.report(UNREAD)
        elif isinstance(value, Class):
            for each in value.family:
                for name, bounds in each.bound.items():
                    if name == "forward" or (name.startswith("__") and name.endswith("__")):
                        for one in bounds:
                            self.follow(Bound(one.value, one.scope, value), depth + 1)
        elif isinstance(value, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self.function(value, bound.scope, bound.owner)
        elif isinstance(value, ast.Name | ast.Attribute) or self.path(value, bound.scope):
            # Another name for something; what a call once gave has been computed elsewhere.
            new = id(value) not in self.seen
            self.seen.add(id(value))
            if new:
                self.read(value, bound.scope)

    def function(self, node: Function, scope: Scope, owner: Class | None) -> None:
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

    def read(self, node: ast.AST, scope: Scope) -> None:
        """Read a piece of code that runs in `scope`."""
        self.step()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self.function(node, scope, None)
            return
        if isinstance(node, ast.ClassDef):
            self.follow(Bound(self._class(node, scope), scope))
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
        elif isinstance(node, ast.Assign) and last_name(node.value) == "grad_fn":
            self.report("grad_fn")
        for child in ast.iter_child_nodes(node):
            self.read(child, scope)

    def name(self, node: ast.Name, scope: Scope) -> None:
        path = self.path(node, scope)
        if path is not None:
            self.door(path)
        for bound in scope.find(node.id):
            alias = isinstance(bound.value, ast.Name | ast.Attribute)
            if isinstance(bound.value, _DEFINED) or (alias and bound.scope is self.notebook):
                self.follow(bound)

    def attribute(self, base: ast.expr, name: str, scope: Scope) -> None:
        """Read an attribute: a path from an import, the notebook's own method, or neither."""
        if name in _ATTRIBUTES:
            self.report(name)
        path = self.path(base, scope)
        if path is not None:
            self.door(f"{path}.{name}")
        elif name != "backward":  # whose it is, its call tells
            for bound in self.methods(base, name, scope):
                self.follow(bound)

    def methods(self, base: ast.expr, name: str, scope: Scope) -> list[Bound]:
        """What `base.name` may be, of what the notebook's classes define."""
        owners = self.owners(base, scope)
        if owners is None:
            self.step(len(self.classes))
            return [bound for each in self.classes for bound in each.bound.get(name, ())]
        return [
            Bound(bound.value, bound.scope, owner) for owner in owners for bound in owner.find(name)
        ]

    def owners(self, base: ast.expr, scope: Scope) -> list[Class] | None:
        """The classes that `base` is, or is an instance of; None where that is not known."""
        if isinstance(base, ast.Name):
            mine = scope.self_class(base.id)
            if mine is not None:
                return [mine]
            values = [bound.value for bound in scope.find(base.id)]
            if values and all(isinstance(value, Class) for value in values):
                return [value for value in values if isinstance(value, Class)]
        if isinstance(base, ast.Call) and isinstance(base.func, ast.Name):
            inner = scope
            while base.func.id == "super" and inner.parent is not None:
                if inner.owner is not None:
                    return inner.owner.bases
                inner = inner.parent
            return self.owners(base.func, scope)
        return None

    def call(self, node: ast.Call, scope: Scope) -> None:
        for callee, where in self.callees(node.func, scope):
            name = last_name(callee)
            if isinstance(callee, ast.Attribute):
                if name == "backward":
                    self.backward(callee.value, node, where)
                elif name == "grad_fn":
                    self.report("grad_fn")
                else:
                    self.made(self._own(callee, where))
            elif isinstance(callee, ast.Name):
                self.made(where.find(callee.id))
                mine = where.self_class(callee.id)  # self(x) is self.forward(x)
                for method in ("forward", "__call__") if mine else ():
                    for bound in mine.find(method) if mine else ():
                        self.follow(Bound(bound.value, bound.scope, mine))
            self.texts(name, node, scope)

    def made(self, bounds: Sequence[Bound]) -> None:
        """Read the calls that have made a function which is called: `f = torch.compile(g)`."""
        for bound in bounds:
            if isinstance(bound.value, ast.Call) and id(bound.value) not in self.seen:
                self.seen.add(id(bound.value))
                self.read(bound.value, bound.scope)

    def callees(self, node: ast.expr, scope: Scope, depth: int = 0) -> list[tuple[ast.expr, Scope]]:
        """The expressions that are called, behind other names and `getattr` with a text."""
        self.step()
        if isinstance(node, ast.Call):
            known = self.attribute_by_text(node, scope)
            return [(known, scope)] if known is not None else []
        if isinstance(node, ast.Name) and depth < DEEP:
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

    def attribute_by_text(self, node: ast.Call, scope: Scope) -> ast.Attribute | None:
        """`getattr(x, "name")` and `x.__getattribute__("name")` as what they mean, `x.name`."""
        function = last_name(node.func)
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

    def texts(self, function: str, node: ast.Call, scope: Scope) -> None:
        """Read a text that is used as code or as a name."""
        known = self.attribute_by_text(node, scope)
        if known is not None:
            self.attribute(known.value, known.attr, scope)
        if function == "methodcaller" and len(node.args) == 1:
            if self.text(node.args[0], scope) == "backward":
                self.report("Tensor.backward")
        elif function in ("exec", "eval", "compile") and node.args:
            text = self.text(node.args[0], scope)
            if text is None and function != "compile" and isinstance(node.func, ast.Name):
                self.report(UNREAD)  # what is put together only as it runs
            for tree in _parse(text.strip(), self.step) if text else ():
                inside = Scope(parent=scope)
                self.define(tree.body, inside)
                for statement in tree.body:
                    self.read(statement, inside)

    def backward(self, base: ast.expr, node: ast.Call, scope: Scope) -> None:
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

    def path(self, node: ast.expr, scope: Scope, depth: int = 0) -> str | None:
        """The dotted path that an expression stands for, where imports give it one."""
        self.step()
        if depth > DEEP:
            return None
        if isinstance(node, ast.Name):
            bounds = scope.find(node.id)
            for bound in bounds:
                if isinstance(bound.value, Imported):
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

    def _own(self, node: ast.Attribute, scope: Scope) -> list[Bound]:
        """What `self.name` or `Class.name` is bound to, where it is no method of the notebook."""
        if isinstance(node.value, ast.Name) and self.owners(node.value, scope) is not None:
            return self.methods(node.value, node.attr, scope)
        return []

    def _path_of_call(self, node: ast.Call, scope: Scope, depth: int) -> str | None:
        function = last_name(node.func)
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

    def _path_of_item(self, node: ast.Subscript, scope: Scope, depth: int) -> str | None:
        """`vars(module)["name"]`, `module.__dict__["name"]` and `sys.modules["name"]`."""
        name = self.text(node.slice, scope)
        if name is None:
            return None
        holder = node.value
        if self.path(holder, scope, depth + 1) == "sys.modules":
            return name
        if isinstance(holder, ast.Attribute) and holder.attr == "__dict__":
            base = self.path(holder.value, scope, depth + 1)
        elif isinstance(holder, ast.Call) and last_name(holder.func) == "vars" and holder.args:
            base = self.path(holder.args[0], scope, depth + 1)
        else:
            return None
        return f"{base}.{name}" if base is not None else None

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
    static = "staticmethod" in map(last_name, getattr(function, "decorator_list", ()))
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
