"""The steps of a training loop: how many, along which gradients, and what else moves."""

from functools import partial
from typing import Any

import torch

from autograder.exercise import checks, returned
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.formula import Formula, Inputs
from autograder.exercise.trajectories import Optimizer, replay, vector
from autograder.suites.training_loop import NO_FORWARD, Run, moved
from autograder.suites.training_loop.means import LAST_SKIPPED, sizes_of
from autograder.suites.training_loop.network import (
    CONSTANTS,
    at_each,
    draw_training,
    gradient,
    linex,
    mse,
    size_of_gradient,
    walk,
)

# ------------------------------------------------------------ what a criterion is mixed up with

PART = Misconception(
    "part-of-the-samples",
    "You use the first samples alone of those that your function is given, as a slice like"
    " `x[:32]` cuts them out. Every sample counts, however many there are.",
)
ROOT = Misconception(
    "root-of-loss",
    "You take the square root of what the criterion gives; its own number is the loss.",
)


def add_criteria(formula: Formula) -> None:
    """Add what comes of other criteria, and of parts of the samples.

    Args:
        formula: where `each(criterion, first)` is what is right with another criterion than
            :func:`network.linex`, or of the first samples of each batch alone.
    """
    formula.mistake(
        "arguments-swapped", lambda each: each(lambda outputs, labels: linex(labels, outputs))
    ).says(
        "You call the criterion with its arguments swapped. MSE forgives that; a loss for which too"
        " much and too little are different things does not. Which comes first in section 3?"
    )
    formula.mistake(
        "criterion-ignored",
        lambda each: each(mse),
        lambda each: each(lambda outputs, labels: mse(outputs, labels) * len(outputs)),
    ).says(
        "Your loss is a mean squared error, whatever the criterion is that your function was given."
    )
    formula.mistake(
        "broadcast", lambda each: each(lambda outputs, labels: linex(outputs, labels.T))
    ).says(
        "Your outputs and labels do not have the same shape when they meet: `(n, 1)` with `(n,)`"
        " gives all `(n, n)` differences, each output against every label. Pass both on as they"
        " come."
    )
    formula.add(ROOT, lambda each: each(lambda outputs, labels: linex(outputs, labels).sqrt()))
    formula.add(PART, lambda each: (each(linex, first) for first in CONSTANTS))


# -------------------------------------------------------------------- the gradients of the steps

#: Slow enough that nothing grows beyond all bounds where the gradients add up.
SLOW = {"outputs": 1, "criterion": "linex", "lr": 0.01}


def gradients_at(at: list[Any], batches: list[Any], epochs: int) -> Inputs:
    turns = batches * epochs
    each = partial(at_each, gradient, at, turns)
    samples = sizes_of(turns)[:, None]
    return {"turns": turns, "each": each, "right": each(linex), "samples": samples}


gradients = Formula(
    "The gradient at a step",
    draw=draw_training,
    also=gradients_at,
    reference=lambda right: right,
    # A dozen terms a sum, three sums deep, an exponential at the end.
    terms=40,
    steps=3,
    size=lambda at, turns: max(
        size_of_gradient(p, x, y) for p, (x, y) in zip(at, turns, strict=True)
    ),
    message="At a step, the gradient is not that of the criterion on the data of that step.",
    cases=[{**SLOW, "epochs": 3, "samples": samples} for samples in (131, 443)],
)
add_criteria(gradients)
gradients.mistake("forgotten-zero-grad", lambda right: right.cumsum(0)).says(
    "Your gradients add up from step to step: `backward()` adds to what is there already. Section 3"
    " shows what that does to a descent, and which part of the loop prevents it."
)
gradients.mistake(
    "zero-grad-per-epoch",
    lambda right, batches, epochs: (
        right.reshape(epochs, len(batches), -1).cumsum(1).reshape(right.shape) for _ in batches[1:2]
    ),
).says(
    "Gradients add up from batch to batch and are forgotten only once an epoch. Each batch has a"
    " step of its own, so each has to start without the gradients before it."
)
STEP_FIRST = gradients.mistake(
    "step-before-backward", lambda right: torch.cat([0 * right[:1], right[1:]])
).says(
    "You step before you go backward: the gradient of this loss comes too late for its own step."
    " Look at the order of the five parts in section 3."
)
gradients.mistake("gradient-ascent", lambda right: -right).says(
    "Your gradient has the opposite sign: the loss is pushed up instead of down."
)
gradients.mistake("loss-summed", lambda right, samples: right * samples).says(
    "Your gradient is too large by the number of samples: the criterion gives a mean, and the step"
    " follows that mean as it is."
)
gradients.mistake("divided-again", lambda right, samples: right / samples).says(
    "Your gradient is too small by the number of samples: the criterion's mean has already divided"
    " by them."
)
gradients.mistake(
    "divided-by-batches", lambda right, batches: (right / len(batches) for _ in batches[1:2])
).says(
    "Your gradient is too small by the number of batches: each step follows the loss of its batch"
    " as it is."
)


def check(run: Run) -> None:
    """Check that each batch of each epoch has one step, along the gradient of its own loss."""
    expect(bool(run.passes), NO_FORWARD)
    trains_a_copy = Misconception(
        "trains-a-copy",
        "You train a copy of the model, and the model that your function was given stays as it was."
        " The optimizer knows the parameters of that one, and so does whoever called you.",
    )
    expect(any(each["own"] for each in run.passes), trains_a_copy)
    epochs, per_epoch = run.drawn["epochs"], len(run.drawn["batches"])
    wanted, got = epochs * per_epoch, len(run.steps)
    if got != wanted:
        because = wrong_count(run, epochs, per_epoch)
        fail(A_BATCH if per_epoch > 1 else AN_EPOCH, because, wanted=wanted, got=got)
    taken = torch.stack([vector(step["gradients"], step["before"]) for step in run.steps])
    expect(bool(torch.isfinite(taken).all()), "The gradients at your steps are not finite.")
    expect(bool(taken.any()), why_zero(run))
    gradients.check(taken, **{**run.drawn, "at": [step["before"] for step in run.steps]})


def why_zero(run: Run) -> Misconception:
    """The mistake by which no step has a gradient."""
    if not run.backwards:
        return Misconception(
            "no-backward",
            "The optimizer steps, but there are no gradients: nothing ever goes backward from the"
            " loss.",
        )
    if any(each is not None and bool(each.any()) for each in run.gradients):
        return STEP_FIRST
    return Misconception(
        "zeroed-before-step",
        "When `step()` comes, the gradients have just been forgotten, and no parameter moves. Look"
        " at the order of the five parts in section 3.",
    )


def around(run: Run, turns: list[Any], lr: float) -> Inputs:
    """The parameters `at` and `after` the steps, one with each batch of `turns`.

    Where they are not to be told, they are those of a right loop, which the grader has `walked`.
    """
    at = run.places(len(turns))
    if at is not None:
        return {"at": at, "after": [step["after"] for step in run.steps], "walked": 0}
    path = walk(run.drawn["start"], turns, mse, lr)
    return {"at": path[:-1], "after": [], "walked": len(turns)}


# ------------------------------------------------------------------------------- how many there are

A_BATCH = "{wanted} steps were expected, a batch each; your optimizer took {got}."
AN_EPOCH = "{wanted} steps were expected, an epoch each; your optimizer took {got}."
CUT_SHORT = Misconception(
    "loader-cut-short",
    "Your loop stops before the loader is at its end (a `break`, or a number of batches that does"
    " not come from the loader): an epoch is one round through all of it.",
)
NO_STEP = Misconception(
    "no-step",
    "The optimizer never takes a step, and the parameters stay what they were: part 5 of the loop"
    " is missing.",
)
NOT_GIVEN_OPTIMIZER = Misconception(
    "optimizer-not-used",
    "Parameters move, but not by the optimizer that your function was given. Momentum, for one, is"
    " in that optimizer: let it take the step.",
)
STEP_PER_EPOCH = Misconception(
    "step-per-epoch",
    "Your optimizer takes one step an epoch, after all batches have passed. Mini-batches pay off"
    " because each of them gets a step: look at how far `step()` is indented.",
)
ONE_BATCH = Misconception(
    "one-batch-per-epoch",
    "You use one batch an epoch and leave the others alone: an epoch is one round through all of"
    " the loader.",
)
TWO_STEPS = Misconception(
    "two-steps", "The optimizer takes two steps where one is asked for, on one gradient or two."
)


def no_step(run: Run) -> Misconception:
    """The mistake by which the optimizer takes no step."""
    return NOT_GIVEN_OPTIMIZER if run.moved() else NO_STEP


def wrong_count(run: Run, epochs: int, per_epoch: int) -> Misconception | None:
    """The mistake that explains how many steps there are, None where none does."""
    count = len(run.steps)
    if count == 0:
        return no_step(run)
    if count == epochs and per_epoch > 1:
        return {epochs * per_epoch: STEP_PER_EPOCH, epochs: ONE_BATCH}.get(len(run.passes))
    return {
        1: returned.ENDS_EARLY,
        per_epoch: returned.ENDS_EARLY,
        (epochs - 1) * per_epoch: returned.EPOCH_TOO_FEW,
        (epochs + 1) * per_epoch: returned.EPOCH_TOO_MANY,
        2 * epochs * per_epoch: TWO_STEPS,
        epochs * (per_epoch - 1): LAST_SKIPPED,
    }.get(count)


# ---------------------------------------------------------------------------- where they lead


def check_optimizer(run: Run, optimizer: Optimizer) -> None:
    """Check that the steps of the given optimizer, and nothing else, made the parameters move."""
    expect(bool(run.passes), NO_FORWARD)
    expect(bool(run.steps), no_step(run))
    start, got = run.drawn["start"], vector(run.after)
    expect(bool(torch.isfinite(got).all()), "After training, the parameters are not finite.")
    wanted = vector(replay(start, [step["gradients"] for step in run.steps], optimizer))
    size = float(max(wanted.abs().max(), vector(start).abs().max()))
    if checks.is_close(got, wanted, checks.roundoff(4, len(run.steps)), size):
        return
    placed = [start, *(step["after"] for step in run.steps)]
    left = [*(step["before"] for step in run.steps), run.after]
    besides = Misconception(
        "moved-besides-the-step",
        "It is not the optimizer's steps alone that move the parameters: something else in your"
        " function changes them too.",
    )
    fail(
        "The parameters do not end where the given optimizer's steps lead, with its own settings.",
        besides if any(map(moved, placed, left)) else None,
    )
