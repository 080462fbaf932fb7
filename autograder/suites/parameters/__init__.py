"""Suites of `parameters`: what a module registers, and what it computes with it."""

from autograder.exercise.checks import Misconception
from autograder.exercise.pytorch_words import Says, named_by_pytorch

NO_SUPER = Misconception(
    "super-init-missing",
    "Your `__init__` puts something into the module before the module is set up: the line"
    " `super().__init__()`, which was given at its start, is missing or comes too late.",
)

ONLY_MATRICES = Misconception(
    "matrices-only",
    "Your `forward` takes matrices alone. `...` in a shape stands for any number of leading axes: a"
    " batch of matrices goes through like a matrix.",
)
BATCH_NEEDED = Misconception(
    "batch-axis-needed",
    "Your `forward` needs a batch: one sample alone, `(features,)`, goes wrong. `...` in a shape"
    " stands for any number of leading axes, none included.",
)


def run(student, probe, **inputs):
    """Run a probe that makes a module of the student's; name what PyTorch says of its set-up."""
    with named_by_pytorch(Says("AttributeError", "before Module.__init__() call", NO_SUPER)):
        return student.run(probe, **inputs)
