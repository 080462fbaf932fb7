"""A layer whose backward pass is written by hand: what it gives, and what people get wrong.

    shift = Layer("Shift", lambda x, by: x + by, draw, [{}], lambda by: by.shape, ("by", "x"))
    shift.mistake("subtracted", lambda x, by: x - by).says("…")
    shift.gradients["by"].mistake("batch-sum-missing", lambda g: g).says("…")
    shift.way_back.mistake("lost", lambda x, by: x.detach() + by).says("…")

The student's class has the dicts `params` and `grads`, `forward(x)`, and `backward(grad_output)`,
which fills `grads` and returns the gradient of `x`. They are compared `in_order`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import in_order
from autograder.exercise.draws import away_from_zero
from autograder.exercise.formula import Formula, Inputs, of
from autograder.exercise.gradients import UPSTREAM, Own, Unsaid
from autograder.exercise.in_order import Gradients, One, is_near


class Layer:
    """A layer or block.

    Functions here take, by name, `x`, `params` and each of these, and what else is drawn.

    Args:
        name: of the class.
        own: what it computes.
        draw: `draw(rng, **case)` makes `x`, `params` in the order of the backward pass, and more.
        cases: of `draw`. The first two make the layer with the same sizes. Where there are parts,
            `stand_in` says of each whether others stand in for them.
        sizes: what the class is made with.
        by: names of gradients that mistakes are added to.
        also: more values by name that functions here may ask for.
        parts: the earlier tasks that it is made of.
        kept: other ways to compute it, whose gradients come of a right rule with what a wrong
            forward pass has kept.
        square: two cases on which an operand the other way round is no error: where it is one,
            these tell what is wrong.

    Attributes:
        cases: those where nothing stands in for its parts, and those where something does.
        forward: the formula of what comes out.
        backward: that of all gradients, by name; `g` is what comes in, `right` is what is right.
        gradients: one of them each.
        way_back: takes mistakes that are made on the way back alone.
    """

    def __init__(
        self,
        name: str,
        own: Own,
        draw: Callable[..., Inputs],
        cases: list[dict[str, Any]],
        sizes: Callable[..., list[Any]],
        by: tuple[str, ...] = ("x",),
        also: Callable[..., Inputs] = lambda: {},
        parts: tuple[str, ...] = (),
        kept: tuple[Own, ...] = (),
        square: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self.name, self.own, self.parts, self.kept, self.square = name, own, parts, kept, square
        self._draw, self._sizes, self._also = draw, sizes, also
        ways = (False, True) if parts else ()
        own_parts = {way: [{**case, "stand_in": way} for case in cases] for way in ways}
        self.cases = own_parts or {False: cases}
        every = [case for cases in self.cases.values() for case in cases]
        self.forward = Formula(
            "`forward(x)`",
            draw=draw,
            cases=every,
            also=self._named,
            reference=own,
            within=in_order.NEAR,
        )
        self.backward = in_order.formula(
            "`backward`",
            draw=self._draw_both,
            cases=[*every, *square],
            also=lambda **given: {"right": self.derived(own, **given), **self._named(**given)},
        )
        self.backward.add(UPSTREAM, self._upstream_ignored)
        self.gradients = {each: One(self.backward, each) for each in by}
        self.way_back = WayBack(self)

    def mistake(self, name: str, *owns: Own) -> Unsaid:
        """Add what comes of computing something else; its own gradients are right then."""
        return self.forward.mistake(name, *owns)

    def call(self, inputs: Inputs) -> Inputs:
        """What a probe is given of inputs: `sizes`, `params`, `x` and, where it is there, `g`."""
        given = {name: inputs[name] for name in ("params", "x", "g") if name in inputs}
        return given | {"sizes": list(of(self._sizes, {**inputs, **self._named(**inputs)}))}

    def derived(self, own: Own, **inputs: Any) -> Gradients:
        """The gradients of a way to compute it, by autograd."""
        leaves, hung = _on_leaves(inputs)
        return in_order.derived(of(own, {**hung, **self._named(**hung)}), leaves, inputs["g"])

    def of_wrong_forwards(self, y: Any, inputs: Inputs) -> Iterator[Gradients]:
        """The right gradients where `forward` gives `y`, and that is wrong."""
        leaves, hung = _on_leaves(inputs)
        for _, wrong in self.forward.wrong(**hung):
            has_gradient = wrong.requires_grad and wrong.shape == inputs["g"].shape
            if has_gradient and is_near(y, wrong.detach()):
                yield in_order.derived(wrong, leaves, inputs["g"])
        if not is_near(y, self.forward.right(**inputs)):
            yield from (self.derived(own, **inputs) for own in self.kept)

    def _named(self, **inputs: Any) -> Inputs:
        params = inputs["params"]
        return {**params, **of(self._also, {**inputs, **params})}

    def _draw_both(self, rng: torch.Generator, **case: Any) -> Inputs:
        inputs = self._draw(rng, **case)
        return {**inputs, "g": away_from_zero(rng, 0.2, 1.5, *self.forward.right(**inputs).shape)}

    def _upstream_ignored(self, g: Tensor, **inputs: Any) -> Gradients:
        return self.derived(self.own, g=torch.ones_like(g), **inputs)


class WayBack:
    """Takes the mistakes of a layer that are made on the way back alone."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def mistake(self, name: str, *owns: Own) -> Unsaid:
        """Add what autograd gives where the right numbers have another derivative."""
        ways = (partial(self._layer.derived, own) for own in owns)
        return self._layer.backward.mistake(name, *ways)


def _on_leaves(inputs: Inputs) -> tuple[Gradients, Inputs]:
    """Leaves of a graph by name, and the inputs with these in them."""
    given = {**inputs["params"], "x": inputs["x"]}
    leaves = {name: t.detach().clone().requires_grad_() for name, t in given.items()}
    params = {name: leaves[name] for name in inputs["params"]}
    return leaves, {**inputs, "x": leaves["x"], "params": params}
