"""A Function of the student's beside torch's own: what all suites of Functions ask in one way.

A question that the right value is not needed for, such as whether a frozen input changes the
gradient of another, is answered by the student's own values: each mistake costs its own test.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import Formula, Misconception, away_from_zero, checks, expect, in_double
from autograder.exercise.attempts import named_where
from autograder.exercise.formula import Inputs
from autograder.exercise.gradients import UPSTREAM, Operation
from autograder.exercise.leading import BATCH_NEEDED, ONLY_MATRICES
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import Probe, Student
from autograder.suites.autograd_functions import probes

#: How near a float64 value has to be, once it is right as far as float32 can tell.
EXACT = 1e-9

NOT_EXACT = Misconception(
    "float64-lost",
    "Your numbers are right to a few digits only, though the inputs are float64. Something rounds"
    " on the way: a conversion to float32 (`.float()`, say), or an approximation.",
)
OTHER_TYPE = Misconception(
    "type-changed", "What comes out should be of the type that went in, float64 or float32."
)
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
NOT_SUMMED = Misconception(
    "batch-sum-missing",
    "Your `backward` returns one gradient for each sample where one is wanted. Every sample uses"
    " the same numbers, so their gradient is the sum over all samples, of the shape of the input.",
)
CUT = Misconception(
    "second-derivative-lost",
    "Your `backward` works in a way that autograd cannot follow (`.data`, `.detach()`, `no_grad`,"
    " `once_differentiable`, NumPy, `.item()`): the derivative of the gradient is lost.",
    idle=True,
)
INTERMEDIATE = Misconception(
    "intermediate-saved",
    "Autograd takes something in your `backward` for a constant. A tensor that `forward` has worked"
    " out and kept is neither an input nor an output: nobody knows what it depends on. So is a"
    " detached one. Save inputs or outputs, and work the rest out again in `backward`.",
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
OVERFLOW = Misconception(
    "exp-overflow",
    "With numbers of ±1,000 something is `nan`, or infinite: the exponential of a large number is"
    " infinity, and infinity divided by infinity is not a number. Let no large number into an"
    " exponent (a softmax stays the same where each row's largest logit is subtracted first), or"
    " take what PyTorch has for it: `torch.sigmoid`, `logsumexp`, `log_softmax`.",
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
    Says("RuntimeError", "view size is not compatible", LAYOUT),
    Says("RuntimeError", "more than one element of the written-to tensor", CHANGED),
    Says("RuntimeError", "leaf Variable that requires grad is being used in an in-place", CHANGED),
)

#: Forms that inputs come in: leading shapes, and how they lie in memory.
FORMS = TURNED, ONE_SAMPLE, EXPANDED = "transposed in memory", "one sample", "expanded"


class Function(Operation):
    """A Function that the student writes, and the derivatives of its gradients.

    Attributes:
        bends: the formula of these, for all gradients with the weights `v`.
    """

    def __init__(self, name: str, *how: Any, **more: Any) -> None:
        super().__init__(f"{name}.apply", *how, **more)
        self.name = name
        self.bends = Formula(
            "The derivative of your gradients",
            reference=self.second,
            message="Differentiated again, your gradient comes to something wrong.",
            **{**self.how, "also": None},
        )
        self.bends.add(CUT, lambda **inputs: 0 * self.second(**inputs))
        self.bends.add(INTERMEDIATE, self._constant)

    def draw(self, rng: torch.Generator) -> Inputs:
        """Inputs, a gradient that comes in, and weights for the gradients."""
        inputs = super().draw(rng)
        return inputs | {"v": [away_from_zero(rng, 0.5, 2, *inputs[n].shape) for n in self.by]}

    def _constant(self, **inputs: Any) -> Iterator[Tensor]:
        """The same where the first input, or everything but `g`, is taken for a constant."""
        right, size = self.second(**inputs), inputs[self.names[0]].numel()
        yield torch.cat([0 * right[:size], right[size:]])
        if len(self.by) > 1:
            size = inputs["g"].numel()
            yield torch.cat([0 * right[:-size], right[-size:]])

    def ask(self, student: Student, probe: Probe, **asked: Any) -> Any:
        """Ask about this Function; name what PyTorch says of its backward."""
        with named_by_pytorch(*_WORDS):
            given = {"function": self.name, "names": list(self.names), "by": list(self.by)}
            return student.run(probe, **given, **asked)

    def check_forward(self, student: Student, rng: torch.Generator) -> None:
        """What comes out is right, in float64 and in float32."""
        inputs = self.forward.draw(rng)
        got = self.ask(student, probes.forward, inputs=inputs)
        self._check(self.forward, got, inputs)
        expect([each.dtype for each in got] == [torch.float64, torch.float32], OTHER_TYPE)

    def check_gradient(self, student: Student, rng: torch.Generator, of: str) -> None:
        """A gradient is right, in float64 and in float32, and `backward` sums all that is one."""
        inputs = self.gradients[of].draw(rng)
        found = self.ask(student, probes.gradient, inputs=inputs, of=of)
        self._check(self.gradients[of], found["gradients"], inputs)
        expect(found["size"] > 0, NOT_OWN)
        # Autograd sums what is too long by itself: only what `backward` returns shows it.
        expect(found["size"] == inputs[of].numel(), NOT_SUMMED)

    def _check(self, formula: Formula, got: list[Any], inputs: Inputs) -> None:
        formula.check_all([(each, inputs) for each in got])
        expect(checks.is_close(got[0], formula.right(**in_double(inputs)), EXACT), NOT_EXACT)

    def check_second(self, student: Student, rng: torch.Generator) -> None:
        """The second derivative is right; where the first is wrong, it need only be there."""
        inputs = self.bends.draw(rng)
        got = self.ask(student, probes.second, inputs=inputs)
        exact = in_double(inputs)
        first = torch.cat([each.right(**exact).flatten() for each in self.gradients.values()])
        if checks.is_close(got["first"], first, EXACT):
            return self.bends.check(got["second"], **inputs)
        found = self.bends.form(got["second"], **inputs)
        by_inputs, by_g = found[: len(first)], found[len(first) :]
        expect(bool(by_g.any()), UPSTREAM if by_inputs.any() else CUT)
        expect(bool(by_inputs.any()), INTERMEDIATE)

    def check_frozen(self, student: Student, rng: torch.Generator) -> None:
        """An input that is frozen gets no gradient, and changes none of another."""
        for each in self.ask(student, probes.frozen, inputs=self.forward.draw(rng)):
            expect(checks.is_close(each["alone"], each["together"], EXACT), FROZEN_MIXED)
            expect(not each["others"], FROZEN)

    def check_saved(self, student: Student, rng: torch.Generator) -> None:
        """What is kept between the passes is kept where PyTorch can look after it."""
        inputs, other = (self.forward.draw(rng) for _ in range(2))
        found = self.ask(student, probes.saved, inputs=inputs, other=other)
        expect(found["kept"], CHANGED)
        expect(checks.is_close(found["later"], found["alone"], EXACT), STATE)
        for value in found["changed"]:
            expect(value is None or checks.is_close(value, found["alone"], EXACT), ON_CTX)
        expect(found["freed"], ON_CTX)

    def check_form(self, student: Student, rng: torch.Generator, form: str) -> None:
        """The same comes of tensors of another leading shape, or that lie otherwise in memory."""
        inputs = self.forward.draw(rng)
        long = [name for name in ("x", "logits", "g") if name in inputs and inputs[name].dim() > 1]
        first = {name: inputs[name][:1] for name in long}
        if form == ONE_SAMPLE:
            inputs = inputs | first
        elif form == EXPANDED:
            inputs = inputs | {n: row.repeat(len(inputs[n]), 1) for n, row in first.items()}
        wanted = self.ask(student, probes.whole, inputs=inputs)
        rows = {TURNED: ONLY_MATRICES, ONE_SAMPLE: BATCH_NEEDED} if "x" in inputs else {}
        with named_where(rows.get(form, LAYOUT)):
            got = self.ask(student, probes.whole, inputs=inputs, form=form)
            expect(got["fits"] == wanted["fits"], "")
            expect(checks.is_close(got["numbers"], wanted["numbers"], EXACT), "")
