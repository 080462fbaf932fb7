"""`train`: forward, loss, backward, optimize, in each iteration; the losses as Python floats.

Each check passes with the student's own `LR` and `loss`. Only where those are wrong it passes with
others in their place, too: a model and a loss that answer with any numbers and note what is called.
"""

import pytest
import torch
from torch import nn

from autograder.exercise import checks
from autograder.exercise.checks import Failure, Misconception, expect, fail
from autograder.exercise.student import StudentError
from autograder.suites.manual_backward import (
    call,
    cross_entropy,
    draw_labels,
    draw_pictures,
    draw_state,
    probe_lr,
    sigmoid,
)

DIM, ITERATIONS = 4, 5
M = 131  # more pictures than the constants that people write into slices

AFTER_STEP = Misconception(
    "loss-after-step",
    "Your losses are from after the step of their iteration; wanted is the loss from before it, of"
    " the answers that the gradients are worked out from.",
)
STALE = Misconception(
    "forward-only-once",
    "You ask the model for its answers once, before the loop. They change with each step: forward"
    " is a part of every iteration.",
)
TENSORS = Misconception(
    "losses-as-tensors",
    "Your list holds tensors; wanted are Python floats. `.item()` makes one of a scalar tensor.",
)
LAST_ONLY = Misconception(
    "last-loss-only",
    "You return one loss; wanted is a list with the loss of each iteration.",
)
RUNNING = Misconception(
    "running-sum",
    "Your losses add up the ones before them; each entry is the loss of its own iteration.",
)
RETURNS_EARLY = Misconception(
    "returns-early",
    "Your list has a single entry: does `return` stand inside the loop?",
)
ARGUMENTS = Misconception(
    "loss-arguments-swapped",
    "You call `loss` with its arguments the other way round: first the answers, then the classes.",
)
NO_STEP = Misconception(
    "no-step", "The model does not change: an iteration has to end with `optimize()`."
)
NO_BACKWARD = Misconception(
    "no-backward",
    "You take steps without working out the gradients anew: each iteration calls `backward` once.",
)
STEP_FIRST = Misconception(
    "step-before-backward",
    "You take the step before `backward`: it uses the gradients of the iteration before, and the"
    " first step uses none.",
)
TOO_MANY = Misconception(
    "several-steps", "You take more than one step in an iteration: `optimize` is called too often."
)
MISSING_STEP = Misconception(
    "step-missing", "You take fewer steps than there are iterations: one of them has none."
)
PART = Misconception(
    "part-of-the-pictures",
    "You train on the first pictures alone, as a slice like `x[:, :10]` cuts them out. Every"
    " picture counts, however many there are.",
)
STARTS_ANEW = Misconception(
    "starts-anew-each-iteration",
    "You put other numbers into the model's `w` or `b` than the step left there. Training goes on"
    " from where the iteration before has ended.",
)
OTHER_MODEL = Misconception(
    "trains-another-model",
    "You train a model that you make inside of `train`; the one to be trained is the argument.",
)


def probe_stand_in(notebook, x, y, answers, iterations):
    device = notebook.device
    x, y = x.to(device), y.to(device)
    answers = [answer.to(device) for answer in answers]
    notes, made = [], []

    def which(yhat):
        """The number of the answer that yhat is, -1 where it is none of them."""
        same = [
            isinstance(yhat, torch.Tensor)
            and yhat.shape == answer.shape
            and torch.equal(yhat.detach(), answer)
            for answer in answers
        ]
        return same.index(True) if True in same else -1

    def given(value, whole):
        """Whether a value is the whole of what `train` was given, its first columns, or neither."""
        if not isinstance(value, torch.Tensor) or value.dim() != whole.dim():
            return "other"
        if torch.equal(value, whole):
            return "whole"
        return "part" if torch.equal(value, whole[:, : value.shape[1]]) else "other"

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lr, self.grads = torch.tensor(0.1, device=device), {}
            self.steps = 0
            self.move()

        def move(self):
            """Put other numbers into w and b."""
            self.w = torch.full((x.shape[0], 1), 1.5 + self.steps, device=device)
            self.b = torch.tensor(2.5 + self.steps, device=device)

        def forward(self, x_given):
            left = bool((self.w == 1.5 + self.steps).all()) and float(self.b) == 2.5 + self.steps
            notes.append(["forward", self.steps, given(x_given, x), left])
            return answers[min(self.steps, len(answers) - 1)].clone()

        def backward(self, x_given, yhat, y_given):
            right = given(x_given, x) == given(y_given, y) == "whole"
            notes.append(["backward", which(yhat), right])
            self.grads = {"dw": self.w, "db": self.b}

        def optimize(self):
            notes.append(["optimize", self.steps])
            self.steps += 1
            self.move()

    def loss(yhat, labels):
        place = which(yhat)
        if place < 0:
            swapped = which(labels) >= 0
            notes.append(["loss", -2 if swapped else -1])
            return torch.tensor(9.0 if swapped else 8.0, device=device)
        notes.append(["loss", place, given(labels, y)])
        return torch.tensor(2.0 + 0.25 * place, device=device)

    class Other(Model):
        def __init__(self, *ignored, **named):
            super().__init__()
            made.append(True)

    notebook.loss = loss
    notebook.LR = Other
    losses = notebook.train(Model(), x, y, iterations)
    return {"losses": losses, "notes": notes[:1000], "other": bool(made)}


@pytest.fixture(scope="module")
def given(suite_rng):
    answers = [0.1 + 0.8 * torch.rand(1, M, generator=suite_rng) for _ in range(2 * ITERATIONS + 2)]
    return {
        "state": draw_state(suite_rng, DIM),
        "x": draw_pictures(suite_rng, DIM, M),
        "y": draw_labels(suite_rng, M),
        "lr": 0.3 + 0.3 * torch.rand((), generator=suite_rng),
        "answers": answers,
    }


@pytest.fixture(scope="module")
def own(student, given):
    """What training leaves behind with the student's own LR and loss, or why it does not."""
    try:
        (left,) = student.run(
            probe_lr,
            dim=DIM,
            lr=given["lr"],
            state=given["state"],
            calls=[call("train", given["x"], given["y"], ITERATIONS)],
        )
    except Failure as failure:
        return failure
    return left


@pytest.fixture(scope="module")
def noted(student, given):
    """What `train` calls, noted by a model and a loss in the place of the student's."""
    try:
        return student.run(
            probe_stand_in,
            x=given["x"],
            y=given["y"],
            answers=given["answers"],
            iterations=ITERATIONS,
        )
    except Failure as failure:
        return failure


def trajectory(given):
    """The losses, w and b of plain gradient descent, float64."""
    x, y, lr = (given[name].double() for name in ("x", "y", "lr"))
    w, b = (given["state"][name].double() for name in ("w", "b"))
    losses = []
    for _ in range(ITERATIONS + 1):
        yhat = sigmoid(w.T @ x + b)
        losses.append(cross_entropy(yhat, y))
        before = w, b
        dz = (yhat - y) / M
        w, b = w - lr * x @ dz.T, b - lr * dz.sum()
    return torch.stack(losses), *before


def probe_loss(notebook, yhat, y):
    return notebook.loss(yhat.to(notebook.device), y.to(notebook.device))


@pytest.fixture(scope="module")
def parts_work(student, given):
    """Whether all iterations come out right with the student's parts, called one by one from here.

    Then it is the fault of `train` where it does not train, whatever its calls look like.
    """
    x, y, lr = given["x"], given["y"], given["lr"]
    w, b = (given["state"][name].double() for name in ("w", "b"))
    calls, wanted = [], []
    for _ in range(ITERATIONS):
        yhat = sigmoid(w.T @ x.double() + b)
        dz = (yhat - y) / M
        dw, db = x.double() @ dz.T, dz.sum()
        w, b = w - lr.double() * dw, b - lr.double() * db
        calls += [call("forward", x), call("backward", x, yhat.float(), y), call("optimize")]
        wanted += [yhat, dw, db, w, b]
    try:
        left = student.run(probe_lr, dim=DIM, lr=lr, state=given["state"], calls=calls)
        got = []
        for forward, backward, step in zip(left[::3], left[1::3], left[2::3], strict=True):
            grads = backward["grads"]
            got += [forward["returned"], grads["dw"], grads["db"], step["w"], step["b"]]
        got.append(student.run(probe_loss, yhat=yhat.float(), y=y))
    except (Failure, TypeError, KeyError):
        return False
    wanted.append(cross_entropy(yhat.float(), y))
    return all(
        isinstance(mine, torch.Tensor) and checks.is_close(mine, right, 1e-5, scale=1.0)
        for mine, right in zip(got, wanted, strict=True)
    )


def with_either(own, noted, check_own, check_noted, parts_work=False):
    """Pass where training is right with the student's parts or, unless those work, in its calls.

    The notes tell more about `train` alone, so they give the reason where neither passes.
    """

    def attempt(found, check):
        if isinstance(found, Failure):
            raise found
        check(found)

    try:
        attempt(own, check_own)
    except Failure as failure:
        if isinstance(noted, StudentError) and not isinstance(failure, StudentError):
            raise
        attempt(noted, check_noted)
        if parts_work:
            raise


def check_arguments(found):
    """Fail where the model or the loss got something else than the whole, or w and b were reset."""
    given = [note[2] for note in found["notes"] if note[0] in ("forward", "loss") and note[2:]]
    expect("part" not in given, "", because=PART)
    expect(
        "other" not in given,
        "The model and the loss should get x and y as they are given to `train`.",
    )
    left = [note[3] for note in found["notes"] if note[0] == "forward"]
    expect(all(left), "", because=STARTS_ANEW)


def check_list(losses):
    if isinstance(losses, float) or (isinstance(losses, torch.Tensor) and losses.dim() == 0):
        fail("", because=LAST_ONLY)
    if isinstance(losses, list) and any(isinstance(item, torch.Tensor) for item in losses):
        fail("", because=TENSORS)
    if isinstance(losses, list) and len(losses) == 1:
        fail("", because=RETURNS_EARLY)
    return checks.numbers(losses, "The list of losses", ITERATIONS)


LOSSES = """\
small = LR(2, lr=torch.scalar_tensor(0.5))
x = torch.linspace(-2, 3, 600, device=device).reshape(2, 300)
y = (x[:1] > -1).float()
print([round(value, 4) for value in train(small, x, y, 3)])  # the first: before the first step
#> [0.6931, 0.5755, 0.5137]
"""


@pytest.mark.points(2)
@pytest.mark.example(LOSSES)
def test_losses(own, noted, given):
    """`train` returns a list of Python floats: the loss of each iteration, before its step."""

    def check_own(left):
        losses = check_list(left["returned"])
        wanted = trajectory(given)[0][:-1]
        checks.close(losses, wanted, "The losses", checks.roundoff(DIM + M, ITERATIONS) + 2e-5)

    def check_noted(found):
        check_arguments(found)
        losses = check_list(found["losses"])
        steps = [note[0] for note in found["notes"]].count("optimize")
        numbers = torch.arange(ITERATIONS + 1).double()
        # How many steps an iteration makes is the other test's matter.
        each = steps // ITERATIONS if steps in (0, 2 * ITERATIONS) else 1
        table = 2 + 0.25 * each * numbers
        own_formula = torch.stack(
            [cross_entropy(given["answers"][each * k], given["y"]) for k in range(ITERATIONS + 1)]
        )
        if checks.is_close(losses, own_formula[:-1], 1e-4):
            return
        expect(not found["other"], "", because=OTHER_MODEL)
        wanted = table[:-1]
        checks.close(
            losses,
            wanted,
            "The losses",
            1e-6,
            among=[
                (AFTER_STEP, table[1:]),
                (AFTER_STEP, own_formula[1:]),
                (STALE, table[:1].expand(ITERATIONS)),
                (STALE, own_formula[:1].expand(ITERATIONS)),
                (ARGUMENTS, torch.full_like(wanted, 9.0)),
                (RUNNING, wanted.cumsum(0)),
                (RUNNING, wanted.cumsum(0) / (numbers[:-1] + 1)),
            ],
            message="The entries of the list are not the losses of the iterations, each of the"
            " answers from before its step.",
        )

    with_either(own, noted, check_own, check_noted)


STEPS = """\
small = LR(2, lr=torch.scalar_tensor(0.5))
x = torch.linspace(-2, 3, 600, device=device).reshape(2, 300)
y = (x[:1] > -1).float()
train(small, x, y, 3)
print([round(value, 4) for value in (*small.w.ravel().tolist(), small.b.item())])
#> [0.3609, 0.466, 0.042]
"""


@pytest.mark.points(3)
@pytest.mark.example(STEPS)
def test_steps(own, noted, parts_work, given):
    """Each iteration makes one step, from gradients of the present answers."""

    def check_own(left):
        _, w, b = trajectory(given)
        for name, wanted in (("w", w), ("b", b)):
            got = torch.as_tensor(left[name])
            got = got.reshape(wanted.shape) if got.numel() == wanted.numel() else got
            got = checks.tensor(got, f"`{name}`", tuple(wanted.shape))
            checks.close(got, wanted, f"`{name}`", checks.roundoff(DIM + M, ITERATIONS), scale=2.0)

    def check_noted(found):
        check_arguments(found)
        notes = found["notes"]
        order = [note[0] for note in notes if note[0] in ("backward", "optimize")]
        expect(not found["other"], "", because=OTHER_MODEL)
        steps = order.count("optimize")
        expect(steps > 0, "", because=NO_STEP)
        expect("backward" in order, "", because=NO_BACKWARD)
        if steps != ITERATIONS:
            early = isinstance(found["losses"], list) and len(found["losses"]) == 1
            because = TOO_MANY if steps >= 2 * ITERATIONS else RETURNS_EARLY if early else None
            because = because or (MISSING_STEP if steps < ITERATIONS else None)
            fail(f"{ITERATIONS} iterations should make {ITERATIONS} steps, not {steps}.", because)
        ready, done = None, 0
        for name, *what in notes:
            if name == "backward":
                ready = what
            elif name == "optimize":
                if ready is None:
                    late = done == 0 and order[1:2] == ["backward"]
                    fail("", because=STEP_FIRST if late else NO_BACKWARD)
                place, right = ready
                expect(right, "`backward` should get x and y as they are given to `train`.")
                if place != done:
                    fail(
                        "The gradients are not worked out from the answers of their iteration.",
                        because=STALE if place == 0 else None,
                    )
                ready, done = None, done + 1

    with_either(own, noted, check_own, check_noted, parts_work)
