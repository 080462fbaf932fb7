"""Gradients of an operation, by name, against autograd through torch's own functions in float64.

    linear = Operation(
        "Linear.apply", lambda x, weights, bias: x @ weights + bias, draw, ("x", "weights", "bias")
    )
    linear.mistake("bias-twice", lambda x, weights, bias: x @ weights + 2 * bias).says("…")
    linear.gradients["bias"].mistake("mean-over-the-batch", lambda g: g.mean(0)).says("…")

A gradient is that of `(g * y).sum()`, where y comes out and the drawn `g` comes in: nowhere 1.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Misconception
from autograder.exercise.draws import away_from_zero
from autograder.exercise.formula import Formula, Inputs

Own = Callable[..., Tensor]

UPSTREAM = Misconception(
    "upstream-ignored",
    "Your gradient is that of the plain sum of what comes out: the gradient that comes in is"
    " ignored. By the chain rule it is a factor, and 1 only in the simplest examples.",
)
SIGN = Misconception("sign-flipped", "The sign of your gradient is flipped.")


def taking(names: tuple[str, ...], function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that a formula asks with these inputs, in this order."""

    def asked(**given: Any) -> Any:
        return function(*(given[name] for name in names))

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, kind) for name in names]
    vars(asked)["__signature__"] = inspect.Signature(parameters)
    return asked


class Operation:
    """What is computed forward, and the gradients that go backward.

    Args:
        name: of what is computed, as the student calls it.
        own: torch's own way to compute it; its arguments are inputs by name.
        draw: `draw(rng)` makes these inputs.
        by: those that there are gradients by.
        also: more values by name that mistakes may ask for, as of a formula.
        terms: how many terms a sum has at most.

    Attributes:
        names: those of all arguments.
        forward: the formula of what comes out.
        gradients: those of the gradients, by input; `g` is what comes in.
    """

    def __init__(
        self,
        name: str,
        own: Own,
        draw: Callable[..., Inputs],
        by: tuple[str, ...],
        also: Callable[..., dict[str, Any]] | None = None,
        terms: int = 8,
    ) -> None:
        self.names, self.by = tuple(inspect.signature(own).parameters), by
        self.given = (*self.names, "g")
        self._own, self._draw = own, draw
        self.how: dict[str, Any] = {"draw": self.draw, "terms": terms, "steps": 4, "also": also}
        self.forward = Formula(f"`{name}({', '.join(self.names)})`", reference=own, **self.how)
        self.gradients = {
            each: Formula(f"The gradient of `{each}`", reference=self._gradient(at), **self.how)
            for at, each in enumerate(by)
        }
        for at, formula in enumerate(self.gradients.values()):
            formula.add(UPSTREAM, self._gradient(at, come_in=torch.ones_like))
            formula.add(SIGN, self._gradient(at, come_in=torch.neg))

    def draw(self, rng: torch.Generator) -> Inputs:
        """Inputs, and a gradient `g` of what comes out."""
        inputs = self._draw(rng)
        y = self._own(*(inputs[name] for name in self.names))
        return inputs | {"g": away_from_zero(rng, 0.5, 2, *y.shape)}

    def mistake(self, name: str, *owns: Own) -> "_Unsaid":
        """Add what comes of computing something else, forward and backward, in one way or more."""
        return _Unsaid(self, name, owns)

    def derive(self, own: Own, given: tuple[Any, ...], g: Tensor, **how: Any) -> tuple[Any, ...]:
        """The leaves that a result hangs on, and the gradient of each, for `g` that comes in."""
        made = dict(zip(self.names, given, strict=False))
        leaves = {name: made[name].detach().clone().requires_grad_() for name in self.by}
        y = own(**{**made, **leaves})
        found = torch.autograd.grad(y, [*leaves.values()], g, materialize_grads=True, **how)
        return [*leaves.values()], found

    def _gradient(
        self, at: int, own: Own | None = None, come_in: Callable[..., Tensor] | None = None
    ) -> Callable[..., Any]:
        def gradient(*given: Any) -> Tensor:
            g = come_in(given[-1]) if come_in else given[-1]
            found: Tensor = self.derive(own or self._own, given, g)[1][at]
            return found

        return taking(self.given, gradient)

    def mistaken(self, at: int, own: Own) -> Callable[..., Iterator[Tensor]]:
        """The gradient of something else, where it is another one, and not nothing."""
        right, other = self._gradient(at), self._gradient(at, own)

        def differing(*given: Any) -> Iterator[Tensor]:
            named = dict(zip(self.given, given, strict=True))
            wrong = other(**named)
            if wrong.any() and not checks.is_close(wrong, right(**named), 1e-6):
                yield wrong

        return taking(self.given, differing)


@dataclass(frozen=True)
class _Unsaid:
    """A mistake of an operation that lacks its sentence."""

    operation: Operation
    name: str
    owns: tuple[Own, ...]

    def says(self, sentence: str) -> Misconception:
        """Give it the one or two sentences that the student reads."""
        known = Misconception(self.name, sentence)
        self.operation.forward.add(known, *self.owns)
        for at, formula in enumerate(self.operation.gradients.values()):
            formula.add(known, *(self.operation.mistaken(at, own) for own in self.owns))
        return known
