"""The student handle: what a suite calls to run its probes in the student kernel."""

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType, ModuleType
from typing import Any, NoReturn

from nbformat import NotebookNode

from autograder.errors import AutograderError
from autograder.exercise.bytecode import codes_in, unknown_names
from autograder.exercise.checks import Failure
from autograder.exercise.ended import where, why_missing
from autograder.exercise.packages import not_there
from autograder.kernel.protocol import Kernel, KernelTrouble
from autograder.kernel.values import BadValue, Outcome, Trouble, pack_inputs, unpack_outcome
from autograder.language import Text

Probe = Callable[..., Any]

#: Modules of helpers for probes; each is sent along with the probes that import from it.
INSIDE = "autograder.exercise.inside_"


class StudentError(Failure):
    """The student's code did not get as far as returning a value.

    Attributes:
        kind: how it ended: missing, todo, error, timeout, or what became of the kernel.
        type: the name of the exception's class; empty where there was none.
        text: the exception's own message, as it came: it may quote inputs, and is never shown.
        line: the line of the notebook that raised it.
    """

    def __init__(
        self, kind: str, message: str | Text, type: str = "", text: str = "", line: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.type = type
        self.text = text
        self.line = line


class SuiteBroken(AutograderError):
    """A suite asked what cannot be asked: its own fault, whatever the student's code does."""


@dataclass(frozen=True)
class Watched:
    """What a watched probe returned, and the ways into autograd that were taken meanwhile.

    Among them is `Recording.ENDED` where the student's code has ended the watch.
    """

    value: Any
    autograd: tuple[str, ...]


class Student:
    """Runs probes against one submission.

    A probe is a function of a file `probes.py`: that whole module travels to the student kernel, so
    it imports nothing of the project but from helpers (see `INSIDE`), which travel with it. Its
    first argument has the notebook's names as attributes; the others are tensors, arrays, numbers,
    texts, lists or dicts of those, and so is what it returns. Tensors come back detached, on the
    CPU, NumPy arrays as arrays; anything else as :class:`autograder.kernel.values.Unknown`.

    Attributes:
        answers: how often a suite was given something of the student's so far: before that,
            nothing that goes wrong in it can be the student's doing.
    """

    def __init__(self, kernel: Kernel, code: tuple[str, ...] = ()) -> None:
        self._kernel = kernel
        self._code = code
        self.answers = 0

    @property
    def code(self) -> tuple[str, ...]:
        """The source of the code cells that have run so far, in order: what is asked about."""
        self.answers += 1
        return self._code

    def has_run(self, code: Iterable[str]) -> None:
        """Set `code`."""
        self._code = tuple(code)

    def run(self, probe: Probe, **inputs: Any) -> Any:
        """Run `probe` in the student kernel and return its value.

        Raises:
            StudentError: the student's code raised, hung, died or has a name missing.
            SuiteBroken: the probe does not take these inputs, or raises by itself.
        """
        return self._ask(probe, inputs, watch=False).value

    def watch(self, probe: Probe, **inputs: Any) -> Watched:
        """Run `probe` like :meth:`run` while every way into autograd is watched."""
        outcome = self._ask(probe, inputs, watch=True)
        return Watched(outcome.value, outcome.autograd)

    def _ask(self, probe: Probe, inputs: dict[str, Any], watch: bool) -> Outcome:
        try:
            code, packed = compiled(probe), pack_inputs(inputs)
            inspect.signature(probe).bind(None, **inputs)
        except Exception as error:
            raise SuiteBroken(f"`{probe.__name__}` cannot be asked: {error}") from error
        try:
            answer = self._kernel.probe(code, packed, watch)
            outcome = unpack_outcome(answer)
        except KernelTrouble as trouble:
            raise StudentError(trouble.kind, trouble.text) from None
        except BadValue as error:
            raise StudentError(
                "garbled", Text("What your code returned is no value: {why}.", why=str(error))
            ) from None
        finally:
            self.answers += 1
        if outcome.trouble is not None:
            self._raise(outcome.trouble, probe, code)
        return outcome

    def _raise(self, trouble: Trouble, probe: Probe, code: CodeType) -> NoReturn:
        kind = trouble.kind
        if kind == "suite":
            if name := unbound_in(code, trouble):
                raise SuiteBroken(f"`{probe.__name__}` uses `{name}`, which it does not define")
            kind = "error"
        message = in_words(trouble, self._kernel.nb.cells)
        raise StudentError(kind, message, trouble.type, trouble.message, trouble.line)


def is_probe(thing: object) -> bool:
    """Whether something is a function at the top of a file `probes.py`."""
    module = inspect.getmodule(thing) if inspect.isfunction(thing) else None
    return module is not None and (
        module.__name__.rpartition(".")[2] == "probes"
        and vars(module).get(getattr(thing, "__name__", "")) is thing
    )


@cache
def compiled(probe: Probe) -> CodeType:
    """The module of a probe, compiled without its docstrings: it defines the name `probe`."""
    if not is_probe(probe):
        raise SuiteBroken("it is no plain function of a file `probes.py`")
    module = inspect.getmodule(probe)
    assert module is not None
    tree = sent(module)
    tree.body += ast.parse(f"probe = {probe.__name__}").body
    return compile(tree, "<probe>", "exec", optimize=2)


def sent(module: ModuleType) -> ast.Module:
    """A module of probes as it travels: with its helpers in the place of their imports."""
    tree = ast.parse(inspect.getsource(module))
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(INSIDE):
            body += sent(importlib.import_module(str(node.module))).body
        else:
            body.append(node)
    return ast.Module(body, tree.type_ignores)


def unbound_in(code: CodeType, trouble: Trouble) -> str:
    """The name that a NameError in a probe is about, where that is the probe's own fault.

    Whoever takes a builtin away makes any probe raise: that is no fault of the probe's.
    """
    found = re.search(r"name '(\w+)' is not defined|variable '(\w+)'", trouble.message)
    name = (found[1] or found[2]) if found else ""
    own = {local for each in codes_in(code) for local in (*each.co_varnames, *each.co_cellvars)}
    return name if name in own or name in unknown_names(code, ()) else ""


def in_words(trouble: Trouble, cells: Sequence[NotebookNode]) -> Text:
    """Say what an exception of the student's code was, without the numbers it may quote."""
    message = trouble.message
    if trouble.kind == "missing":
        why = why_missing(message, cells)
        if not why:
            return Text("`{name}` is not defined in your notebook.", name=message)
        return Text("`{name}` is not defined: {why}.", name=message, why=why)
    if trouble.kind == "todo":
        if re.fullmatch(r"\w+(\.\w+)*", message):
            return Text("`{name}` is still to do.", name=message)
        return Text("This task is still to do.")
    if trouble.kind == "timeout":
        return Text("Your code was interrupted: it ran too long in this check.")
    if trouble.type == "NotImplementedError":
        found = re.match(r'Module \[(\w+)\] is missing the required "forward"', message)
        if found:
            return Text(
                "PyTorch found no `forward` in your class `{name}`: is the name misspelt, or the"
                " method indented into another one?",
                name=found[1],
            )
        if trouble.line.startswith("raise NotImplementedError"):
            return Text(
                "Your code comes to the line `{line}`: is that line left over?", line=trouble.line
            )
    # A message may quote hidden inputs: shapes (small integers) help, other numbers do not.
    said: str | Text = re.sub(r"-?\d*\.\d+(e[-+]?\d+)?|\d{5,}", "…", message)
    said = " ".join(str(said).split())[:200] or Text("no message")
    if trouble.type == "NameError" and (name := re.match(r"name '(\w+)'", message)):
        why = why_missing(name[1], cells)
        said = Text("{said}: {why}", said=said, why=why) if why else said
    if trouble.type == "ModuleNotFoundError" and (what := not_there(message)):
        return Text("Your code imports {what}.", what=what)
    told = {"type": trouble.type, "said": said}
    if not trouble.line:
        return Text("Your code raised `{type}`: {said}", **told)
    if place := where(trouble.line, cells):
        return Text(
            "Your code raised `{type}` in your line `{line}` ({place}): {said}",
            line=trouble.line,
            place=place,
            **told,
        )
    return Text(
        "Your code raised `{type}` in your line `{line}`: {said}", line=trouble.line, **told
    )
