"""Training loops from outside: what :mod:`inside_loops` tells of them, and checks of it.

What losses and gradients must be is a matter of formulas. Checked here is that a loop calls the
model that it is given, in which mode, how many steps it takes, and that these alone move the
parameters; and that an evaluation leaves all as it was.
"""

from types import SimpleNamespace

import torch
from torch import Tensor

from autograder.exercise import checks, returned
from autograder.exercise.checks import Misconception, expect, fail, mistake
from autograder.exercise.formula import Formula
from autograder.exercise.means import LAST_SKIPPED
from autograder.exercise.pytorch_words import Says
from autograder.exercise.trajectories import Optimizer, replay, vector

A_BATCH = "{wanted} steps were expected, a batch each; your optimizer took {got}."
AN_EPOCH = "{wanted} steps were expected, an epoch each; your optimizer took {got}."

NO_FORWARD = Misconception(
    "model-not-called", "Your function never calls `model(...)` on the data it is given."
)
ROOT_ONLY = Misconception(
    "mode-of-root-only",
    "You switch the outermost module alone; the modules inside it keep the mode they had.",
)
OLD_GRAPH = Misconception(
    "old-graph",
    "Your `backward()` goes through a forward pass from before the last step, and the parameters it"
    " noted are gone. Each step needs a forward pass of its own, and its `backward()` comes before"
    " its `step()`.",
)
NO_GRAPH = Misconception(
    "loss-without-graph",
    "Your loss has no graph, so `backward()` finds no way to the parameters. Were the outputs cut"
    " off (`detach`, `no_grad`, a new tensor, a plain number) before the loss?",
)
CUT_SHORT = Misconception(
    "loader-cut-short",
    "Your loop stops before the loader is at its end (a `break`, or a number of batches that does"
    " not come from the loader): an epoch is one round through all of it.",
)
#: What PyTorch says about a graph.
PYTORCH_SAYS = (
    Says("RuntimeError", "modified by an inplace operation", OLD_GRAPH),
    Says("RuntimeError", "the graph a second time", OLD_GRAPH),
    Says("RuntimeError", "not have a grad_fn", NO_GRAPH),
)


class Run(SimpleNamespace):
    """What a loop ran on (`drawn`), and what `watched` tells of it.

    Of what was drawn, the checks look at `start`, `epochs` and `batches`; `modes` and `grads`.
    """

    def places(self, turns: int) -> list[list[Tensor]] | None:
        """The parameters before each of `turns` steps; None where that is not to be told."""
        at = [each["at"] for each in self.passes if each["graph"]]
        if len(at) == turns:
            return at
        if not self.steps:
            return [self.drawn["start"]] * turns
        every, rest = divmod(len(self.steps), turns)
        return None if rest else [step["before"] for step in self.steps[::every]]


def moved(before: list[Tensor], after: list[Tensor]) -> bool:
    """Whether any of several tensors has changed."""
    return not all(map(torch.equal, before, after))


def check_modes(
    run: Run, on: bool, stays: Misconception, message: str, otherwise: Misconception | None = None
) -> None:
    """Check in which mode all modules are when a loop's batches go through them.

    Args:
        on: whether that has to be training mode.
        stays: what it is to leave the modes as they were.
        otherwise: what anything else is, if it has a name.
    """
    came = run.drawn["modes"]
    modes = {tuple(each["modes"]) for each in run.passes if each["graph"] or not on}
    expect(bool(modes), NO_FORWARD)
    known = {(on, *came[1:]): ROOT_ONLY, tuple(came): stays}
    because = known.get(next(iter(modes)), otherwise) if len(modes) == 1 else otherwise
    expect(modes == {(on,) * len(came)}, message, because)


def check_used(run: Run) -> None:
    """Check that a training loop calls the model, and that the given optimizer takes a step."""
    expect(bool(run.passes), NO_FORWARD)
    mistake("optimizer-not-used", not run.steps and moved(run.drawn["start"], run.after)).says(
        "Parameters move, but not by the optimizer that your function was given. Momentum, for one,"
        " is in that optimizer: let it take the step."
    )
    mistake("no-step", not run.steps).says(
        "The optimizer never takes a step, and the parameters stay what they were: the last"
        " part of the loop is missing."
    )


def check_trained(run: Run) -> None:
    """Check that the given model is trained, with one step for each batch of each epoch."""
    mistake("trains-a-copy", bool(run.passes) and not any(each["own"] for each in run.passes)).says(
        "You train a copy of the model, and the model that your function was given stays as it was."
        " The optimizer knows the parameters of that one, and so does whoever called you."
    )
    check_used(run)
    epochs, per_epoch, count = run.drawn["epochs"], len(run.drawn["batches"]), len(run.steps)
    wanted, several = epochs * per_epoch, per_epoch > 1
    one_each = several and count == epochs
    mistake("step-per-epoch", one_each and len(run.passes) == wanted).says(
        "Your optimizer takes one step an epoch, after all batches have passed. Mini-batches pay"
        " off because each of them gets a step: look at how far `step()` is indented."
    )
    mistake("one-batch-per-epoch", one_each and len(run.passes) == epochs).says(
        "You use one batch an epoch and leave the others alone: an epoch is one round through all"
        " of the loader."
    )
    mistake("two-steps", count == 2 * wanted).says(
        "The optimizer takes two steps where one is asked for, on one gradient or two."
    )
    known = {
        1: returned.ENDS_EARLY,
        per_epoch: returned.ENDS_EARLY,
        (epochs - 1) * per_epoch: returned.EPOCH_TOO_FEW,
        (epochs + 1) * per_epoch: returned.EPOCH_TOO_MANY,
        epochs * (per_epoch - 1): LAST_SKIPPED,
    }
    says = A_BATCH if several else AN_EPOCH
    expect(count == wanted, says, known.get(count), wanted=wanted, got=count)


def check_moved_by(optimizer: Optimizer, run: Run) -> None:
    """Check that the steps of the given optimizer, and nothing else, made the parameters move."""
    check_used(run)
    start, got = run.drawn["start"], vector(run.after)
    expect(bool(torch.isfinite(got).all()), "After training, the parameters are not finite.")
    wanted = vector(replay(start, [step["gradients"] for step in run.steps], optimizer))
    size = float(max(wanted.abs().max(), vector(start).abs().max()))
    if checks.is_close(got, wanted, checks.roundoff(4, len(run.steps)), size):
        return
    placed = [start, *(step["after"] for step in run.steps)]
    left = [*(step["before"] for step in run.steps), run.after]
    mistake("moved-besides-the-step", any(map(moved, placed, left))).says(
        "It is not the optimizer's steps alone that move the parameters: something else in your"
        " function changes them too."
    )
    fail("The parameters do not end where the given optimizer's steps lead, with its own settings.")


def check_modes_restored(*runs: Run) -> None:
    """Check that every module's mode is afterwards what it was before.

    Args:
        runs: at least two, of models whose modes are mixed, the outermost one's another in each.
    """
    expect(all(run.passes for run in runs), NO_FORWARD)
    before, after = [run.drawn["modes"] for run in runs], [run.modes for run in runs]
    mistake("left-in-eval-mode", not any(map(any, after))).says(
        "Afterwards the model is still in evaluation mode, and the next epoch would train in the"
        " wrong mode."
    )
    mistake("all-in-training-mode", all(map(all, after))).says(
        "Afterwards all modules are in training mode, also those that someone had put to evaluation"
        " mode on purpose."
    )
    mistake("root-mode-for-all", after == [[came[0]] * len(came) for came in before]).says(
        "Afterwards all modules have the mode that the outermost one had: the modules inside may"
        " have had modes of their own."
    )
    roots = [[came[0], *[False] * len(came[1:])] for came in before]
    mistake("root-mode-only-restored", after == roots).says(
        "Afterwards only the outermost module has the mode it had: those inside it are still in"
        " evaluation mode."
    )
    expect(after == before, "Not every module's mode is afterwards what it was before.")


def check_untouched(run: Run) -> None:
    """Check that parameters and gradients are as they were, and can be trained as before."""
    expect(bool(run.passes), NO_FORWARD)
    mistake("evaluation-trains", moved(run.drawn["start"], run.after)).says(
        "Your evaluation changes the parameters: it must only look at the model."
    )
    mistake("grad-left-off", run.grad_mode is not True).says(
        "Your evaluation switches gradients off for everyone, and never on again: the next training"
        " would fail. A `with` block ends by itself."
    )
    mistake("parameters-left-frozen", not all(run.trainable)).says(
        "Your evaluation leaves the parameters frozen (`requires_grad` is off): no optimizer would"
        " train them again."
    )
    wiped = not all(each is not None and each.any() for each in run.gradients)
    mistake("gradients-wiped", wiped).says(
        "Your evaluation wipes the gradients that were there. They are not yours to forget here: it"
        " must only look at the model."
    )
    mistake("gradients-added", moved(run.drawn["grads"], run.gradients)).says(
        "Your evaluation adds to the gradients of the parameters: nothing may go backward here."
    )


def check_arrivals(arrived: dict[str, bool]) -> None:
    """Check that data on another device than the model are moved to it, as `arrivals` tells."""
    expect("inputs" in arrived, NO_FORWARD)
    mistake("inputs-not-moved", not arrived["inputs"]).says(
        "The inputs of a batch are not moved to `device` before the model gets them."
    )
    mistake("labels-not-moved", not arrived.get("labels", True)).says(
        "The inputs are moved to `device`, but the labels are not: the criterion meets outputs and"
        " labels on different devices."
    )


def check_floats(run: Run, forms: returned.Forms = returned.FORMS) -> None:
    """Check that a training loop has returned one Python float for each epoch."""
    epochs, per_epoch = run.drawn["epochs"], len(run.drawn["batches"])
    named = returned.lengths(epochs, per_epoch)
    returned.floats(run.result, epochs, named, forms=forms, type=run.type, graph=run.graph)


def check_losses(formula: Formula, run: Run) -> None:
    """Check each loss that a training loop has returned: how many is another test's matter.

    Args:
        formula: of those that are right, `at` the parameters before each step and `after` it. On
            what was drawn, these are those of a right loop, which has `walked` some steps.
    """
    expect(bool(run.passes), NO_FORWARD)
    batches, epochs = run.drawn["batches"], run.drawn["epochs"]
    got = returned.series(run.result, epochs, len(batches))[:epochs]
    at, after = run.places(epochs * len(batches)), [step["after"] for step in run.steps]
    # Where it is not to be told where it was, it is compared with a right loop.
    seen = {**run.drawn, **({"at": at, "after": after, "walked": 0} if at else {"after": []})}
    last = len(got) * len(batches)
    formula.check(got, **{**seen, "at": seen["at"][:last], "after": seen["after"][:last]})
