"""A Function of the student's beside torch's own: what all suites of Functions ask in one way.

What is right is worked out in the grader, by autograd through torch's own functions in float64.
A question that the right value is not needed for, such as whether a frozen input changes the
gradient of another, is answered by the student's own values: each mistake costs its own test.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.draws import away_from_zero
from autograder.exercise.formula import Formula, Inputs, in_double
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import Student, StudentError
from autograder.suites.autograd_functions import probes

#: How near a float64 value has to be, once it is right as far as float32 can tell.
EXACT = 1e-9
#: The step of finite differences in float64, and how near those come.
STEP, NEAR = 1e-5, 1e-6

NOT_EXACT = Misconception(
    "float64-lost",
    "Your numbers are right to a few digits only, though the inputs are float64. Something rounds"
    " on the way: a conversion to float32 (`.float()`, say), or an approximation.",
)
OTHER_TYPE = "What comes out should be of the type that went in, {wanted}; yours is {got}."
NOT_OWN = Misconception(
    "not-an-own-function",
    "What `apply` gives comes from autograd's own operations: your `backward` is never asked."
    " Write a subclass of `torch.autograd.Function` with `forward` and `backward`, and leave"
    " `apply` as it is.",
)
COUNT = Misconception(
    "one-gradient-for-each-argument",
    "Your `backward` returns another number of gradients than `forward` has arguments. Each"
    " argument after `ctx` needs one, in the same order; `None` for what has no gradient.",
)
UNTRANSPOSED = Misconception(
    "untransposed",
    "Two shapes do not fit in your `backward`: one factor of a product is not transposed, or the"
    " factors are in the wrong order. Write down the three shapes; only one order fits.",
)
SHAPE = Misconception(
    "shape-of-the-gradient",
    "Your `backward` returns a gradient of another shape than its input has: a sum goes over the"
    " wrong axis, or two gradients stand in the wrong order.",
)
ONCE = Misconception(
    "once-differentiable",
    "Your `backward` is marked with `once_differentiable`: that forbids the second derivative.",
)
CUT = Misconception(
    "second-derivative-lost",
    "Your `backward` computes the right gradient in a way that autograd cannot follow (`.data`,"
    " `.detach()`, `no_grad`, NumPy, `.item()`): the derivative of the gradient is lost.",
    idle=True,
)
INTERMEDIATE = Misconception(
    "intermediate-saved",
    "Autograd takes something in your `backward` for a constant: a tensor that `forward` has worked"
    " out and kept is neither an input nor an output, so nobody knows what it depends on. Save"
    " inputs or outputs, and work the rest out again in `backward`.",
)
FROZEN = Misconception(
    "gradient-nobody-needs",
    "Your `backward` works out a gradient that nobody needs, of an input that is frozen."
    " `ctx.needs_input_grad` says which are wanted; for the others, return `None`.",
)
FROZEN_MIXED = Misconception(
    "needs-input-grad-mixed-up",
    "With one input alone to be trained, its gradient is another one than with all of them:"
    " `ctx.needs_input_grad` has one entry for each argument, in the order of `forward`.",
)
ON_CTX = Misconception(
    "kept-on-ctx",
    "Your Function keeps a tensor somewhere else than in `ctx.save_for_backward`, as an attribute"
    " of `ctx`, say. Then PyTorch neither notices that it has been changed in place, which makes"
    " the gradient wrong without a word, nor gives it free after the backward pass.",
)
STATE = Misconception(
    "kept-on-the-class",
    "Called twice before `backward`, your Function takes the tensors of the second call for the"
    " gradient of the first: it keeps them on the class, or in a global. What belongs to one call"
    " belongs to its `ctx`.",
)
CHANGED = Misconception(
    "changed-in-place",
    "Your Function changes what it was given: an input, or the gradient that comes in. Operations"
    " in place, such as `x -= m`, `x.mul_(…)` and `x[i] = …`, are for tensors of your own.",
)
MATRICES_ONLY = Misconception(
    "matrices-only",
    "Your Function takes matrices alone. `...` in a shape stands for any number of leading axes:"
    " forward, each row is treated as in a matrix; backward, sums go over all leading axes.",
)
BATCH_NEEDED = Misconception(
    "batch-axis-needed",
    "Your Function needs a batch: one sample alone, `(features,)`, goes wrong. `...` in a shape"
    " stands for any number of leading axes, none included.",
)
LAYOUT = Misconception(
    "layout-in-memory",
    "Your Function depends on how a tensor lies in memory: `view` refuses one that is transposed or"
    " expanded, where `reshape` copies if it must.",
)

_WORDS = (
    Says("RuntimeError", "incorrect number of gradients", COUNT),
    Says("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", UNTRANSPOSED),
    Says("RuntimeError", "LinearBackward returned an invalid gradient at index 1", UNTRANSPOSED),
    Says("RuntimeError", "returned an invalid gradient", SHAPE),
    Says("RuntimeError", "marked with @once_differentiable", ONCE),
    Says("RuntimeError", "view size is not compatible", LAYOUT),
)


def taking(names: tuple[str, ...], function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that a formula asks with these inputs, in this order."""

    def asked(**given: Any) -> Any:
        return function(*(given[name] for name in names))

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, kind) for name in names]
    vars(asked)["__signature__"] = inspect.Signature(parameters)
    return asked


class Function:
    """A Function that the student writes.

    Args:
        name: of its class.
        own: what it computes, by torch's own functions; its arguments are those of `apply`.
        draw: `draw(rng)` makes these by name.
        also: more values by name that the mistakes of gradients may ask for.
        terms: how many terms a sum has at most.

    Attributes:
        forward: the formula of what comes out.
        gradients: those of the gradients, by input, for a drawn gradient that comes in, `g`.
        second: that of the derivatives of a sum of all gradients, weighted with `v`.
    """

    def __init__(
        self,
        name: str,
        own: Callable[..., Tensor],
        draw: Callable[..., Inputs],
        also: Callable[..., dict[str, Any]],
        terms: int,
    ) -> None:
        self.name, self._own, self._draw = name, own, draw
        self.names = tuple(inspect.signature(own).parameters)
        self.by = tuple(each for each in self.names if each not in ("target", "eps"))
        how: dict[str, Any] = {"draw": self.draw, "terms": terms, "steps": 4}
        self.forward = Formula(
            f"`{name}.apply({', '.join(self.names)})`", reference=own, also=also, **how
        )
        given = (*self.names, "g")
        self.gradients = {
            each: Formula(
                f"The gradient of `{each}`",
                reference=taking(given, lambda *given, at=at: self._first(*given)[at]),
                also=also,
                **how,
            )
            for at, each in enumerate(self.by)
        }
        self.second = Formula(
            "The derivative of your gradients",
            reference=taking((*given, "v"), self._second),
            message="The gradient is not differentiated rightly: the second derivative is wrong.",
            **how,
        )
        parts = taking((*given, "v"), self._constant)
        self.second.add(CUT, taking((*given, "v"), lambda *given: 0 * self._second(*given)))
        self.second.add(INTERMEDIATE, parts)

    def draw(self, rng: torch.Generator) -> Inputs:
        """Inputs, a gradient that comes in, none of it 1, and weights for the gradients."""
        inputs = self._draw(rng)
        y = self._own(*(inputs[name] for name in self.names))
        g, *v = (away_from_zero(rng, 0.5, 2, *t.shape) for t in (y, *map(inputs.get, self.by)))
        return inputs | {"g": g, "v": v}

    def _leaves(self, *given: Any) -> tuple[list[Any], list[Tensor]]:
        made = [
            each.detach().clone().requires_grad_() if name in self.by else each
            for name, each in zip(self.names, given, strict=True)
        ]
        return made, [each for name, each in zip(self.names, made, strict=True) if name in self.by]

    def _first(self, *given: Any) -> tuple[Tensor, ...]:
        made, leaves = self._leaves(*given[:-1])
        return torch.autograd.grad(self._own(*made), leaves, given[-1])

    def _second(self, *given: Any) -> Tensor:
        *inputs, g, v = given
        made, leaves = self._leaves(*inputs)
        g = g.detach().clone().requires_grad_()
        first = torch.autograd.grad(self._own(*made), leaves, g, create_graph=True)
        total = torch.stack([(w * d).sum() for w, d in zip(v, first, strict=True)]).sum()
        found = torch.autograd.grad(total, [*leaves, g], materialize_grads=True)
        return torch.cat([each.flatten() for each in found])

    def _constant(self, *given: Any) -> Tensor:
        """The same where everything but the gradient that comes in is taken for a constant."""
        right, size = self._second(*given), given[-2].numel()
        return torch.cat([0 * right[:-size], right[-size:]])

    # ------------------------------------------------------------------------------------ checks

    def ask(self, student: Student, probe: Callable[..., Any], **inputs: Any) -> Any:
        """Ask about this Function; name what PyTorch says of its backward."""
        with named_by_pytorch(*_WORDS):
            return student.run(probe, function=self.name, names=list(self.names), **inputs)

    def check_forward(self, student: Student, inputs: Inputs) -> None:
        """What comes out is right, in float64 and in float32."""
        got = self.ask(student, probes.forward, inputs=inputs)
        self._check(self.forward, got, inputs)
        for value, wanted in zip(got, ("float64", "float32"), strict=True):
            kind = str(value.dtype).removeprefix("torch.")
            expect(kind == wanted, OTHER_TYPE, wanted=wanted, got=kind)

    def check_gradient(self, student: Student, inputs: Inputs, of: str) -> list[int]:
        """A gradient is right, in float64 and in float32; how many numbers `backward` returned."""
        found = self.ask(student, probes.gradients, inputs=inputs, by=list(self.by), asked=of)
        expect(all(each["own"] for each in found), NOT_OWN)
        self._check(self.gradients[of], [each["gradient"] for each in found], inputs)
        return [each["size"] for each in found]

    def _check(self, formula: Formula, got: list[Any], inputs: Inputs) -> None:
        formula.check_all([(each, inputs) for each in got])
        expect(checks.is_close(got[0], formula.right(**in_double(inputs)), EXACT), NOT_EXACT)

    def check_second(self, student: Student, inputs: Inputs) -> None:
        """The second derivative is right: the right one, or that of the student's own gradient."""
        asked = {"inputs": inputs, "by": list(self.by)}
        got = self.ask(student, probes.second, **asked)
        compared = self.second.compared(got, **inputs)
        if compared.right:
            return
        sizes = [inputs[name].numel() for name in (*self.by, "g")]
        start = torch.cat([inputs[name].double().flatten() for name in (*self.by, "g")])
        steps = STEP * torch.eye(len(start), dtype=torch.float64)
        points = torch.cat([start + steps, start - steps])
        values = checks.tensor(
            self.ask(student, probes.gradients_at, points=points, **asked),
            "The gradients",
            (len(points), sum(sizes[:-1])),
        )
        sums = values.double() @ torch.cat([each.double().flatten() for each in inputs["v"]])
        differences = (sums[: len(start)] - sums[len(start) :]) / (2 * STEP)
        # A gradient that does not depend on what it should has no derivative to speak of.
        parts = zip(differences.split(sizes), compared.wanted.split(sizes), strict=True)
        alive = all(own.abs().max() > NEAR or right.abs().max() < NEAR for own, right in parts)
        if not alive or not checks.is_close(got, differences, NEAR):
            self.second.check(got, **inputs)

    def check_frozen(self, student: Student, inputs: Inputs) -> None:
        """An input that is frozen gets no gradient, and changes none of another."""
        for each in self.ask(student, probes.frozen, inputs=inputs, by=list(self.by)):
            others = {*self.by} - {each["name"]}
            expect(checks.is_close(each["alone"], each["wanted"], EXACT), FROZEN_MIXED)
            expect(others.isdisjoint(each["given"]), FROZEN)

    def check_saved(self, student: Student, inputs: Inputs, other: Inputs) -> None:
        """What is kept between the passes is kept where PyTorch can look after it."""
        asked = {"inputs": inputs, "other": other, "by": list(self.by)}
        found = self.ask(student, probes.saved, **asked)
        expect(found["kept"], CHANGED)
        alone = found["alone"]
        expect(checks.is_close(found["later"], alone, EXACT), STATE)
        for value in found["changed"].values():
            expect(value is None or checks.is_close(value, alone, EXACT), ON_CTX)
        expect(found["freed"], ON_CTX)

    def check_leading(self, student: Student, inputs: Inputs, leading: tuple[int, ...]) -> None:
        """Rows of another leading shape come to what they come to in a matrix."""
        if not leading:
            inputs = inputs | {name: inputs[name][:1] for name in ("x", "g")}
        wanted = self.ask(student, probes.whole, inputs=inputs, by=list(self.by))
        rows = inputs | {
            name: inputs[name].reshape(*leading, inputs[name].shape[-1]) for name in ("x", "g")
        }
        with _otherwise(MATRICES_ONLY if leading else BATCH_NEEDED):
            got = self.ask(student, probes.whole, inputs=rows, by=list(self.by))
            shape = (*leading, wanted["forward"].shape[-1])
            y = checks.tensor(got["forward"], f"`{self.name}.apply(...)`", shape)
            _same(y.flatten(), wanted["forward"].flatten())
            _same(got["gradients"], wanted["gradients"])

    def check_layout(self, student: Student, inputs: Inputs) -> None:
        """Tensors that are transposed or expanded come to what others come to."""
        for layout in ("transposed", "expanded"):
            if layout == "expanded":  # its rows are one and the same in memory
                long = [name for name in ("x", "logits", "g") if name in inputs]
                first = {name: inputs[name][:1] for name in long if inputs[name].dim() > 1}
                inputs = inputs | {n: row.repeat(len(inputs[n]), 1) for n, row in first.items()}
            asked = {"inputs": inputs, "by": list(self.by)}
            wanted = self.ask(student, probes.whole, **asked)
            with _otherwise(LAYOUT):
                got = self.ask(student, probes.whole, layout=layout, **asked)
                _same(got["forward"], wanted["forward"])
                _same(got["gradients"], wanted["gradients"])


def _same(got: Any, wanted: Any) -> None:
    if not checks.is_close(got, wanted, EXACT):
        fail("Something else comes out.")


@contextmanager
def _otherwise(known: Misconception) -> Iterator[None]:
    """Name what has gone wrong, whatever it is, but for what ended the kernel."""
    try:
        yield
    except checks.Failure as failure:
        if isinstance(failure, StudentError) and failure.kind != "error":
            raise
        fail(known)
