"""What a notebook's `model` answers: of the right form, and finite."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail

DIVERGED = Misconception(
    "diverged",
    "Your model answers with NaN or infinity: its training has diverged, as it does when the steps"
    " are too large.",
)


def finite(value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
    """Take answers for a tensor of `shape`; where it holds NaN or infinity, training diverged.

    Raises:
        Failure: it is something else.
    """
    if isinstance(value, Tensor) and tuple(value.shape) == shape:
        expect(bool(value.isfinite().all()), DIVERGED)
    return checks.tensor(value, name, shape)


def column(found: Mapping[str, Any], name: str, count: int, flat: Misconception) -> Tensor:
    """Take what `inside_model.model_answers` tells for one number each, `(count, 1)`, float64.

    Args:
        flat: what answers of shape `(count,)` are named.

    Raises:
        Failure: `model` is no module, or answers with something else.
    """
    got = found["outputs"]
    if not found["module"]:
        fail("`model` should be an `nn.Module`; yours is of type `{name}`.", name=got)
    expect(not isinstance(got, Tensor) or got.shape != (count,), flat)
    return finite(got, name, (count, 1)).double()
