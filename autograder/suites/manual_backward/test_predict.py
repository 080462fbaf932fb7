"""`predict`: the accuracy in percent; class 1 above 0.5, and a tie is class 0."""

import math

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, fail
from autograder.exercise.formula import told_apart

# What the visible check and the examples have for an answer: none of that is right here.
SHOWN = [("shown", 60.0), ("shown", 80.0)]
#: So that no share of them is a whole number of percents, but none and all.
M = 131

FRACTION = Misconception(
    "fraction", "Your accuracy is a fraction between 0 and 1; wanted is percent, 0 to 100."
)
COUNT = Misconception(
    "count", "You return how many answers are right; wanted is what part of them, in percent."
)
BY_ROWS = Misconception(
    "divides-by-rows",
    "You divide by the number of rows, which is 1: `len(y)` and `y.shape[0]` do not count the"
    " pictures here, `y.shape[1]` does.",
)
ERRORS = Misconception(
    "counts-errors",
    "You count the answers that are wrong, or take class 1 where `yhat` is small: your result and"
    " the accuracy add up to 100.",
)
NO_THRESHOLD = Misconception(
    "no-threshold",
    "You compare the probabilities themselves with the classes: they are hardly ever equal. First"
    " decide: class 1 above 0.5.",
    idle=True,
)
SOFT = Misconception(
    "distance-not-accuracy",
    "You measure how far the probabilities are from the classes. For an accuracy each answer is"
    " either right or wrong: first decide, with the threshold.",
)
ALL_ONE = Misconception(
    "threshold-at-0",
    "You put every picture into class 1: probabilities are always above 0. The threshold is 0.5.",
)
ALL_ZERO = Misconception(
    "argmax-of-one-row",
    "You put every picture into class 0. There is one row of answers: `argmax` over it, or turning"
    " probabilities into whole numbers, always gives 0.",
)
STRETCHED = Misconception(
    "every-answer-with-every-label",
    "You compare every answer with every class: one was a column and the other a row, and together"
    " they stretch to `(m, m)`.",
)
POSITIVES = Misconception(
    "share-of-ones",
    "You return how many pictures you put into class 1; wanted is for how many that is right.",
)
TIE = Misconception(
    "tie-is-class-1",
    "You count an answer of exactly 0.5 as class 1 (`>=`, or rounding up): class 1 is only above"
    " it.",
)
WHOLE = Misconception(
    "whole-percents",
    "You cut or round the accuracy to whole percents: with 131 pictures, one of them is 0.76"
    " percent. Return the number as it is.",
)
FLAGS = Misconception(
    "one-for-each-picture",
    "You return something for each picture; wanted is one number: how many percent are right.",
)


def probe_predict(notebook, yhat, y):
    return notebook.predict(yhat.to(notebook.device), y.to(notebook.device))


def ask(student, yhat, y):
    got = student.run(probe_predict, yhat=yhat, y=y)
    if isinstance(got, torch.Tensor) and got.numel() == M:
        fail("", because=FLAGS)
    return checks.number(got, "The accuracy")


def draw(rng, counts):
    """Answers and classes (1, m): so many right, so many wrong, so many ties of class 0 and 1."""
    right, wrong, ties0, _ = counts
    y = torch.randint(2, (M,), generator=rng).float()
    clear = 0.03 + 0.42 * torch.rand(M, generator=rng)
    ends = right + wrong
    y[ends : ends + ties0], y[ends + ties0 :] = 0, 1
    yhat = torch.where(y == 1, 1 - clear, clear)
    yhat[right:ends] = 1 - yhat[right:ends]
    yhat[ends:] = 0.5
    order = torch.randperm(M, generator=rng)
    return yhat[order].reshape(1, M), y[order].reshape(1, M)


def results(yhat, y):
    """What known mistakes return."""
    yhat, y = yhat.double(), y.double()
    hit = (yhat > 0.5).double() == y
    right = float(hit.double().mean())
    return 100 * right, [
        (FRACTION, right),
        (WHOLE, 100.0 * right // 1),
        (WHOLE, round(100 * right)),
        (COUNT, right * M),
        (BY_ROWS, right * M * 100),
        (ERRORS, 100 - 100 * right),
        (ERRORS, 1 - right),
        (NO_THRESHOLD, 0.0),
        (SOFT, 100 * (1 - (yhat - y).abs().mean())),
        (SOFT, 1 - (yhat - y).abs().mean()),
        (ALL_ONE, 100 * y.mean()),
        (ALL_ZERO, 100 * (1 - y.mean())),
        (STRETCHED, 100 * ((yhat > 0.5).double() == y.T).double().mean()),
        (POSITIVES, 100 * (yhat > 0.5).double().mean()),
    ]


PERCENT = """\
yhat = torch.tensor([[0.9, 0.2, 0.4, 0.7, 0.3, 0.6, 0.4, 0.1]])
y = torch.tensor([[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
print(float(predict(yhat, y)))  # five of the eight are right
#> 62.5
"""


@pytest.mark.points(3)
@pytest.mark.example(PERCENT)
def test_percent(student, rng):
    """`predict(yhat, y)` is how many percent of the answers are right."""
    while True:  # until no mistake gives what another one or the right way gives
        right = int(torch.randint(75, 115, (), generator=rng))
        yhat, y = draw(rng, (right, M - right, 0, 0))
        wanted, among = results(yhat, y)
        if _apart([(None, wanted), *SHOWN, *among], by=0.11) and abs(wanted - round(wanted)) > 0.2:
            break
    got = ask(student, yhat, y)
    checks.close(
        got,
        wanted,
        "The accuracy",
        1e-4,  # of 100 percent
        among,
        message="The result is one number, but not how many percent of the answers are right.",
        scale=100.0,
    )


TIES = """\
yhat = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.9]])
y = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]])
print(f"{float(predict(yhat, y)):.1f}")  # the four ties count as class 0, three of them rightly
#> 80.0
"""


@pytest.mark.points(2)
@pytest.mark.example(TIES)
def test_tie(student, rng):
    """An answer of exactly 0.5 counts as class 0."""
    while True:
        counts = torch.randint(20, 45, (3,), generator=rng).tolist()
        counts.append(M - sum(counts))
        if counts[3] < 10:
            continue
        yhat, y = draw(rng, counts)
        right, _, ties0, ties1 = counts
        class0, class1 = _forms(right + ties0), _forms(right + ties1)
        same_way = (FRACTION, WHOLE, COUNT, BY_ROWS, ERRORS)
        others = [pair for pair in results(yhat, y)[1] if pair[0] not in same_way]
        ties = [("class 0", value) for value in class0] + [("class 1", value) for value in class1]
        if _apart([*ties, *SHOWN, *others]):
            break
    got = ask(student, yhat, y)
    # Percent, fraction, count, or errors instead: that is another test's matter.
    if any(abs(got - value) < 0.01 for value in class0):
        return
    if any(abs(got - value) < 0.01 for value in class1):
        fail("", because=TIE)
    fail(
        "The result fits neither ties of class 0 nor ties of class 1.",
        because=checks.diagnose(checks.Compared(got, -1.0, others, 1e-4, 100.0)),
    )


def _apart(results, by=0.05):
    """Whether no two different causes, of pairs (cause, value), give the same value."""
    return told_apart(
        [(cause, torch.tensor(float(value), dtype=torch.float64)) for cause, value in results], by
    )


def _forms(right):
    """Ways to say that so many of the answers are right."""
    return [
        scale * count / M
        for count in (right, M - right)
        for scale in (100, 1, M, 100 * M)
        if count > 0
    ] + [way(100 * right / M) for way in (math.floor, math.ceil)]
