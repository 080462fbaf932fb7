"""`predict`: the accuracy in percent; class 1 above 0.5, and a tie is class 0."""

import torch

from autograder.exercise import Formula, between, checks
from autograder.exercise.described import graded
from autograder.suites.manual_backward import answers_of

#: So that no share of them is a whole number of percents, but none and all.
M = 131
#: An accuracy may be rounded to hundredths.
NEAR = 6e-5


def draw(rng, right, wrong=M, ties0=0):
    """Answers and classes (1, m): so many right, wrong, ties of class 0; the others tie with 1."""
    y = torch.randint(2, (M,), generator=rng).float()
    off, ends = between(rng, 0.03, 0.45, M), min(right + wrong, M)
    y[ends : ends + ties0], y[ends + ties0 :] = 0, 1
    off[right:ends], off[ends:] = 1 - off[right:ends], 0.5
    order = torch.randperm(M, generator=rng)
    return {"yhat": (y - off).abs()[order].reshape(1, M), "y": y[order].reshape(1, M)}


def percent(decided, y):
    """How many percent are decided as the labels say."""
    return 100 * (decided.double() == y).double().mean()


def told(right):
    """So many percent, also as a fraction or a count, in whole percents, or of the wrong ones."""
    for each in (right, 100 - right):
        yield from (each, each / 100, each * M / 100, each * M)
    yield from (right.floor(), right.ceil())


hits = Formula(
    "The accuracy",
    draw=lambda rng: draw(rng, *torch.randperm(40, generator=rng)[:3].tolist()),
    reference=lambda yhat, y: percent(yhat > 0.5, y),
    accepted=lambda yhat, y: told(percent(yhat > 0.5, y)),  # that is the other test's matter
    within=NEAR,
    size=lambda: 100.0,
    take=lambda got, name, right: checks.number(got, name),
    message="The result fits neither ties of class 0 nor ties of class 1.",
)
hits.mistake(
    "tie-is-class-1",
    lambda yhat, y: (each for each in told(percent(yhat >= 0.5, y)) if (yhat == 0.5).any()),
).says(
    "You count an answer of exactly 0.5 as class 1 (`>=`, or rounding up): class 1 is only above"
    " it."
)
hits.mistake("no-threshold", lambda y: 0 * y.mean(), idle=True).says(
    "You compare the probabilities themselves with the classes: they are hardly ever equal. First"
    " decide: class 1 above 0.5."
)
hits.mistake(
    "distance-not-accuracy", lambda yhat, y: (k * (1 - (yhat - y).abs().mean()) for k in (100, 1))
).says(
    "You measure how far the probabilities are from the classes. For an accuracy each answer is"
    " either right or wrong: first decide, with the threshold."
)
hits.mistake("threshold-at-0", lambda yhat, y: percent(yhat > 0, y)).says(
    "You put every picture into class 1: probabilities are always above 0. The threshold is 0.5."
)
hits.mistake("argmax-of-one-row", lambda yhat, y: percent(yhat > 1, y)).says(
    "You put every picture into class 0. There is one row of answers: `argmax` over it, or turning"
    " probabilities into whole numbers, always gives 0."
)
hits.mistake("every-answer-with-every-label", lambda yhat, y: percent(yhat > 0.5, y.T)).says(
    "You compare every answer with every class: one was a column and the other a row, and together"
    " they stretch to `(m, m)`."
)
hits.mistake("share-of-ones", lambda yhat: 100 * (yhat > 0.5).to(yhat).mean()).says(
    "You return how many pictures you put into class 1; wanted is for how many that is right."
)
flags = hits.mistake("one-for-each-picture", lambda y: iter((y, y.T, y[0])), shape_only=True).says(
    "You return something for each picture; wanted is one number: how many percent are right."
)

accuracy = Formula(
    "The accuracy",
    draw=lambda rng: draw(rng, int(between(rng, 75, 115))),
    given={"right": hits},
    reference=lambda right: right,
    within=NEAR,
    size=lambda: 100.0,
    take=lambda got, name, right: checks.number(got, name),
    message="The result is one number, but not how many percent of the answers are right.",
)
accuracy.add(flags, lambda y: iter((y, y.T, y[0])), shape_only=True)
accuracy.mistake("fraction", lambda right: right / 100).says(
    "Your accuracy is a fraction between 0 and 1; wanted is percent, 0 to 100."
)
accuracy.mistake("count", lambda right: right * M / 100).says(
    "You return how many answers are right; wanted is what part of them, in percent."
)
accuracy.mistake("divides-by-rows", lambda right: right * M).says(
    "You divide by the number of rows, which is 1: `len(y)` and `y.shape[0]` do not count the"
    " pictures here, `y.shape[1]` does."
)
accuracy.mistake("counts-errors", lambda right: (k * (100 - right) for k in (1, 0.01))).says(
    "You count the answers that are wrong, or take class 1 where `yhat` is small: your result and"
    " the accuracy add up to 100."
)
accuracy.mistake("whole-percents", lambda right: right.floor(), lambda right: right.round()).says(
    "You cut or round the accuracy to whole percents: with 131 pictures, one of them is 0.76"
    " percent. Return the number as it is."
)


def check(student, rng, formula):
    """Check several inputs: one number may be right by luck, or look like that of a mistake."""
    formula.check_all(answers_of(student, "predict", [formula.draw(rng) for _ in range(3)]))


@graded(3, accuracy, check)
def test_percent():
    """`predict(yhat, y)` is how many percent of the answers are right.

    yhat = torch.tensor([[0.9, 0.2, 0.4, 0.7, 0.3, 0.6, 0.4, 0.1]])
    y = torch.tensor([[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
    print(float(predict(yhat, y)))  # five of the eight are right
    #> 62.5
    """


@graded(2, hits, check)
def test_tie():
    """An answer of exactly 0.5 counts as class 0.

    yhat = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.9]])
    y = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]])
    print(f"{float(predict(yhat, y)):.1f}")  # the four ties count as class 0, three of them rightly
    #> 80.0
    """
