"""`loss`: the mean binary cross-entropy, finite at 0 and 1, and large where it is surely wrong."""

import math

import pytest
import torch

from autograder.exercise import Formula, Misconception, between, checks, expect, named_where
from autograder.suites.manual_backward import answers_of, cross_entropy, draw_labels

M = 131  # more than the constants that people write into slices
#: Round-off of a mean of M terms, and room for an eps of 1e-6 beside answers of 0.15.
NEAR = checks.roundoff(M) + 2e-5


def mean_of(value):
    """The mean of a loss for each picture, another one as it is: that is another test's matter."""
    each = isinstance(value, torch.Tensor) and value.numel() == M
    return value.double().mean() if each else value


value = Formula(
    "The loss",
    # An eps of 1e-6 in a logarithm is no mistake: it does not show in these answers.
    draw=lambda rng: {"yhat": between(rng, 0.15, 0.85, 1, M), "y": draw_labels(rng, M)},
    reference=cross_entropy,
    also=lambda yhat, y: {
        "right": cross_entropy(yhat, y),
        "ones": -y * yhat.log(),
        "zeros": -(1 - y) * (1 - yhat).log(),
    },
    within=NEAR,
    take=lambda got, name, right: checks.number(mean_of(got), name),
    message="The loss is one number, but not the mean binary cross-entropy.",
)
value.mistake("sum-instead-of-mean", lambda right: right * M).says(
    "Yours is the sum over the pictures, too large by the factor m; wanted is the mean. (`len(y)`"
    " and `y.shape[0]` count the rows of y, and that is 1.)"
)
value.mistake("minus-forgotten", lambda right: -right).says(
    "Your loss is negative: logarithms of probabilities are, so the formula has a minus in front."
)
value.mistake("only-class-1", lambda ones: ones.mean()).says(
    "Your loss has one of its two terms only: pictures of class 0 cost nothing, whatever the"
    " answer. The other term is for those."
)
value.mistake("only-class-0", lambda zeros: zeros.mean()).says(
    "Your loss has one of its two terms only: pictures of class 1 cost nothing, whatever the"
    " answer. The other term is for those."
)
value.mistake(
    "minus-between-terms", lambda ones, zeros: (k * (ones - zeros).mean() for k in (1, -1))
).says(
    "Your two terms have different signs: both are added up, and the minus in front is for both."
    " Is there a bracket missing?"
)
value.mistake("wrong-logarithm", lambda right: (right / math.log(base) for base in (2, 10))).says(
    "Your logarithm has another base (`log2` or `log10`): the loss uses the natural one, and only"
    " with it the gradient is `yhat - y`."
)
value.mistake("squared-error", lambda yhat, y: (((yhat - y) ** 2).mean() / k for k in (1, 2))).says(
    "Yours is the mean squared error; wanted is the cross-entropy, with logarithms."
)
value.mistake("absolute-error", lambda yhat, y: (yhat - y).abs().mean()).says(
    "Yours is the mean distance of `yhat` from `y`; wanted is the cross-entropy, with logarithms."
)
value.mistake("factor-half", lambda right: right / 2).says(
    "Your loss is half of what it should be: there is a factor 2 too much below."
)
value.mistake("sigmoid-twice", lambda yhat, y: cross_entropy(torch.sigmoid(yhat), y)).says(
    "Your loss applies a sigmoid to `yhat`, which is a probability already. Functions with `logits`"
    " in their names take the score instead."
)
value.mistake(
    "every-answer-with-every-label",
    lambda yhat, y: cross_entropy(yhat.expand(M, M), y.T.expand(M, M)),
).says(
    "Your loss compares every answer with every label: `yhat` and `y` have stretched to `(m, m)`"
    " because one was a column and the other a row."
)
swapped = value.mistake("arguments-swapped", lambda yhat, y: cross_entropy(y, yhat)).says(
    "Your loss takes the logarithm of `y` instead of `yhat`: the two are swapped somewhere."
)
value.mistake(
    "part-of-the-pictures",
    lambda ones, zeros: ((ones + zeros)[:, :first].mean() for first in (10, 32, 100)),
).says(
    "You use the first pictures alone, as a slice like `y[:, :10]` cuts them out. Every picture"
    " counts, however many there are."
)
value.mistake(
    "mean-of-each-class", lambda ones, zeros, y: ones.sum() / y.sum() + zeros.sum() / (1 - y).sum()
).says(
    "You take the mean over the pictures of each class on their own, and add these. Wanted is one"
    " mean over all m pictures."
)

scalar = Formula("The loss", draw=value.draw, reference=cross_entropy, within=NEAR)
scalar.mistake("loss-as-float", lambda: 0.5, shape_only=True).says(
    "Your loss is a Python float; wanted is a scalar tensor. To make a float of it is the task of"
    " `train`."
)
scalar.mistake("not-reduced", lambda y: y, lambda y: y.T, lambda y: y[0], shape_only=True).says(
    "Your loss is one number for each picture; wanted is their mean, one scalar."
)
scalar.mistake("loss-not-scalar", lambda y: y[0, :1], lambda y: y[:, :1], shape_only=True).says(
    "Your loss is one number, but with axes; wanted is a scalar, of shape `()`. A mean over one"
    " axis leaves the other in place."
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


@pytest.fixture(scope="module")
def given(suite_rng):
    return [value.draw(suite_rng) for _ in range(2)]


def losses_of(student, given, *pairs):
    """The losses of these pairs, then of usual ones, and the mistake that explains the latter."""
    sets = [{"yhat": yhat, "y": y} for yhat, y in pairs] + given
    answers = answers_of(student, "loss", sets)
    numbers = [checks.number(mean_of(got), "The loss", finite=False) for got, _ in answers]
    return numbers, value.diagnosis(answers[len(pairs) :])


def swapped_told(student, given):
    """Where a loss is wrong or not finite since its arguments are swapped, say that first."""
    # With labels strictly between 0 and 1 no logarithm has to be kept from anything.
    soft = [{**each, "y": 0.15 + 0.7 * each["yhat"].flip(1)} for each in given]
    return named_where(
        swapped,
        lambda: value.diagnosis(answers_of(student, "loss", soft)) == swapped,
        over=(NOT_A_NUMBER, INFINITE),
    )


@pytest.mark.points(4)
def test_value(student, given):
    """`loss(yhat, y)` is the mean over the pictures of `-y log(yhat) - (1 - y) log(1 - yhat)`.

    yhat = torch.tensor([[0.5, 0.2, 0.9, 0.6]])
    y = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    print(f"{loss(yhat, y):.4f}")  # -(log 0.5 + log 0.8 + log 0.9 + log 0.6) / 4
    #> 0.3831
    many = (torch.cat([each, each[:, 1:2].repeat(1, 196)], dim=1) for each in (yhat, y))
    print(f"{loss(*many):.4f}")  # 200 pictures, most like the second
    #> 0.2263
    """
    with swapped_told(student, given):
        value.check_all(answers_of(student, "loss", given))


@pytest.mark.points(2)
def test_scalar(student, given):
    """The loss is a scalar tensor, another one for other answers.

    value = loss(torch.tensor([[0.5, 0.2, 0.9]]), torch.tensor([[1.0, 0.0, 1.0]]))
    print(torch.is_tensor(value), value.shape, bool(torch.isfinite(value).all()))
    #> True torch.Size([]) True
    """
    pairs = [given[0], {**given[0], "yhat": 1 - given[0]["yhat"]}]
    with swapped_told(student, given):
        answers = answers_of(student, "loss", pairs)
        one, other = (scalar.form(got, **inputs) for got, inputs in answers)
    expect(float(one) != float(other), "The loss is the same for all answers.")


@pytest.mark.points(2)
def test_sure_and_right(student, given):
    """Answers of exactly 0 and 1 that are right cost nothing, and the loss stays finite.

    y = torch.tensor([[1.0, 0.0, 1.0]])
    print(f"{abs(float(loss(y, y))):.2f}")  # every answer is sure and right
    #> 0.00
    print(f"{loss(torch.tensor([[1.0, 0.0, 0.5]]), y):.2f}")  # -(log 0.5) / 3
    #> 0.23
    """
    yhat, y = given[0]["yhat"], given[0]["y"]
    partly = torch.cat([y[:, :5], yhat[:, 5:]], dim=1)
    (some, all_sure, *usual), known = losses_of(student, given, (partly, y), (y, y))
    with swapped_told(student, given):
        expect(not any(map(math.isnan, (some, all_sure))), NOT_A_NUMBER)
        expect(max(abs(some), abs(all_sure)) < 1e30, INFINITE)
    works = all(abs(each) > 1e-3 for each in usual)
    expect(works, "The loss of usual answers is about 0: it does not work yet.")
    says = "If every answer is sure and right, the loss should be about 0; yours is not."
    expect(abs(all_sure) < 0.02, says, known)


@pytest.mark.points(2)
def test_sure_and_wrong(student, given):
    """Answers of exactly 0 and 1 that are wrong cost a lot, more than 5, but not infinitely.

    y = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    value = float(loss(1 - y, y))  # every answer is sure and wrong
    print(value > 5, value < float("inf"))
    #> True True
    """
    y = given[0]["y"]
    (one, other, *usual), because = losses_of(student, given, (1 - y, y), (y, 1 - y))
    with swapped_told(student, given):
        expect(abs(one) < 1e30 and abs(other) < 1e30, INFINITE)  # nan is not below either
    if checks.is_close(usual, [cross_entropy(**each) for each in given], NEAR):
        cut_off = min(one, other) > max(usual) and checks.is_close(one, other, 0.01)
        because = FORGIVEN if max(one, other) < min(usual) else CUT_OFF if cut_off else because
    says = "Being sure and wrong has to cost more than 5 on average; with yours it costs less."
    expect(min(abs(one), abs(other)) > 5, says, because)
