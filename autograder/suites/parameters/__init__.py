"""Suites of `parameters`: what a module registers, and what it computes with it."""

import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, fail
from autograder.exercise.formula import in_double
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import StudentError

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


def in_leading_shapes(ask, formula, inputs, named=()):
    """Check that `ask(x)` does with each row of `x` what it does in a matrix.

    Args:
        inputs: of the formula, among them `x` `(..., features)`.
        named: the names of mistakes that show here alone.
    """
    x = inputs["x"]
    # What it does in a matrix is another test's matter.
    rows = x.reshape(-1, x.shape[-1]).expand(max(2, x.numel() // x.shape[-1]), -1)
    alone = ask(rows)
    wanted = formula.right(**in_double(inputs))
    alone = checks.tensor(alone, "`forward(x)` of a matrix", (len(rows), wanted.shape[-1]))
    alone = alone[0] if x.dim() == 1 else alone.reshape(wanted.shape)
    try:
        got = ask(x)
    except StudentError as error:
        because = BATCH_NEEDED if x.dim() == 1 else ONLY_MATRICES
        fail(error.message, because if error.kind == "error" else None)
    if x.dim() == 1 and isinstance(got, torch.Tensor) and got.shape != wanted.shape:
        fail(BATCH_NEEDED)
    compared = formula.compared(got, **inputs)
    among = [pair for pair in compared.among if pair[0].name in named]
    checks.close(
        compared.got,
        alone,
        formula.name,
        2 * compared.relative,
        among,
        "A row comes out differently in an input with more axes, or fewer, than in a matrix: the"
        " axes are mixed up somewhere.",
        compared.scale,
    )
