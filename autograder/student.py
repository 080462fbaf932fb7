"""The student handle: what a suite calls to run its probes in the student kernel."""

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

from autograder.checks import Failure
from autograder.kernel import KernelTrouble, StudentKernel
from autograder.values import BadValue, Outcome, Trouble, pack_inputs, unpack_outcome

Probe = Callable[..., Any]


class StudentError(Failure):
    """The student's code did not get as far as returning a value; `kind` says how it ended."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Watched:
    """What a watched probe returned, and the ways into autograd that were taken meanwhile."""

    value: Any
    autograd: tuple[str, ...]


class Student:
    """Runs probes against one submission.

    A probe is a function named `probe` (or `probe_...`) of a suite: its source travels to the
    student kernel, so it uses nothing but its arguments, `torch`, `nn`, `np` and what it imports.
    Its first argument has the notebook's names as attributes; the others are tensors, arrays,
    numbers, texts, lists or dicts of those, and so is what it returns. Tensors come back detached,
    on the CPU, NumPy arrays as arrays; anything else as :class:`autograder.values.Unknown`.

    Attributes:
        code: the source of every code cell of the submission, in order.
    """

    def __init__(self, kernel: StudentKernel, code: tuple[str, ...]) -> None:
        self._kernel = kernel
        self.code = code

    def run(self, probe: Probe, **inputs: Any) -> Any:
        """Run `probe` in the student kernel and return its value.

        Raises:
            StudentError: the student's code raised, hung, died or has a name missing.
        """
        return self._ask(probe, inputs, watch=False).value

    def watch(self, probe: Probe, **inputs: Any) -> Watched:
        """Run `probe` like :meth:`run` while every way into autograd is watched."""
        outcome = self._ask(probe, inputs, watch=True)
        return Watched(outcome.value, outcome.autograd)

    def _ask(self, probe: Probe, inputs: dict[str, Any], watch: bool) -> Outcome:
        try:
            answer = self._kernel.probe(_compiled(probe), pack_inputs(inputs), watch)
            outcome = unpack_outcome(answer)
        except KernelTrouble as trouble:
            raise StudentError(trouble.kind, str(trouble)) from None
        except BadValue as error:
            raise StudentError(
                "garbled", f"What your code returned is no value: {error}."
            ) from None
        if outcome.trouble is not None:
            raise StudentError(outcome.trouble.kind, _in_words(outcome.trouble))
        return outcome


@cache
def _compiled(probe: Probe) -> CodeType:
    """The source of a probe alone, compiled: a definition of the name `probe`."""
    source = textwrap.dedent(inspect.getsource(probe))
    return compile(re.sub(r"^def \w+\(", "def probe(", source, count=1), "<probe>", "exec")


def _in_words(trouble: Trouble) -> str:
    """Say what an exception of the student's code was, without the numbers it may quote."""
    if trouble.kind == "missing":
        why = "its cell is missing, still to do, or raised an error"
        return f"`{trouble.message}` is not defined: {why}."
    if trouble.kind == "todo":
        return "This task is still to do."
    if trouble.kind == "timeout":
        return "Your code was interrupted: it ran too long in this check."
    # A message may quote hidden inputs: shapes (small integers) help, other numbers do not.
    message = re.sub(r"-?\d*\.\d+(e[-+]?\d+)?|\d{5,}", "…", trouble.message)
    message = " ".join(message.split())[:200]
    where = f" in your line `{trouble.line}`" if trouble.line else ""
    return f"Your code raised `{trouble.type}`{where}: {message or 'no message'}"
