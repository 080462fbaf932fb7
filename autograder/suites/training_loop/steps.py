"""The loops: what they return, along which gradients they step, and what their losses are."""

import pytest
import torch
from torch import Generator

from autograder.exercise import Formula, Misconception, criteria, expect, loops, mistake, returned
from autograder.exercise import small_network as network
from autograder.exercise.loops import Run
from autograder.exercise.student import Student
from autograder.exercise.trajectories import OPTIMIZERS, vector
from autograder.suites.training_loop import probes

# -------------------------------------------------------------------- the gradients of the steps

SWAPPED = Misconception(
    "arguments-swapped",
    "You call the criterion with its arguments swapped. MSE forgives that; a loss for which too"
    " much and too little are different things does not. Which comes first in section 3?",
)
#: Slow enough that nothing grows beyond all bounds where gradients add up, or are sums.
SLOW = {"outputs": 1, "criterion": "linex", "lr": 0.003}

gradients = Formula(
    "The gradient at a step",
    draw=network.draw_training,
    also=network.gradients_at,
    reference=lambda right: right,
    # A dozen terms a sum, three sums deep, an exponential at the end.
    terms=40,
    steps=3,
    message="At a step, the gradient is not that of the criterion on the data of that step.",
    cases=[{**SLOW, "epochs": 3, "samples": samples} for samples in (131, 443)],
)
criteria.add_mistakes(gradients, SWAPPED)
gradients.mistake("forgotten-zero-grad", lambda right: right.cumsum(0)).says(
    "Your gradients add up from step to step: `backward()` adds to what is there already. Section 3"
    " shows what that does to a descent, and which part of the loop prevents it."
)
gradients.mistake(
    "zero-grad-per-epoch",
    lambda right, epochs: right.reshape(epochs, -1, right.shape[1]).cumsum(1).reshape(right.shape),
    where_seen=True,
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
    "divided-by-batches", lambda right, batches: right / len(batches), where_seen=True
).says(
    "Your gradient is too small by the number of batches: each step follows the loss of its batch"
    " as it is."
)


def check(run: Run) -> None:
    """Check that each batch of each epoch has one step, along the gradient of its own loss."""
    loops.check_trained(run)
    taken = torch.stack([vector(step["gradients"], step["before"]) for step in run.steps])
    expect(bool(torch.isfinite(taken).all()), "The gradients at your steps are not finite.")
    still = not taken.any()
    mistake("no-backward", still and not run.backwards).says(
        "The optimizer steps, but there are no gradients: nothing ever goes backward from the loss."
    )
    left = any(each is not None and bool(each.any()) for each in run.gradients)
    expect(not (still and left), STEP_FIRST)
    mistake("zeroed-before-step", still).says(
        "When `step()` comes, the gradients have just been forgotten, and no parameter moves. Look"
        " at the order of the five parts in section 3."
    )
    gradients.check(taken, **{**run.drawn, "at": [step["before"] for step in run.steps]})


any_optimizer = pytest.mark.parametrize(
    "given", [("momentum", "linex"), ("adam", "classes")], ids=["SGD", "Adam"]
)


def check_optimizer(student: Student, task: str, rng: Generator, given: tuple[str, str]) -> None:
    """Check that the steps of the given optimizer, and nothing else, made the parameters move."""
    optimizer, criterion = OPTIMIZERS[given[0]], given[1]
    drawn = network.draw(rng, 17, 3, batch_size=5, criterion=criterion, epochs=3)
    run = network.watch(student, probes.loop, drawn, optimizer, task=task)
    loops.check_moved_by(optimizer, run)


# ------------------------------------------------------------------------ the losses of the epochs

GRAPH_KEPT = Misconception(
    "graph-kept",
    "You return loss tensors that hold on to their graphs, and so to every computation that led to"
    " them. Keep the number alone; section 3 shows the two side by side.",
)
UNWEIGHTED = Misconception(
    "mean-of-batch-means",
    "Your number is the mean over batches, not over samples: the samples of the short last batch"
    " count for more than the others. Section 5 has an example with numbers.",
)
FORMS = returned.Forms(graphs=GRAPH_KEPT)
