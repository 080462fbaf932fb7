"""`train`: forward, loss, backward, optimize, in each iteration; the losses as Python floats.

Each check passes with the student's own `LR` and `loss`. Only where those are wrong it passes with
others in their place, too: a model and a loss that answer with any numbers and note what is called.
"""

import pytest
import torch

from autograder.exercise import Formula, Misconception, between, checks, expect, mistake, tried
from autograder.exercise.returned import Forms, floats
from autograder.exercise.trajectories import follow, plain
from autograder.suites import manual_backward as lesson
from autograder.suites.manual_backward import probes

DIM, ITERATIONS = 4, 5
M = 131  # more pictures than the constants that people write into slices
SWAPPED = 9.0  # what the loss in place of the student's gives for its arguments swapped


def draw(rng):
    """A model and what to train it with; any answers, before each step and after it, their cost."""
    y = lesson.draw_labels(rng, M)
    answers = [between(rng, 0.1, 0.9, 1, M) for _ in range(2 * ITERATIONS + 1)]
    costs = torch.stack([lesson.cross_entropy(answer, y) for answer in answers])
    state = {**lesson.draw_state(rng, DIM), "lr": between(rng, 0.3, 0.6)}
    x = lesson.draw_pictures(rng, DIM, M)
    return {"x": x, "y": y, "state": state, "answers": answers, "costs": costs}


losses = Formula(
    "The losses",
    draw=draw,
    also=lambda costs: {"before": costs[:ITERATIONS], "after": costs[1 : ITERATIONS + 1]},
    reference=lambda before: before,
    within=2e-4,
    margin=5e-3,
    message="The entries of the list are not the losses of the iterations, each of the answers from"
    " before its step.",
)
losses.mistake("loss-after-step", lambda after: after).says(
    "Your losses are from after the step of their iteration; wanted is the loss from before it, of"
    " the answers that the gradients are worked out from."
)
STALE = losses.mistake("forward-only-once", lambda before: before[:1].expand(ITERATIONS)).says(
    "You ask the model for its answers once, before the loop. They change with each step: forward"
    " is a part of every iteration."
)
losses.mistake("loss-arguments-swapped", lambda: torch.full((ITERATIONS,), SWAPPED)).says(
    "You call `loss` with its arguments the other way round: first the answers, then the classes."
)
losses.mistake(
    "running-sum",
    lambda before: before.cumsum(0),
    lambda before: before.cumsum(0) / torch.arange(1, ITERATIONS + 1),
).says("Your losses add up the ones before them; each entry is the loss of its own iteration.")

FORMS = Forms(
    nothing=None,
    number=Misconception(
        "last-loss-only", "You return one loss; wanted is a list with the loss of each iteration."
    ),
    tensors=Misconception(
        "losses-as-tensors",
        "Your list holds tensors; wanted are Python floats. `.item()` makes one of a scalar"
        " tensor.",
    ),
    arrays=None,
)
RETURNS_EARLY = Misconception(
    "returns-early", "Your list has a single entry: does `return` stand inside the loop?"
)


def as_many(value, name, right):
    says = "{wanted} iterations should make {wanted} steps, not {got}."
    expect(len(value) == ITERATIONS, says, wanted=ITERATIONS, got=len(value))
    return value


# Which answers each step follows from, counted from 1; without new gradients it is -1.
NONE, ONE_EACH = torch.tensor([-1.0]), torch.arange(1.0, ITERATIONS + 1)
steps = Formula(
    "The steps",
    draw=lambda rng, early=False: {"early": early},
    reference=lambda: ONE_EACH,
    take=as_many,
    size=lambda: 1.0,
    message="A step does not follow from its iteration: each is made with the gradients that"
    " `backward` works out from the present answers, and from x and y as `train` is given them.",
    cases=[{}, {"early": True}],
)
steps.mistake("no-step", lambda: ONE_EACH[:0]).says(
    "The model does not change: an iteration has to end with `optimize()`."
)
steps.add(STALE, lambda: torch.ones(ITERATIONS))
steps.add(RETURNS_EARLY, lambda early: (ONE_EACH[:1] for _ in range(early)))
steps.mistake(
    "step-missing", lambda early: (ONE_EACH[:n] for n in range(1 + early, ITERATIONS))
).says("You take fewer steps than there are iterations: one of them has none.")
steps.mistake(
    "several-steps",
    lambda: torch.arange(1.0, 2 * ITERATIONS + 1),
    lambda: torch.stack([2 * ONE_EACH - 1, NONE.expand(ITERATIONS)], dim=1).flatten(),
).says("You take more than one step in an iteration: `optimize` is called too often.")
steps.mistake(
    "no-backward",
    lambda: (torch.cat([ONE_EACH[:n], NONE.expand(ITERATIONS - n)]) for n in (0, 1)),
).says(
    "You take steps without working out the gradients anew: each iteration calls `backward` once."
)
steps.mistake(
    "step-before-backward", lambda: (torch.cat([NONE, ONE_EACH[:-1] + n]) for n in (0, 1))
).says(
    "You take the step before `backward`: it uses the gradients of the iteration before, and the"
    " first step uses none."
)


@pytest.fixture(scope="module")
def given(suite_rng):
    """What to train with, and where plain gradient descent leads, in float64."""

    def cost(state, x, y):
        return lesson.cross_entropy(lesson.sigmoid(state[0].T @ x + state[1]), y)

    drawn = losses.draw(suite_rng)
    w, b, lr = drawn["state"].values()
    path = follow(cost, [w, b], [(drawn["x"], drawn["y"])] * ITERATIONS, plain(float(lr.double())))
    return {**drawn, "path": path}


def with_own(student, given):
    """What `train` does with the student's own model and loss, beside the right costs."""
    calls = [["train", given["x"], given["y"], ITERATIONS]]
    (left,) = student.run(probes.lr, **given["state"], calls=calls)
    return {**left, "costs": given["path"].losses}


def with_stand_ins(student, given):
    """What it does with others in their place, beside the costs that those have told."""
    inputs = {name: given[name] for name in ("x", "y", "answers", "costs")}
    found = student.run(probes.noted, **inputs, swapped=SWAPPED, iterations=ITERATIONS)
    mistake("part-of-the-pictures", "part" in found["notes"]).says(
        "You train on the first pictures alone, as a slice like `x[:, :10]` cuts them out. Every"
        " picture counts, however many there are."
    )
    as_given = "The model and the loss should get x and y as they are given to `train`."
    expect("others" not in found["notes"], as_given)
    mistake("trains-another-model", "another model" in found["notes"]).says(
        "You train a model that you make inside of `train`; the one to be trained is the argument."
    )
    mistake("starts-anew-each-iteration", "moved" in found["notes"]).says(
        "You put other numbers into the model's `w` or `b` than the step left there. Training goes"
        " on from where the iteration before has ended."
    )
    # How many steps an iteration makes is the matter of another test than that of the losses.
    each = min(round(len(found["steps"]) / ITERATIONS), 2)
    return {**found, "costs": given["costs"][torch.arange(ITERATIONS + 1) * each]}


# The notes tell more about `train` alone, so they give the reason where neither way passes.
with_either = tried(with_own, with_stand_ins, last_tells=True)


@pytest.mark.points(2)
@with_either
def test_losses(ask, given):
    """`train` returns a list of Python floats: the loss of each iteration, before its step.

    small = LR(2, lr=torch.scalar_tensor(0.5))
    x = torch.linspace(-2, 3, 600, device=device).reshape(2, 300)
    y = (x[:1] > -1).float()
    print([round(value, 4) for value in train(small, x, y, 3)])  # the first: before the first step
    #> [0.6931, 0.5755, 0.5137]
    """
    found = ask(given)
    message = "The list of losses should have {length} entries; yours has {got}."
    early = {1: RETURNS_EARLY}
    got = floats(found["returned"], ITERATIONS, early, forms=FORMS, message=message)
    losses.check(got, costs=found["costs"])


@pytest.mark.points(3)
@with_either
def test_steps(ask, given):
    """Each iteration makes one step, from gradients of the present answers.

    small = LR(2, lr=torch.scalar_tensor(0.5))
    x = torch.linspace(-2, 3, 600, device=device).reshape(2, 300)
    y = (x[:1] > -1).float()
    train(small, x, y, 3)
    print([round(value, 4) for value in (*small.w.ravel().tolist(), small.b.item())])
    #> [0.3609, 0.466, 0.042]
    """
    found = ask(given)
    if "steps" in found:
        early = isinstance(found["returned"], list) and len(found["returned"]) == 1
        return steps.check(torch.tensor(found["steps"]), early=early)
    for name, right in zip(("w", "b"), given["path"].places[-1], strict=True):
        got = lesson.reshaped(found[name], f"`{name}`", right)
        checks.close(got, right, f"`{name}`", checks.roundoff(DIM + M, ITERATIONS), scale=2.0)
