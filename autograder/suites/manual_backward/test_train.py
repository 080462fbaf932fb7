"""`train`: forward, loss, backward, optimize, in each iteration; the losses as Python floats.

Each check passes with the student's own `LR` and `loss`. Only where those are wrong it passes with
others in their place, too: a model and a loss that answer with any numbers and note what is called.
"""

import pytest
import torch
from torch import Tensor

from autograder.exercise import Failure, Formula, Misconception, between, checks, expect
from autograder.exercise.attempts import first_that_passes
from autograder.exercise.checks import mistake
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
NO_BACKWARD = Misconception(
    "no-backward",
    "You take steps without working out the gradients anew: each iteration calls `backward` once.",
)
TOO_MANY = Misconception(
    "several-steps", "You take more than one step in an iteration: `optimize` is called too often."
)
MISSING_STEP = Misconception(
    "step-missing", "You take fewer steps than there are iterations: one of them has none."
)
OTHER_ARGUMENTS = "The model and the loss should get x and y as they are given to `train`."
OTHER_MODEL = Misconception(
    "trains-another-model",
    "You train a model that you make inside of `train`; the one to be trained is the argument.",
)


@pytest.fixture(scope="module")
def given(suite_rng):
    return losses.draw(suite_rng)


@pytest.fixture(scope="module")
def right(given):
    """Plain gradient descent, float64: answers and costs before each step, w and b after all."""

    def cost(state, x, y):
        return lesson.cross_entropy(lesson.sigmoid(state[0].T @ x + state[1]), y)

    x, y, (w, b, lr) = given["x"], given["y"], given["state"].values()
    path = follow(cost, [w, b], [(x, y)] * ITERATIONS, plain(float(lr.double())))
    answers = [lesson.sigmoid(w.T @ x.double() + b) for w, b in path.places]
    w, b = path.places[-1]
    return {"answers": answers[:-1], "costs": path.losses, "w": w, "b": b}


def parts_work(student, given, right):
    """Whether all iterations come out right with the student's parts, called one by one from here.

    Then it is the fault of `train` where it does not train, whatever its calls look like.
    """
    x, y, calls = given["x"], given["y"], []
    for yhat in right["answers"]:
        calls += [["forward", x], ["backward", x, yhat.float(), y], ["optimize"]]
    pairs = [[right["answers"][0].float(), y]]
    try:
        left = student.run(probes.lr, **given["state"], calls=calls)
        cost = student.run(probes.on_pairs, name="loss", pairs=pairs)
    except Failure:
        return False
    got = [*(each["returned"] for each in left[::3]), left[-1]["w"], left[-1]["b"], *cost]
    wanted = [*right["answers"], right["w"], right["b"], right["costs"][0]]
    return all(
        isinstance(mine, Tensor) and checks.is_close(mine, each, 1e-5, scale=1.0)
        for mine, each in zip(got, wanted, strict=True)
    )


def with_either(student, given, check_own, check_noted, is_own_fault=lambda: False):
    """Pass where training is right with the student's parts or, unless those work, in its calls.

    The notes tell more about `train` alone, so they give the reason where neither passes.
    """

    def with_own():
        calls = [["train", given["x"], given["y"], ITERATIONS]]
        check_own(*student.run(probes.lr, **given["state"], calls=calls))

    def with_stand_ins():
        inputs = {name: given[name] for name in ("x", "y", "answers", "costs")}
        found = student.run(probes.noted, **inputs, swapped=SWAPPED, iterations=ITERATIONS)
        mistake("part-of-the-pictures", "part" in found["given"]).says(
            "You train on the first pictures alone, as a slice like `x[:, :10]` cuts them out."
            " Every picture counts, however many there are."
        )
        expect("other" not in found["given"], OTHER_ARGUMENTS)
        mistake("starts-anew-each-iteration", not found["left"]).says(
            "You put other numbers into the model's `w` or `b` than the step left there. Training"
            " goes on from where the iteration before has ended."
        )
        check_noted(found)
        if is_own_fault():
            with_own()

    first_that_passes(with_own, with_stand_ins, last_tells=True)


def in_list(returned):
    message = "The list of losses should have {length} entries; yours has {got}."
    return floats(returned, ITERATIONS, {1: RETURNS_EARLY}, forms=FORMS, message=message)


@pytest.mark.points(2)
def test_losses(student, given, right):
    """`train` returns a list of Python floats: the loss of each iteration, before its step.

    small = LR(2, lr=torch.scalar_tensor(0.5))
    x = torch.linspace(-2, 3, 600, device=device).reshape(2, 300)
    y = (x[:1] > -1).float()
    print([round(value, 4) for value in train(small, x, y, 3)])  # the first: before the first step
    #> [0.6931, 0.5755, 0.5137]
    """

    def check_own(left):
        losses.check(in_list(left["returned"]), costs=right["costs"])

    def check_noted(found):
        got, costs = in_list(found["losses"]), given["costs"]
        # How many steps an iteration makes is the other test's matter.
        if len(found["steps"]) == 2 * ITERATIONS:
            costs = costs[::2]
        elif not found["steps"]:
            costs = costs[:1].expand(ITERATIONS + 1)
        expect(not found["other"], OTHER_MODEL)
        losses.check(got, costs=costs)

    with_either(student, given, check_own, check_noted)


@pytest.mark.points(3)
def test_steps(student, given, right):
    """Each iteration makes one step, from gradients of the present answers.

    small = LR(2, lr=torch.scalar_tensor(0.5))
    x = torch.linspace(-2, 3, 600, device=device).reshape(2, 300)
    y = (x[:1] > -1).float()
    train(small, x, y, 3)
    print([round(value, 4) for value in (*small.w.ravel().tolist(), small.b.item())])
    #> [0.3609, 0.466, 0.042]
    """

    def check_own(left):
        for name, kept in (("`w`", "w"), ("`b`", "b")):
            got = lesson.reshaped(left[kept], name, right[kept])
            checks.close(got, right[kept], name, checks.roundoff(DIM + M, ITERATIONS), scale=2.0)

    def check_noted(found):
        steps, n = found["steps"], len(found["steps"])
        ready = [of is not None for of, _ in steps]
        early = isinstance(found["losses"], list) and len(found["losses"]) == 1
        few = RETURNS_EARLY if early else MISSING_STEP if n < ITERATIONS else None
        expect(not found["other"], OTHER_MODEL)
        mistake("no-step", not steps).says(
            "The model does not change: an iteration has to end with `optimize()`."
        )
        expect(any(ready), NO_BACKWARD)
        expect(
            n == ITERATIONS,
            "{wanted} iterations should make {wanted} steps, not {got}.",
            TOO_MANY if n >= 2 * ITERATIONS else few,
            **{"wanted": ITERATIONS, "got": n},
        )
        expect(all(ready[1:]), NO_BACKWARD)
        mistake("step-before-backward", not ready[0]).says(
            "You take the step before `backward`: it uses the gradients of the iteration before,"
            " and the first step uses none."
        )
        whole = all(whole for _, whole in steps)
        expect(whole, "`backward` should get x and y as they are given to `train`.")
        expect(
            [of for of, _ in steps] == [*range(ITERATIONS)],
            "The gradients are not worked out from the answers of their iteration.",
            STALE if steps[0][0] == steps[1][0] == 0 else None,
        )

    with_either(student, given, check_own, check_noted, lambda: parts_work(student, given, right))
