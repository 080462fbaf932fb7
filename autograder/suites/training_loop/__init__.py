"""Suites of `training_loop`: what the loops do, watched step by step.

One probe serves the suites of the three loops. It builds a small network of given parameters, and
notes at each forward pass and at each step of the optimizer what the parameters and gradients are.
The grader computes from those parameters, in float64 and by itself, what the loss and the gradient
must be there; so one mistake does not spread to every number after it.
"""

from dataclasses import dataclass
from typing import Any

import torch

from autograder.exercise import returned
from autograder.exercise.checks import Misconception, expect
from autograder.exercise.formula import Inputs
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import Student
from autograder.exercise.trajectories import Optimizer
from autograder.suites.training_loop import probes

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
PYTORCH_SAYS = (
    Says("RuntimeError", "modified by an inplace operation", OLD_GRAPH),
    Says("RuntimeError", "the graph a second time", OLD_GRAPH),
    Says("RuntimeError", "not have a grad_fn", NO_GRAPH),
)
GRAPH_KEPT = Misconception(
    "graph-kept",
    "You return loss tensors that hold on to their graphs, and so to every computation that led to"
    " them. Keep the number alone; section 3 shows the two side by side.",
)
FORMS = returned.Forms(graphs=GRAPH_KEPT)
#: What is drawn, and not for the probe.
FOR_THE_GRADER = ("batches", "at", "after", "walked")


@dataclass(frozen=True)
class Run:
    """What happened while a loop ran, as its probe tells.

    Attributes:
        drawn: what it ran on.
        result: what the loop returned; tuples arrive as lists.
        type: the name of its type.
        graph: whether a tensor in it had a graph.
        passes: of each forward pass, the parameters `at` it, whether its outputs have a `graph`,
            the `modes` of all modules, and whether the network is the `own` one or a copy.
        steps: of each step, the parameters `before` and `after`, and their `gradients`.
        backwards: how often something went backward.
        after: the parameters in the end; `gradients`, `modes`, `trainable`, `grad_mode` likewise.
        elsewhere: whether data of two devices have met.
    """

    drawn: Inputs
    result: Any
    type: str
    graph: bool
    passes: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    backwards: int
    after: list[torch.Tensor]
    gradients: list[torch.Tensor | None]
    modes: list[bool]
    trainable: list[bool]
    grad_mode: bool
    elsewhere: bool

    def moved(self) -> bool:
        """Whether any parameter is not what it was at the start."""
        return moved(self.drawn["start"], self.after)

    def places(self, turns: int) -> list[list[torch.Tensor]] | None:
        """The parameters before each of `turns` steps; None where that is not to be told."""
        at = [each["at"] for each in self.passes if each["graph"]]
        if len(at) == turns:
            return at
        if not self.steps:
            return [self.drawn["start"]] * turns
        every, rest = divmod(len(self.steps), turns)
        return None if rest else [step["before"] for step in self.steps[::every]]


def moved(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    """Whether any of several tensors has changed."""
    return any(not torch.equal(p, q) for p, q in zip(before, after, strict=True))


def watch(
    student: Student,
    task: str,
    drawn: Inputs,
    criterion: str,
    optimizer: Optimizer | None = None,
    **more: Any,
) -> Run:
    """Run a loop on what was drawn; name what PyTorch itself says about a graph."""
    if optimizer is not None:
        more.update(optimizer=optimizer.name, options=dict(optimizer.options))
    drawn = {**drawn, **more}
    inputs = {name: value for name, value in drawn.items() if name not in FOR_THE_GRADER}
    with named_by_pytorch(*PYTORCH_SAYS):
        found = student.run(probes.loop, task=task, criterion=criterion, **inputs)
    return Run(drawn, **found)


def check_floats(run: Run) -> None:
    """Check that a loop has returned one Python float for each epoch."""
    epochs, per_epoch = run.drawn["epochs"], len(run.drawn["batches"])
    named = returned.lengths(epochs, per_epoch)
    returned.floats(run.result, epochs, named, forms=FORMS, type=run.type, graph=run.graph)


def check_device(run: Run) -> None:
    """Check that data on another device than the model are moved to it."""
    inputs_stay = Misconception(
        "inputs-not-moved",
        "The inputs of a batch are not moved to `device` before the model gets them.",
    )
    labels_stay = Misconception(
        "labels-not-moved",
        "The inputs are moved to `device`, but the labels are not: the criterion meets outputs and"
        " labels on different devices.",
    )
    expect(not run.elsewhere, labels_stay if run.passes else inputs_stay)
    expect(bool(run.passes), NO_FORWARD)
