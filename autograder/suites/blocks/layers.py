"""One layer or block under test: what it is asked, once for all checks, and what is said of it.

Gradients are compared by name, in the order of the backward pass. The first wrong one has the
cause; those after it may be wrong because of it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import in_order
from autograder.exercise.attempts import first_that_passes
from autograder.exercise.autograd_use import autograd_in
from autograder.exercise.by_hand import expect_by_hand
from autograder.exercise.checks import Failure, Misconception, expect, fail
from autograder.exercise.formula import Formula, Inputs, in_double
from autograder.exercise.in_order import Gradients, alike, derived, is_near
from autograder.exercise.student import Student, StudentError
from autograder.language import Text
from autograder.suites.blocks import probes

Left = dict[str, Any]

TASKS = ("Linear", "ReLU", "LayerNorm", "ResidualBlock", "SelfAttention", "TransformerBlock")

CHANGED = Misconception(
    "input-changed",
    "Your code changes a tensor that it is given, in place. Others still need it as it was: a skip"
    " connection adds `x` itself, and goes on with the same upstream gradient.",
)
ACCUMULATED = Misconception(
    "gradients-accumulated",
    "Your gradients add up from one call to the next. `backward` fills `grads` afresh each time.",
)
FROM_BEFORE = Misconception(
    "gradients-from-before",
    "After a second `backward`, `grads` still holds the gradients of the first.",
)
COPIES = Misconception(
    "params-are-copies",
    "A step that changes `params[name]` in place does not reach your two passes: `params` holds"
    " copies, or something was worked out once and for all. They must be the tensors that are used;"
    " of a block, those of its parts themselves.",
)
ONLY_MATRICES = Misconception(
    "matrices-only",
    "Your layer takes matrices alone. `...` in a shape stands for any number of leading axes, none"
    " included: each row goes through as it does in a matrix.",
)
ONE_AXIS_SUMMED = Misconception(
    "one-leading-axis-summed",
    "With more leading axes, the gradient of a parameter has too many axes: it is a sum over all"
    " rows, along every leading axis and not along the first alone.",
)
MIXED_UP = (
    "{name}: a row comes out otherwise in an input with more axes, or fewer, than in a matrix."
)


def by_name(left: Left) -> dict[str, Any]:
    """The gradients after a call, in whatever form they are."""
    return {**(left["grads"] or {}), "x": left["x"]}


def same(one: Left, other: Left) -> bool:
    """Whether two calls came to the same."""
    return is_near(one["y"], other["y"]) and alike(by_name(one), by_name(other))


# ------------------------------------------------------------------------------------- the layer


@dataclass(frozen=True)
class Layer:
    """What a task asks for.

    Attributes:
        name: of the class.
        forward: a formula of `x`, `params` and what else is drawn. The first two cases make the
            layer with the same sizes.
        backward: one of these and the upstream gradient `g`; its values are gradients by name.
        sizes: what the class is made with, of inputs.
        parts: the earlier tasks that it is made of.
        mixed: of inputs, gradients that come of a right rule where the forward pass is wrong.
        square: a case on which an operand the other way round is no error: what is wrong where
            there is one, it tells.
    """

    name: str
    forward: Formula
    backward: Formula
    sizes: Callable[[Inputs], list[Any]]
    parts: tuple[str, ...] = ()
    mixed: Callable[[Inputs], Iterable[Gradients]] = lambda inputs: ()
    square: dict[str, Any] | None = None


@dataclass
class Asked:
    """A submission's layer, and what it answered."""

    student: Student
    layer: Layer
    rng: torch.Generator
    drawn: dict[Any, list[Inputs]] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)

    def forward(self) -> None:
        """Fail unless `forward` gives what it should, for each shape."""

        def attempt(stand_in: bool) -> None:
            sets = self.sets(self.layer.forward, stand_in)
            left = self.ask(sets, stand_in)
            for each, inputs in zip(left, sets, strict=True):
                expect_params(each, inputs)
            answers = [(each["y"], inputs) for each, inputs in zip(left, sets, strict=True)]
            self.layer.forward.check_all(answers)
            expect(all(each["kept"] for each in left), CHANGED)

        self.with_either(attempt)

    def gradients(self, *keys: str) -> None:
        """Fail where a gradient is wrong whose name begins so, or where autograd is used."""

        def attempt(stand_in: bool) -> None:
            left, sets = self.backwards(stand_in)
            if not self.right_but_for_forward(left, sets):
                in_order.check(self.layer.backward, [by_name(each) for each in left], sets, keys)

        self.with_either(attempt)
        expect_by_hand(self.ways)

    def again(self) -> None:
        """Fail unless a second call, after a step in place, comes to what it comes to alone."""

        def attempt(stand_in: bool) -> None:
            fresh, sets = self.backwards(stand_in)
            expect_params(fresh[1], sets[1])
            working(by_name(fresh[1]))
            first, second = self.ask(sets[:2], stand_in, fresh=False)
            expect(second["kept"], CHANGED)
            if same(second, fresh[1]):
                return
            before, own, now = first["grads"] or {}, fresh[1]["grads"], second["grads"]
            summed = {key: own[key] + grad for key, grad in before.items() if is_grad(own, key)}
            expect(not alike(now, summed), ACCUMULATED)
            expect(not alike(now, before), FROM_BEFORE)
            (stale,) = self.ask([{**sets[1], "params": sets[0]["params"]}], stand_in)
            old = is_near(second["y"], stale["y"]) or is_near(second["x"], stale["x"])
            fail(
                "A second call, after a step in place, comes to other numbers than a new layer with"
                " the same numbers in it.",
                COPIES if old else None,
            )

        self.with_either(attempt)
        expect_by_hand(self.ways)

    def leading(self, *shapes: tuple[int, ...]) -> None:
        """Fail unless rows come out of other leading shapes as they come out of a matrix."""
        inputs = self.backwards(stand_in=False)[1][0]
        for shape in shapes:
            count = len(inputs["x"]) if shape else 1
            rows = {**inputs, **{key: inputs[key][:count] for key in ("x", "g")}}
            (matrix,) = self.ask([rows], stand_in=False)
            for key in ("y", "x"):  # what is wrong in them is another test's matter
                there = isinstance(matrix[key], Tensor)
                expect(there, "Already with a matrix, a tensor is missing.")
            shaped = {key: rows[key].reshape(*shape, rows[key].shape[-1]) for key in ("x", "g")}
            try:
                (got,) = self.ask([{**inputs, **shaped}], stand_in=False)
            except StudentError as error:
                expect(error.kind != "error", ONLY_MATRICES)
                raise
            for key, name in (("y", "`forward(x)`"), ("x", "The gradient of `x`")):
                wanted = matrix[key].reshape(*shape, matrix[key].shape[-1])
                one = isinstance(got[key], Tensor) and got[key].shape == wanted.shape
                expect(one, ONLY_MATRICES)
                expect(is_near(got[key], wanted), MIXED_UP, name=Text(name))
            grads = got["grads"] or {}
            for key, wanted in (matrix["grads"] or {}).items():
                longer = is_grad(grads, key) and grads[key].dim() > wanted.dim()
                expect(not longer, ONE_AXIS_SUMMED)
                expect(is_near(grads.get(key), wanted), MIXED_UP, name=Text("{key}", key=key))

    # --------------------------------------------------------------------------------- how it asks

    def with_either(self, attempt: Callable[[bool], None]) -> None:
        """Pass with the student's own parts or, where those are wrong, with stand-ins."""
        ways = (False, True) if self.layer.parts else (False,)
        first_that_passes(*(partial(attempt, way) for way in ways), last_tells=True)

    def sets(self, formula: Formula, stand_in: bool) -> list[Inputs]:
        """Inputs of a formula, drawn once, one for each of its cases."""
        key = id(formula), stand_in
        if key not in self.drawn:
            cases = [case for case in formula.cases if case.get("stand_in", False) == stand_in]
            self.drawn[key] = [formula.draw(self.rng, **case) for case in cases]
        return self.drawn[key]

    def backwards(self, stand_in: bool) -> tuple[list[Left], list[Inputs]]:
        """What fresh layers left behind, and their inputs."""
        sets = self.sets(self.layer.backward, stand_in)
        try:
            return self.ask(sets, stand_in), sets
        except StudentError as error:
            if error.kind != "error" or not self.layer.square:
                raise
            with suppress(StudentError):
                return self.named_where_square()
            raise

    def named_where_square(self) -> tuple[list[Left], list[Inputs]]:
        """The same on a shape where an operand the other way round is no error, if it is that.

        Raises:
            StudentError: it is something else.
        """
        if not self.drawn.get("square"):
            square = self.layer.square or {}
            self.drawn["square"] = [self.layer.backward.draw(self.rng, **square) for _ in range(2)]
        sets = self.drawn["square"]
        left = self.ask(sets, stand_in=False)
        try:
            in_order.check(self.layer.backward, [by_name(each) for each in left], sets)
        except Failure as failure:
            if failure.misconception:
                return left, sets
        raise StudentError("error", "")

    def ask(self, sets: Sequence[Inputs], stand_in: bool, fresh: bool = True) -> list[Left]:
        """What layers answer on these inputs, for the first time or not.

        Raises:
            StudentError: they do not.
        """
        key = tuple(id(tensor) for each in sets for tensor in (each["x"], each["params"])), fresh
        if key not in self.answers:
            try:
                found = self.student.run(probes.passes, **self.call(sets, stand_in), fresh=fresh)
            except StudentError as error:
                found = error
            self.answers[key] = found, sets  # they are kept, so that their ids stay theirs
        answer = self.answers[key][0]
        if isinstance(answer, StudentError):
            raise answer
        left: list[Left] = answer
        return left

    def call(self, sets: Sequence[Inputs], stand_in: bool) -> Inputs:
        calls = [
            {key: each[key] for key in ("params", "x", "g") if key in each}
            | {"sizes": self.layer.sizes(each)}
            for each in sets
        ]
        stand_ins = list(self.layer.parts) if stand_in else []
        return {"name": self.layer.name, "calls": calls, "stand_ins": stand_ins}

    # ------------------------------------------------------------------------------ how it compares

    def right_but_for_forward(self, left: Sequence[Left], sets: Sequence[Inputs]) -> bool:
        """Whether all gradients are those of a forward pass that is wrong: that is lost there."""
        ways = [
            [
                is_near(each["y"], y) and alike(by_name(each), grads)
                for y, grads in self.of_wrong_forwards(inputs, each["y"])
            ]
            for each, inputs in zip(left, doubles(sets), strict=True)
        ]
        return any(all(way) for way in zip(*ways, strict=True))

    def of_wrong_forwards(self, inputs: Inputs, y: Any) -> Iterator[tuple[Any, Gradients]]:
        """What known mistakes in `forward` give, with the gradients that follow from them."""
        leaves = {name: t.clone().requires_grad_() for name, t in inputs["params"].items()}
        of = {**leaves, "x": inputs["x"].clone().requires_grad_()}
        for _, wrong in self.layer.forward.wrong(**{**inputs, "x": of["x"], "params": leaves}):
            if wrong.shape != inputs["g"].shape or not wrong.requires_grad:
                yield wrong.detach(), {}
                continue
            yield wrong.detach(), derived(wrong, of, inputs["g"])
        right = is_near(y, self.layer.forward.right(**inputs))
        yield from ((None if right else y, grads) for grads in self.layer.mixed(inputs))

    @cached_property
    def ways(self) -> list[str]:
        """The ways into autograd that the layer takes, those of other tasks left out."""
        (inputs, *_) = self.sets(self.layer.backward, bool(self.layer.parts))
        code = [self.without_others(cell) for cell in self.student.code]
        roots = [f"{self.layer.name}.{method}" for method in ("backward", "forward", "__init__")]
        written = autograd_in(code, roots)
        for silent in (True, False):
            asked = self.call([inputs], stand_in=silent)
            try:
                watched = self.student.watch(probes.passes, **asked, silent=silent)
            except StudentError:
                continue  # it needs its own parts
            return [*written, *watched.autograd]
        return written

    def without_others(self, cell: str) -> str:
        """A cell; where it is another task's, what only stands for its classes."""
        defined = re.findall(r"^class (\w+)", cell, re.M)
        if self.layer.name in defined or not {*defined} & {*TASKS}:
            return cell
        return "\n".join(f"class {name}:\n    def backward(self, g): pass" for name in defined)


def doubles(sets: Sequence[Inputs]) -> list[Inputs]:
    return [in_double(each) for each in sets]


def is_grad(grads: Any, key: str) -> bool:
    return isinstance(grads, dict) and isinstance(grads.get(key), Tensor)


def working(grads: dict[str, Any]) -> None:
    """Fail unless there are gradients at all."""
    for key, grad in grads.items():
        there = isinstance(grad, Tensor) and bool(grad.isfinite().all()) and bool(grad.any())
        expect(there, "`backward` does not work yet: it gives no gradient of `{key}`.", key=key)


def expect_params(left: Left, inputs: Inputs) -> None:
    for name, tensor in inputs["params"].items():
        expect(name in left["params"], "`params` has no entry `{name}`.", name=name)
        expect(
            left["params"][name] == list(tensor.shape),
            "`params['{name}']` should be a tensor of shape {shape}.",
            name=name,
            shape=tuple(tensor.shape),
        )
