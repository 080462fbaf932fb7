"""`LR.forward`: the sigmoid of w^T x + b, one answer for each column of x.

Each check passes with the student's own `sigmoid` or, where that one is wrong, with an arbitrary
function in its place.
"""

from functools import partial

import pytest

from autograder.exercise import Formula, expect, tried
from autograder.suites.manual_backward import draw_pictures, draw_state, reshaped, returned, sigmoid
from autograder.suites.manual_backward.probes import arbitrary

DIM, M = 5, 131  # more pictures than the constants that people write into slices


def draw(rng, stand_in=False):
    return {**draw_state(rng, DIM), "x": draw_pictures(rng, DIM, M), "stand_in": stand_in}


score = Formula("the score", draw=draw, reference=lambda w, b, x: w.T @ x + b, terms=DIM + 1)
score.mistake("bias-ignored", lambda w, x: w.T @ x).says(
    "Your answers leave the bias out: `b` is never added."
)
score.mistake("bias-twice", lambda w, b, x: w.T @ x + 2 * b).says("You add the bias twice.")
score.mistake("bias-subtracted", lambda w, b, x: w.T @ x - b).says(
    "You subtract the bias; it is added."
)
score.mistake("score-negated", lambda w, b, x: -(w.T @ x + b)).says(
    "Your answers are mirrored: the sign of the score is flipped on the way."
)
score.mistake("mean-not-sum", lambda w, b, x: w.T @ x / DIM + b).says(
    "You take the mean of weight times pixel where the score is the sum: your scores are smaller by"
    " the factor `dim`."
)

answers = Formula(
    "`forward(x)`",
    draw=draw,
    given={"z": score},
    also=lambda stand_in: {"function": arbitrary if stand_in else sigmoid},
    reference=lambda z, function: function(z),
    terms=DIM + 1,
    steps=2,
    size=lambda w, b, x, stand_in: (1 + stand_in) * (w.abs().T @ x.abs() + b) + 5 * stand_in,
    take=reshaped,
    message="The answers are not the sigmoid of `w` transposed times `x`, plus `b`.",
    cases=[{"stand_in": False}, {"stand_in": True}],
)
answers.mistake("bias-after-sigmoid", lambda w, b, x, function: function(w.T @ x) + b).says(
    "You add the bias to the probability. It belongs to the score: first add it, then take the"
    " sigmoid."
)
answers.mistake("no-sigmoid", lambda z: z).says(
    "You return the score: numbers below 0 and above 1. The sigmoid makes a probability of it."
)
answers.mistake("sigmoid-twice", lambda z, function: function(function(z))).says(
    "You apply the sigmoid twice: even sure answers come out between 0.5 and 0.74."
)
answers.mistake("rounded", lambda z: (z > 0).double()).says(
    "You return 0 or 1. `forward` gives probabilities; to decide is the task of `predict`."
)
elementwise = answers.mistake("elementwise-product", lambda w, x: w * x, shape_only=True).says(
    "Your result still has `dim` rows: `*` multiplies number by number, and nothing adds up. The"
    " weighted sum is a matrix product, `@`."
)

row = Formula("`forward(x)`", draw=draw, reference=lambda w, x: w.T @ x, terms=DIM)
row.add(elementwise, lambda w, x: w * x, shape_only=True)
row.mistake("answers-as-a-column", lambda w, x: x.T @ w, shape_only=True).says(
    "Your answers are a column, `(m, 1)`; wanted is a row, `(1, m)`, like `y`. Together they would"
    " stretch to `(m, m)` without a word: compare `x.T @ w` with `w.T @ x`."
)
row.mistake("answers-without-row", lambda w, x: (w * x).sum(0), shape_only=True).says(
    "Your answers have one axis, `(m,)`; wanted is a row, `(1, m)`, like `y`. Does something"
    " squeeze, flatten or sum an axis away?"
)


def ask(student, rng, stand_in=False):
    inputs = answers.draw(rng, stand_in=stand_in)
    how = {name: inputs[name] for name in ("w", "b", "stand_in")}
    return returned(student, "forward", inputs["x"], **how), inputs


# Passes with the student's own `sigmoid`, or with an arbitrary function in its place.
with_either = tried(ask, partial(ask, stand_in=True))


@pytest.mark.points(7)
@with_either
def test_values(ask, rng):
    """The answer for each picture is the sigmoid of its weighted sum plus the bias.

    small = LR(3)
    with torch.no_grad():
        small.w.copy_(torch.tensor([[1.0], [-1.0], [0.5]]))
        small.b.fill_(0.5)
    x = torch.tensor([[0.0, 2.0], [1.0, 0.0], [1.0, 3.0]], device=device)
    print(small(x).detach().cpu())  # the scores are 0 and 4
    #> tensor([[0.5000, 0.9820]])
    """
    got, inputs = ask(rng)
    answers.check(got, **inputs)


@pytest.mark.points(3)
@with_either
def test_shape(ask, rng):
    """The answers are one row, `(1, m)`, another answer for another picture.

    for m in (4, 1):  # how many pictures
        print(LR(3)(torch.ones(3, m, device=device)).shape)
    #> torch.Size([1, 4])
    #> torch.Size([1, 1])
    """
    got, inputs = ask(rng)
    got = row.form(got, **inputs)
    different = bool((got.max() - got.min()) > 1e-3)
    expect(different, "Your answer is the same for every picture: it has to depend on x.")
