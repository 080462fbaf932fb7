"""`loss`: the mean binary cross-entropy, finite at 0 and 1, and large where it is surely wrong."""

from contextlib import contextmanager

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.suites.manual_backward import cross_entropy, draw_labels

M = 131  # more than the constants that people write into slices
#: Round-off of a mean of M terms, and room for an eps of 1e-6 beside answers of 0.15.
NEAR = checks.roundoff(M) + 2e-5

SUM = Misconception(
    "sum-instead-of-mean",
    "Yours is the sum over the pictures, too large by the factor m; wanted is the mean. (`len(y)`"
    " and `y.shape[0]` count the rows of y, and that is 1.)",
)
POSITIVE = Misconception(
    "minus-forgotten",
    "Your loss is negative: logarithms of probabilities are, so the formula has a minus in front.",
)
ONLY_ONES = Misconception(
    "only-class-1",
    "Your loss has one of its two terms only: pictures of class 0 cost nothing, whatever the"
    " answer. The other term is for those.",
)
ONLY_ZEROS = Misconception(
    "only-class-0",
    "Your loss has one of its two terms only: pictures of class 1 cost nothing, whatever the"
    " answer. The other term is for those.",
)
MINUS_INSIDE = Misconception(
    "minus-between-terms",
    "Your two terms have different signs: both are added up, and the minus in front is for both."
    " Is there a bracket missing?",
)
OTHER_BASE = Misconception(
    "wrong-logarithm",
    "Your logarithm has another base (`log2` or `log10`): the loss uses the natural one, and only"
    " with it the gradient is `yhat - y`.",
)
SQUARED = Misconception(
    "squared-error",
    "Yours is the mean squared error; wanted is the cross-entropy, with logarithms.",
)
ABSOLUTE = Misconception(
    "absolute-error",
    "Yours is the mean distance of `yhat` from `y`; wanted is the cross-entropy, with logarithms.",
)
HALVED = Misconception(
    "factor-half", "Your loss is half of what it should be: there is a factor 2 too much below."
)
LOGITS = Misconception(
    "sigmoid-twice",
    "Your loss applies a sigmoid to `yhat`, which is a probability already. Functions with `logits`"
    " in their names take the score instead.",
)
STRETCHED = Misconception(
    "every-answer-with-every-label",
    "Your loss compares every answer with every label: `yhat` and `y` have stretched to `(m, m)`"
    " because one was a column and the other a row.",
)
SWAPPED = Misconception(
    "arguments-swapped",
    "Your loss takes the logarithm of `y` instead of `yhat`: the two are swapped somewhere.",
)
PART = Misconception(
    "part-of-the-pictures",
    "You use the first pictures alone, as a slice like `y[:, :10]` cuts them out. Every picture"
    " counts, however many there are.",
)
CLASS_MEANS = Misconception(
    "mean-of-each-class",
    "You take the mean over the pictures of each class on their own, and add these. Wanted is one"
    " mean over all m pictures.",
)
NOT_REDUCED = Misconception(
    "not-reduced",
    "Your loss is one number for each picture; wanted is their mean, one scalar.",
)
FLOAT = Misconception(
    "loss-as-float",
    "Your loss is a Python float; wanted is a scalar tensor. To make a float of it is the task of"
    " `train`.",
)
AXES = Misconception(
    "loss-not-scalar",
    "Your loss is one number, but with axes; wanted is a scalar, of shape `()`. A mean over one"
    " axis leaves the other in place.",
)
NOT_A_NUMBER = Misconception(
    "zero-times-infinity",
    "Where an answer is exactly 0 or 1, your loss is `nan`: `0 * log(0)` is 0 times infinity. Both"
    " logarithms have to be kept from that, that of `yhat` and that of `1 - yhat`.",
)
INFINITE = Misconception(
    "log-of-zero",
    "Where the model is sure and wrong, your loss is infinite or `nan`: the logarithm of 0. Keep it"
    " from falling below some very negative number.",
)
CUT_OFF = Misconception(
    "cut-off-too-early",
    "Being sure and wrong costs too little: you keep `yhat` so far away from 0 and 1 (or the"
    " logarithms so close to 0) that a gross mistake hardly counts. A tiny bit is enough.",
)
FORGIVEN = Misconception(
    "sure-mistakes-forgiven",
    "Being sure and wrong costs nothing: infinite or undefined terms are replaced by 0, just where"
    " the loss should be largest.",
)


def probe_loss(notebook, pairs):
    return [notebook.loss(yhat.to(notebook.device), y.to(notebook.device)) for yhat, y in pairs]


def ask(student, *pairs):
    return student.run(probe_loss, pairs=[list(pair) for pair in pairs])


@pytest.fixture(scope="module")
def given(suite_rng):
    """Answers from 0.15 to 0.85, and labels. An eps of 1e-6 in a logarithm is no mistake."""
    yhat = 0.15 + 0.7 * torch.rand(1, M, generator=suite_rng)
    return yhat, draw_labels(suite_rng, M)


def results(yhat, y):
    """What is right for unsure answers, and what known mistakes give."""
    yhat, y = yhat.double(), y.double()
    ones, zeros = y * yhat.log(), (1 - y) * (1 - yhat).log()
    right = cross_entropy(yhat, y)
    swapped = yhat * y.log().clamp(min=-100) + (1 - yhat) * (1 - y).log().clamp(min=-100)
    bases = torch.tensor([2.0, 10.0]).double().log()
    return right, [
        (SUM, right * M),
        (POSITIVE, -right),
        (ONLY_ONES, -ones.mean()),
        (ONLY_ZEROS, -zeros.mean()),
        (MINUS_INSIDE, zeros.mean() - ones.mean()),
        (MINUS_INSIDE, ones.mean() - zeros.mean()),
        *((OTHER_BASE, right / base) for base in bases),
        (SQUARED, ((yhat - y) ** 2).mean()),
        (SQUARED, ((yhat - y) ** 2).mean() / 2),
        (ABSOLUTE, (yhat - y).abs().mean()),
        (HALVED, right / 2),
        (LOGITS, cross_entropy(torch.sigmoid(yhat), y)),
        (STRETCHED, cross_entropy(yhat.expand(M, M), y.T.expand(M, M))),
        (SWAPPED, -swapped.mean()),
        *((PART, -(ones + zeros)[:, :first].mean()) for first in (10, 32, 100)),
        (CLASS_MEANS, -ones.sum() / y.sum() - zeros.sum() / (1 - y).sum()),
    ]


VALUE = """\
yhat = torch.tensor([[0.5, 0.2, 0.9, 0.6]])
y = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
print(f"{loss(yhat, y):.4f}")  # -(log 0.5 + log 0.8 + log 0.9 + log 0.6) / 4
#> 0.3831
many = (torch.cat([each, each[:, 1:2].repeat(1, 196)], dim=1) for each in (yhat, y))
print(f"{loss(*many):.4f}")  # 200 pictures, most like the second
#> 0.2263
"""


@pytest.mark.points(4)
@pytest.mark.example(VALUE)
def test_value(student, given):
    """`loss(yhat, y)` is the mean over the pictures of `-y log(yhat) - (1 - y) log(1 - yhat)`."""
    (got,) = ask(student, given)
    if isinstance(got, torch.Tensor) and got.numel() == M:
        got = got.double().mean()  # its shape is another test's matter
    wanted, among = results(*given)
    if isinstance(got, float | torch.Tensor) and not checks.is_close(got, wanted, NEAR):
        expect(not swapped_inside(student, *given), "", because=SWAPPED)
    checks.close(
        checks.number(got, "The loss"),
        wanted,
        "The loss",
        NEAR,
        among,
        message="The loss is one number, but not the mean binary cross-entropy.",
    )


SCALAR = """\
value = loss(torch.tensor([[0.5, 0.2, 0.9]]), torch.tensor([[1.0, 0.0, 1.0]]))
print(torch.is_tensor(value), value.shape, bool(torch.isfinite(value).all()))
#> True torch.Size([]) True
"""


@pytest.mark.points(2)
@pytest.mark.example(SCALAR)
def test_scalar(student, given):
    """The loss is a scalar tensor, another one for other answers."""
    yhat, y = given
    values = ask(student, (yhat, y), (1 - yhat, y))
    for value in values:
        if isinstance(value, float):
            fail("", because=FLOAT)
        if isinstance(value, torch.Tensor) and value.numel() == M:
            fail("", because=NOT_REDUCED)
        if isinstance(value, torch.Tensor) and value.numel() == 1 and value.dim() > 0:
            fail("", because=AXES)
        with swapped_told(student, given):
            checks.tensor(value, "The loss", ())
    expect(float(values[0]) != float(values[1]), "The loss is the same for all answers.")


FINITE = """\
y = torch.tensor([[1.0, 0.0, 1.0]])
print(f"{abs(float(loss(y, y))):.2f}")  # every answer is sure and right
#> 0.00
print(f"{loss(torch.tensor([[1.0, 0.0, 0.5]]), y):.2f}")  # -(log 0.5) / 3
#> 0.23
"""


@pytest.mark.points(2)
@pytest.mark.example(FINITE)
def test_sure_and_right(student, given):
    """Answers of exactly 0 and 1 that are right cost nothing, and the loss stays finite."""
    yhat, y = given
    sure = yhat.clone()
    sure[:, :5] = y[:, :5]
    values = ask(student, (sure, y), (y, y), (yhat, y))
    first, second, usual = (_single(value) for value in values)
    with swapped_told(student, given):
        if first != first or second != second:
            fail("", because=NOT_A_NUMBER)
        expect(max(abs(first), abs(second)) < 1e30, "", because=INFINITE)
    expect(abs(usual) > 1e-3, "The loss of usual answers is about 0: it does not work yet.")
    expect(
        abs(second) < 0.02,
        "If every answer is sure and right, the loss should be about 0; yours is not.",
        because=formula_mistake(usual, given),
    )


WRONG = """\
y = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
value = float(loss(1 - y, y))  # every answer is sure and wrong
print(value > 5, value < float("inf"))
#> True True
"""


@pytest.mark.points(2)
@pytest.mark.example(WRONG)
def test_sure_and_wrong(student, given):
    """Answers of exactly 0 and 1 that are wrong cost a lot, more than 5, but not infinitely."""
    yhat, y = given
    values = ask(student, (1 - y, y), (yhat, y), (y, 1 - y))
    one, usual, other = (_single(value) for value in values)
    with swapped_told(student, given):
        for value in (one, other):
            expect(abs(value) < 1e30, "", because=INFINITE)  # nan is not below either
    if min(abs(one), abs(other)) > 5:
        return
    because = formula_mistake(usual, given)
    if checks.is_close(usual, results(*given)[0], NEAR):
        if max(one, other) < usual:
            because = FORGIVEN
        elif min(one, other) > usual and checks.is_close(one, other, 0.01):
            because = CUT_OFF
    fail(
        "Being sure and wrong has to cost more than 5 on average; with yours it costs less.",
        because,
    )


def swapped_inside(student, yhat, y):
    """Whether the loss is the one with its arguments swapped, however it keeps logarithms finite.

    With labels strictly between 0 and 1 no logarithm has to be kept from anything.
    """
    soft = 0.15 + 0.7 * yhat.flip(1)  # as good as any
    try:
        values = ask(student, (yhat, soft), (1 - yhat, soft))
        got = [checks.number(value, "The loss") for value in values]
    except checks.Failure:
        return False
    swapped = [float(cross_entropy(soft, each)) for each in (yhat, 1 - yhat)]
    right = [float(cross_entropy(each, soft)) for each in (yhat, 1 - yhat)]
    return checks.is_close(got, swapped, NEAR) and not checks.is_close(got, right, NEAR)


@contextmanager
def swapped_told(student, given):
    """Where a loss is not finite since its arguments are swapped, say that first."""
    try:
        yield
    except checks.Failure as failure:
        infinite = failure.misconception in (None, NOT_A_NUMBER.name, INFINITE.name)
        if infinite and swapped_inside(student, *given):
            fail("", because=SWAPPED)
        raise


def formula_mistake(usual, given):
    """The mistake that already shows in the loss of unsure answers."""
    right, among = results(*given)
    return checks.diagnose(checks.Compared(usual, right, among, NEAR))


def _single(value):
    """One number, infinite or none at all; the mean where there is one for each picture."""
    if isinstance(value, torch.Tensor) and value.numel() in (1, M):
        return float(value.double().mean())
    expect(isinstance(value, float | int), f"The loss should be a tensor: {checks.kind(value)}.")
    return float(value)
