"""`LR.forward`: the sigmoid of w^T x + b, one answer for each column of x.

Each check passes with the student's own `sigmoid` or, where that one is wrong, with an arbitrary
function in its place.
"""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.suites.manual_backward import (
    call,
    draw_pictures,
    draw_state,
    first_that_passes,
    probe_lr,
    sigmoid,
)

DIM, M = 5, 131  # more pictures than the constants that people write into slices

NO_BIAS = Misconception("bias-ignored", "Your answers leave the bias out: `b` is never added.")
BIAS_TWICE = Misconception("bias-twice", "You add the bias twice.")
BIAS_MINUS = Misconception("bias-subtracted", "You subtract the bias; it is added.")
BIAS_AFTER = Misconception(
    "bias-after-sigmoid",
    "You add the bias to the probability. It belongs to the score: first add it, then take the"
    " sigmoid.",
)
NO_SIGMOID = Misconception(
    "no-sigmoid",
    "You return the score: numbers below 0 and above 1. The sigmoid makes a probability of it.",
)
TWICE = Misconception(
    "sigmoid-twice",
    "You apply the sigmoid twice: even sure answers come out between 0.5 and 0.74.",
)
ROUNDED = Misconception(
    "rounded",
    "You return 0 or 1. `forward` gives probabilities; to decide is the task of `predict`.",
)
MIRRORED = Misconception(
    "score-negated", "Your answers are mirrored: the sign of the score is flipped on the way."
)
COLUMN = Misconception(
    "answers-as-a-column",
    "Your answers are a column, `(m, 1)`; wanted is a row, `(1, m)`, like `y`. Together they would"
    " stretch to `(m, m)` without a word: compare `x.T @ w` with `w.T @ x`.",
)
FLAT = Misconception(
    "answers-without-row",
    "Your answers have one axis, `(m,)`; wanted is a row, `(1, m)`, like `y`. Does something"
    " squeeze, flatten or sum an axis away?",
)
ELEMENTWISE = Misconception(
    "elementwise-product",
    "Your result still has `dim` rows: `*` multiplies number by number, and nothing adds up. The"
    " weighted sum is a matrix product, `@`.",
)
MEAN = Misconception(
    "mean-not-sum",
    "You take the mean of weight times pixel where the score is the sum: your scores are smaller by"
    " the factor `dim`.",
)


@pytest.fixture(scope="module")
def given(suite_rng):
    return {**draw_state(suite_rng, DIM), "x": draw_pictures(suite_rng, DIM, M)}


def arbitrary(z):
    """What stands in for `sigmoid` in the probe."""
    return 2 * z + 5


def with_either(student, given, check):
    """Pass where `check` passes with the student's `sigmoid` or with an arbitrary function."""

    def attempt(stand_in):
        (left,) = student.run(
            probe_lr,
            dim=DIM,
            lr=torch.tensor(0.1),
            state={"w": given["w"], "b": given["b"]},
            calls=[call("forward", given["x"])],
            stand_in=stand_in,
        )
        check(left["returned"], arbitrary if stand_in else sigmoid)

    first_that_passes(lambda: attempt(False), lambda: attempt(True))


def scores(given):
    return given["w"].double().T @ given["x"].double(), given["b"].double()


VALUES = """\
small = LR(3)
with torch.no_grad():
    small.w.copy_(torch.tensor([[1.0], [-1.0], [0.5]]))
    small.b.fill_(0.5)
x = torch.tensor([[0.0, 2.0], [1.0, 0.0], [1.0, 3.0]], device=device)
print(small(x).detach().cpu())  # the scores are 0 and 4
#> tensor([[0.5000, 0.9820]])
"""


@pytest.mark.points(7)
@pytest.mark.example(VALUES)
def test_values(student, given):
    """The answer for each picture is the sigmoid of its weighted sum plus the bias."""

    def check(got, function):
        expect(isinstance(got, torch.Tensor), f"`forward(x)` should be a tensor: {_kind(got)}.")
        if tuple(got.shape) == (DIM, M):
            fail("", because=ELEMENTWISE)
        count = f"`forward(x)` should give one answer for each of the {M} pictures; yours has shape"
        expect(got.numel() == M, f"{count} {tuple(got.shape)}.")
        product, b = scores(given)
        wanted = function(product + b)
        among = [
            (NO_BIAS, function(product)),
            (BIAS_TWICE, function(product + 2 * b)),
            (BIAS_MINUS, function(product - b)),
            (BIAS_AFTER, function(product) + b),
            (NO_SIGMOID, product + b),
            (TWICE, function(function(product + b))),
            (ROUNDED, (product + b > 0).double()),
            (MIRRORED, function(-product - b)),
            (MEAN, function(product / DIM + b)),
        ]
        size = float((given["w"].abs().T @ given["x"].abs() + b).max())
        checks.close(
            checks.tensor(got.reshape(1, M), "`forward(x)`", (1, M)),
            wanted,
            "`forward(x)`",
            checks.roundoff(DIM + 1, 2),
            among,
            message="The answers are not the sigmoid of `w` transposed times `x`, plus `b`.",
            scale=size if function is sigmoid else 2 * size + 5,
        )

    with_either(student, given, check)


SHAPE = """\
for m in (4, 1):  # how many pictures
    print(LR(3)(torch.ones(3, m, device=device)).shape)
#> torch.Size([1, 4])
#> torch.Size([1, 1])
"""


@pytest.mark.points(3)
@pytest.mark.example(SHAPE)
def test_shape(student, given):
    """The answers are one row, `(1, m)`, another answer for another picture."""

    def check(got, function):
        expect(isinstance(got, torch.Tensor), f"`forward(x)` should be a tensor: {_kind(got)}.")
        if tuple(got.shape) == (M, 1):
            fail("", because=COLUMN)
        if tuple(got.shape) == (M,):
            fail("", because=FLAT)
        if tuple(got.shape) == (DIM, M):
            fail("", because=ELEMENTWISE)
        got = checks.tensor(got, "`forward(x)`", (1, M))
        different = bool((got.max() - got.min()) > 1e-3)
        expect(different, "Your answer is the same for every picture: it has to depend on x.")

    with_either(student, given, check)


def _kind(value):
    return f"yours is {checks.kind(value)}"
