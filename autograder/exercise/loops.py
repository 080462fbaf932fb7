"""Training loops from outside: what :mod:`inside_loops` tells of them, and checks of it.

None of these checks computes anything; what the numbers must be is a matter of formulas.
"""

from types import SimpleNamespace

import torch
from torch import Tensor

from autograder.exercise.checks import Misconception, expect, mistake
from autograder.exercise.pytorch_words import Says

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
#: What PyTorch says about a graph.
PYTORCH_SAYS = (
    Says("RuntimeError", "modified by an inplace operation", OLD_GRAPH),
    Says("RuntimeError", "the graph a second time", OLD_GRAPH),
    Says("RuntimeError", "not have a grad_fn", NO_GRAPH),
)


class Run(SimpleNamespace):
    """What a loop ran on (`drawn`), and what `watched` tells of it."""

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
