"""A submission's layer with a backward pass by hand: asked once for all checks, and judged.

asked = asking(shift, probes.passes)

def test_x(asked):
    asked.gradients("x")
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.exercise import in_order
from autograder.exercise.attempts import first_that_passes
from autograder.exercise.autograd_use import autograd_in
from autograder.exercise.by_hand import expect_by_hand
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.formula import Formula, Inputs, in_double
from autograder.exercise.in_order import alike, is_near
from autograder.exercise.layers import Layer
from autograder.exercise.leading import ONLY_MATRICES
from autograder.exercise.student import Probe, Student, StudentError
from autograder.language import Text

Left = dict[str, Any]

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
ONE_AXIS_SUMMED = Misconception(
    "one-leading-axis-summed",
    "With more leading axes, the gradient of a parameter has too many axes: it is a sum over all"
    " rows, along every leading axis and not along the first alone.",
)
MIXED_UP = (
    "{name}: a row comes out otherwise in an input with more axes, or fewer, than in a matrix."
)


@dataclass
class Asked:
    """A submission's layer, and what it answered.

    Attributes:
        layer: what is right, and known to be wrong.
        passes: a probe: with `stand_ins`, tasks by name, others stand in for their layers, and use
            no autograd where they are `silent`; what else it gets is for
            :func:`inside_layers.pass_through`.
        tasks: names of classes, those of other tasks among them: how these are written does not
            count here.
    """

    layer: Layer
    passes: Probe
    student: Student
    rng: torch.Generator
    tasks: tuple[str, ...] = ()
    drawn: dict[Any, list[Inputs]] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)

    def forward(self) -> None:
        """Fail unless `forward` gives what it should, for each shape."""

        def attempt(stand_in: bool) -> None:
            sets = self.sets(self.layer.forward, self.layer.cases[stand_in])
            answers = [*zip(self.ask(sets, stand_in), sets, strict=True)]
            for left, inputs in answers:
                expect_params(left, inputs)
            self.layer.forward.check_all((left["y"], inputs) for left, inputs in answers)
            expect(all(left["kept"] for left, _ in answers), CHANGED)

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
            (_, alone, *_), sets = self.backwards(stand_in)
            expect_params(alone, sets[1])
            expect_working(by_name(alone))
            first, second = self.ask(sets[:2], stand_in, fresh=False)
            expect(second["kept"], CHANGED)
            if is_near(second["y"], alone["y"]) and alike(by_name(second), by_name(alone)):
                return
            before, own, now = first["grads"], alone["grads"], second["grads"]
            summed = {k: own[k] + t for k, t in before.items() if isinstance(own.get(k), Tensor)}
            expect(not alike(now, summed), ACCUMULATED)
            expect(not alike(now, before), FROM_BEFORE)
            (stale,) = self.ask([{**sets[1], "params": sets[0]["params"]}], stand_in)
            fail(
                "A second call, after a step in place, comes to other numbers than a new layer with"
                " the same numbers in it.",
                COPIES if any(is_near(second[key], stale[key]) for key in ("y", "x")) else None,
            )

        self.with_either(attempt)
        expect_by_hand(self.ways)

    def leading(self, *shapes: tuple[int, ...]) -> None:
        """Fail unless rows come out of other leading shapes as they come out of a matrix."""
        inputs = self.backwards(stand_in=False)[1][0]
        for shape in shapes:
            rows = {key: inputs[key] if shape else inputs[key][:1] for key in ("x", "g")}
            shaped = {key: t.reshape(*shape, t.shape[-1]) for key, t in rows.items()}
            (matrix,) = self.ask([inputs | rows], stand_in=False)
            try:
                (got,) = self.ask([inputs | shaped], stand_in=False)
            except StudentError as error:
                expect(error.kind != "error", ONLY_MATRICES)
                raise
            for key, name in (("y", "`forward(x)`"), ("x", "The gradient of `x`")):
                # What is wrong in them is another test's matter.
                there = isinstance(matrix[key], Tensor)
                expect(there, "Already with a matrix, a tensor is missing.")
                wanted = matrix[key].reshape(*shape, matrix[key].shape[-1])
                fits = isinstance(got[key], Tensor) and got[key].shape == wanted.shape
                expect(fits, ONLY_MATRICES)
                expect(is_near(got[key], wanted), MIXED_UP, name=Text(name))
            for key, wanted in matrix["grads"].items():
                grad = got["grads"].get(key)
                longer = isinstance(grad, Tensor) and grad.dim() > wanted.dim()
                expect(not longer, ONE_AXIS_SUMMED)
                expect(is_near(grad, wanted), MIXED_UP, name=Text("{key}", key=key))

    # --------------------------------------------------------------------------------- how it asks

    def with_either(self, attempt: Callable[[bool], None]) -> None:
        """Pass with the student's own parts or, where those are wrong, with stand-ins."""
        first_that_passes(*(partial(attempt, way) for way in self.layer.cases), last_tells=True)

    def sets(self, formula: Formula, cases: Sequence[Mapping[str, Any]]) -> list[Inputs]:
        """Inputs of a formula for these cases, the same whenever they are asked for."""
        key = id(formula), str(cases)
        if key not in self.drawn:
            self.drawn[key] = [formula.draw(self.rng, **case) for case in cases]
        return self.drawn[key]

    def backwards(self, stand_in: bool) -> tuple[list[Left], list[Inputs]]:
        """What fresh layers left behind, and their inputs.

        Where the student's code raises, these are square, if what is wrong has a name there.
        """
        backward = self.layer.backward
        sets = self.sets(backward, self.layer.cases[stand_in])
        try:
            return self.ask(sets, stand_in), sets
        except StudentError as error:
            if error.kind == "error" and self.layer.square:
                sets = self.sets(backward, self.layer.square)
                with suppress(StudentError):
                    left = self.ask(sets, stand_in)
                    if in_order.named(backward, [by_name(each) for each in left], sets):
                        return left, sets
            raise

    def ask(self, sets: Sequence[Inputs], stand_in: bool, fresh: bool = True) -> list[Left]:
        """What layers answer on these inputs, for the first time or not.

        Raises:
            StudentError: they do not.
        """
        key = tuple(id(tensor) for each in sets for tensor in (each["x"], each["params"])), fresh
        if key not in self.answers:
            try:
                found = self.student.run(self.passes, **self.call(sets, stand_in), fresh=fresh)
            except StudentError as error:
                found = error
            self.answers[key] = found, sets  # they are kept, so that their ids stay theirs
        answer = self.answers[key][0]
        if isinstance(answer, StudentError):
            raise answer
        left: list[Left] = answer
        return left

    def call(self, sets: Sequence[Inputs], stand_in: bool) -> Inputs:
        stand_ins = list(self.layer.parts) if stand_in else []
        calls = [self.layer.call(inputs) for inputs in sets]
        return {"name": self.layer.name, "calls": calls, "stand_ins": stand_ins}

    def right_but_for_forward(self, left: Sequence[Left], sets: Sequence[Inputs]) -> bool:
        """Whether all gradients are those of a forward pass that is wrong: that is lost there."""
        return all(
            any(
                alike(by_name(each), right)
                for right in self.layer.of_wrong_forwards(each["y"], in_double(inputs))
            )
            for each, inputs in zip(left, sets, strict=True)
        )

    @cached_property
    def ways(self) -> list[str]:
        """The ways into autograd that the layer takes, those of other tasks left out."""
        *_, cases = self.layer.cases.values()
        (inputs, *_) = self.sets(self.layer.backward, cases)
        code = [self.without_others(cell) for cell in self.student.code]
        roots = [f"{self.layer.name}.{method}" for method in ("backward", "forward", "__init__")]
        written = autograd_in(code, roots)
        for silent in (True, False):
            asked = self.call([inputs], stand_in=silent)
            with suppress(StudentError):  # it may need its own parts
                watched = self.student.watch(self.passes, **asked, silent=silent)
                return [*written, *watched.autograd]
        return written

    def without_others(self, cell: str) -> str:
        """A cell; where it is another task's, what only stands for its classes."""
        defined = re.findall(r"^class (\w+)", cell, re.M)
        if self.layer.name in defined or not {*defined} & {*self.tasks}:
            return cell
        return "\n".join(f"class {name}:\n    def backward(self, g): pass" for name in defined)


def asking(layer: Layer, passes: Probe, tasks: tuple[str, ...] = ()) -> Any:
    """The fixture `asked` of a suite: its layer, asked once for all tests; see :class:`Asked`."""

    @pytest.fixture(scope="module")
    def asked(student: Student, suite_rng: torch.Generator) -> Asked:
        return Asked(layer, passes, student, suite_rng, tasks)

    return asked


def by_name(left: Left) -> dict[str, Any]:
    """The gradients after a call, in whatever form they are."""
    return {**left["grads"], "x": left["x"]}


def expect_working(grads: dict[str, Any]) -> None:
    """Fail unless there are gradients at all."""
    for key, grad in grads.items():
        there = isinstance(grad, Tensor) and bool(grad.isfinite().all()) and bool(grad.any())
        expect(there, "`backward` does not work yet: it gives no gradient of `{key}`.", key=key)


def expect_params(left: Left, inputs: Inputs) -> None:
    """Fail unless `params` has a tensor of the right shape under each name."""
    for name, tensor in inputs["params"].items():
        expect(name in left["params"], "`params` has no entry `{name}`.", name=name)
        says = "`params['{name}']` should be a tensor of shape {shape}."
        fits = left["params"][name] == list(tensor.shape)
        expect(fits, says, name=name, shape=tuple(tensor.shape))
