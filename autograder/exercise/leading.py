"""Leading shapes: a module does with each row of any input what it does with a row of a matrix."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.formula import Formula, Inputs, in_double
from autograder.exercise.student import StudentError

ONLY_MATRICES = Misconception(
    "matrices-only",
    "Your code takes matrices alone. `...` in a shape stands for any number of leading axes: each"
    " row goes through as it does in a matrix, and on a way back, sums go over all leading axes.",
)
BATCH_NEEDED = Misconception(
    "batch-axis-needed",
    "Your code needs a batch: one sample alone, `(features,)`, goes wrong. `...` in a shape"
    " stands for any number of leading axes, none included.",
)


def check_leading(
    leading: tuple[int, ...],
    formula: Formula,
    inputs: Inputs,
    ask: Callable[..., Any],
    only_matrices: Misconception = ONLY_MATRICES,
    named: tuple[str, ...] = (),
) -> None:
    """Check that each row comes out of another leading shape as it comes out of a matrix.

    Args:
        leading: the shape that the rows of the matrix `x` are brought to; `()` for the first alone.
        inputs: of the formula, `x` among them.
        ask: what `forward` of the student's module gives, of inputs by name.
        only_matrices: what is named where only matrices go through.
        named: the names of mistakes of the formula that show here alone.

    Raises:
        Failure: the matrix does not go through, or a row comes out otherwise than there.
    """
    # What it does in a matrix is another test's matter.
    shape = formula.right(**in_double(inputs)).shape
    alone = checks.tensor(ask(**inputs), "`forward(x)` of a matrix", tuple(shape))
    x, wanted = (t.reshape(*leading, -1) if leading else t[0] for t in (inputs["x"], alone))
    inputs = {**inputs, "x": x}
    try:
        got = ask(**inputs)
    except StudentError as error:
        expect(error.kind != "error", only_matrices if leading else BATCH_NEEDED)
        raise
    if not leading and isinstance(got, Tensor) and got.shape != wanted.shape:
        fail(BATCH_NEEDED)
    compared = formula.compared(got, **inputs)
    checks.close(
        compared.got,
        wanted,
        formula.name,
        2 * compared.relative,
        [(known, value) for known, value in compared.among if known.name in named],
        "A row comes out differently in an input with more axes, or fewer, than in a matrix: the"
        " axes are mixed up somewhere.",
        compared.scale,
    )
