"""Gradients of an operation, by name, against autograd through torch's own functions in float64.

    linear = Operation(
        "Linear.apply", lambda x, weights, bias: x @ weights + bias, draw, ("x", "weights", "bias")
    )
    linear.mistake("bias-twice", lambda x, weights, bias: x @ weights + 2 * bias).says("…")
    linear.gradients["bias"].mistake("one-sample-only", lambda g: g[0]).says("…")

A gradient is that of `(g * y).sum()`, where y comes out and the drawn `g` comes in: nowhere 1.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Misconception
from autograder.exercise.draws import away_from_zero
from autograder.exercise.formula import Formula, Inputs, of

Own = Callable[..., Tensor]

UPSTREAM = Misconception(
    "upstream-ignored",
    "Your gradient is that of the plain sum of what comes out: the gradient that comes in is"
    " ignored. By the chain rule it is a factor, and 1 only in the simplest examples.",
)
SIGN = Misconception("sign-flipped", "The sign of your gradient is flipped.")
MEAN = Misconception(
    "mean-over-the-batch",
    "You take the mean over the rows; every row uses the same numbers, so their parts add up. Where"
    " the loss is a mean, its factor is in `grad_output` already.",
)


# ------------------------------------------------------------- right numbers, another way back


def with_gradient_of(value: Tensor, way: Tensor) -> Tensor:
    """The numbers of `value`; their gradient goes back on the way that `way` has come."""
    return way + (value - way).detach()


def on_the_way_back(tensor: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The same numbers; on the way back, their gradient is changed."""
    same = tensor.clone()
    if same.requires_grad:
        same.register_hook(change)
    return same


# ------------------------------------------------------------------------------ what has gradients


class Unsaid(Protocol):
    """A mistake that lacks its sentence."""

    def says(self, sentence: str) -> Misconception:
        """Give it the one or two sentences that the student reads."""


class Gradient(Protocol):
    """One of several gradients, to which mistakes are added; see :class:`Formula`."""

    def mistake(self, name: str, *ways: Callable[..., Any]) -> Unsaid:
        """Add what a known mistake gives."""

    def add(self, known: Misconception, *ways: Callable[..., Any]) -> Misconception:
        """Add what a mistake gives that is known elsewhere, too."""


class Differentiable(Protocol):
    """What has a forward pass and gradients, in whatever form a student writes it."""

    @property
    def forward(self) -> Formula:
        """The formula of what comes out."""

    @property
    def gradients(self) -> Mapping[str, Gradient]:
        """Those of the gradients, by input; `g` is what comes in."""

    def mistake(self, name: str, *owns: Own) -> Unsaid:
        """Add what comes of computing something else."""


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
        self.own, self._draw = own, draw
        self.how: dict[str, Any] = {"draw": self.draw, "terms": terms, "steps": 4, "also": also}
        self.forward = Formula(f"`{name}({', '.join(self.names)})`", reference=own, **self.how)
        self.gradients: dict[str, Formula] = {}
        for each in by:
            right = partial(self.gradient, each, own)
            formula = Formula(f"The gradient of `{each}`", reference=right, **self.how)
            formula.add(UPSTREAM, partial(self.gradient, each, own, come_in=torch.ones_like))
            formula.add(SIGN, partial(self.gradient, each, own, come_in=torch.neg))
            self.gradients[each] = formula

    def draw(self, rng: torch.Generator) -> Inputs:
        """Inputs, and a gradient `g` of what comes out."""
        inputs = self._draw(rng)
        return inputs | {"g": away_from_zero(rng, 0.5, 2, *of(self.own, inputs).shape)}

    def mistake(self, name: str, *owns: Own) -> "_Unsaid":
        """Add what comes of computing something else, forward and backward, in one way or more."""
        return _Unsaid(self, name, owns)

    def derive(self, own: Own, inputs: Inputs, **how: Any) -> tuple[list[Tensor], list[Tensor]]:
        """The leaves that a result hangs on, and the gradient of each, for `g` that comes in."""
        leaves = {name: inputs[name].detach().clone().requires_grad_() for name in self.by}
        y = of(own, {**{name: inputs[name] for name in self.names}, **leaves})
        hung = [*leaves.values()]
        return hung, [*torch.autograd.grad(y, hung, inputs["g"], materialize_grads=True, **how)]

    def second(self, **inputs: Any) -> Tensor:
        """The derivatives, by all inputs and then by `g`, of all gradients with the weights `v`."""
        g = inputs["g"].detach().clone().requires_grad_()
        leaves, first = self.derive(self.own, {**inputs, "g": g}, create_graph=True)
        total = sum((v * each).sum() for v, each in zip(inputs["v"], first, strict=True))
        found = torch.autograd.grad(total, [*leaves, g], materialize_grads=True)
        return torch.cat([each.flatten() for each in found])

    def gradient(
        self, name: str, own: Own, come_in: Callable[..., Tensor] | None = None, **inputs: Any
    ) -> Tensor:
        """One gradient of what `own` computes; another one comes in, if asked for."""
        if come_in:
            inputs = inputs | {"g": come_in(inputs["g"])}
        return self.derive(own, inputs)[1][self.by.index(name)]

    def mistaken(self, name: str, own: Own, **inputs: Any) -> Iterator[Tensor]:
        """The gradient of something else, where it is another one, and not nothing."""
        wrong = self.gradient(name, own, **inputs)
        right = self.gradient(name, self.own, **inputs)
        if wrong.any() and not checks.is_close(wrong, right, 1e-6):
            yield wrong


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
        for each, formula in self.operation.gradients.items():
            formula.add(known, *(partial(self.operation.mistaken, each, own) for own in self.owns))
        return known
