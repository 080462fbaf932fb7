"""What suites say with: checks of returned values, known misconceptions, and how they fail.

A suite computes what is right in float64 and compares what came back with it. Where they differ,
the value is compared with what each known misconception would have given on the same input; the
failure names the one that matches, or none.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from autograder.errors import AutograderError
from autograder.kernel.values import Unknown

#: The unit round-off of float32 (Higham, Accuracy and Stability of Numerical Algorithms, 2.1).
UNIT = 2.0**-24


class Failure(AutograderError, AssertionError):
    """A check that the student's work does not pass; its text is what the student reads."""

    def __init__(self, message: str, misconception: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.misconception = misconception


@dataclass(frozen=True)
class Misconception:
    """A mistake that people really make.

    Attributes:
        name: short, stable, kebab-case; recorded with the grade.
        says: one or two sentences for the student: what the number is like, which idea is
            missing, where to look. Never the solution.
        idle: that nothing was done: zeros, or what was there before. Other mistakes may come to
            the same on some inputs; there it is this one that is named.
    """

    name: str
    says: str
    idle: bool = False


def fail(message: str, because: Misconception | None = None) -> NoReturn:
    """Fail the check; with `because`, the report says the misconception instead of `message`."""
    if because is not None:
        raise Failure(because.says, because.name)
    raise Failure(message)


def expect(condition: bool, message: str, because: Misconception | None = None) -> None:
    """Fail with `message` unless `condition` holds."""
    if not condition:
        fail(message, because)


def roundoff(terms: int, steps: int = 1) -> float:
    """The relative error that honest float32 arithmetic may have after reductions.

    A sum of n products has an error of at most n·u relative to the sum of their sizes (Higham,
    3.1); a few more roundings come before and after it, `steps` of them follow one another, and
    4 leaves room for another order of doing the same. With n < 50 this is below 1.4e-5: an exact
    float32 answer passes, finite differences in float32 do not. Where a suite also draws more, to
    see that all of it counts, it compares gradients on few as well.
    """
    return 4 * (terms + 4) * steps * UNIT


def tensor(
    value: Any, name: str, shape: tuple[int, ...], dtype: torch.dtype | None = None
) -> Tensor:
    """Take `value` for a finite tensor of `shape`, and `dtype` where one is asked for.

    Raises:
        Failure: it is something else; the message says what came and what was expected.
    """
    if not isinstance(value, Tensor):
        fail(f"{name} should be a tensor of shape {shape}; yours is {kind(value)}.")
    if tuple(value.shape) != tuple(shape):
        fail(f"{name} should have shape {tuple(shape)}; yours has shape {tuple(value.shape)}.")
    if dtype is not None and value.dtype != dtype:
        fail(f"{name} should be of type {_name(dtype)}; yours is {_name(value.dtype)}.")
    if value.dtype.is_floating_point and not bool(torch.isfinite(value).all()):
        fail(f"{name} should be finite; yours holds NaN or infinity.")
    return value


def number(value: Any, name: str) -> float:
    """Take `value` for one finite number: a Python or NumPy number or a one-element tensor."""
    if isinstance(value, Tensor | np.ndarray) and math.prod(value.shape) == 1:
        value = value.reshape(()).item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail(f"{name} should be one number; yours is {kind(value)}.")
    if not math.isfinite(value):
        fail(f"{name} should be finite; yours is {value}.")
    return float(value)


def numbers(value: Any, name: str, length: int) -> Tensor:
    """Take `value` for a list of `length` finite Python floats, as a float64 tensor `(length,)`."""
    if not isinstance(value, list):
        fail(f"{name} should be a list of numbers; yours is {kind(value)}.")
    if len(value) != length:
        fail(f"{name} should have {length} entries; yours has {len(value)}.")
    for item in value:
        if not isinstance(item, float | int) or isinstance(item, bool):
            fail(f"{name} should hold Python floats; yours holds {kind(item)}.")
        number(item, f"each entry of {name}")
    return torch.tensor(value, dtype=torch.float64)


def kind(value: Any) -> str:
    """Say in words what sort of thing `value` is, without its contents."""
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}" if value.shape else "a NumPy number"
    if isinstance(value, Unknown):
        return f"of type `{value.type}`"
    return f"of type `{type(value).__name__}`"


def is_close(got: Any, wanted: Any, relative: float, scale: float | None = None) -> bool:
    """Whether two values agree to `relative` of `scale` (the largest size in `wanted`)."""
    got, wanted = (torch.as_tensor(item, dtype=torch.float64) for item in (got, wanted))
    if got.shape != wanted.shape or not bool(torch.isfinite(got).all()):
        return False
    size = float(wanted.abs().max()) if scale is None else scale
    return bool(((got - wanted).abs() <= relative * size).all())


def close(
    got: Any,
    wanted: Any,
    name: str,
    relative: float,
    among: Iterable[tuple[Misconception, Any]] = (),
    message: str | None = None,
    scale: float | None = None,
) -> None:
    """Fail unless `got` agrees with `wanted`; name the one misconception that explains it.

    Args:
        got: the student's value, already of the right form.
        wanted: what is right, float64.
        relative: the tolerance, from :func:`roundoff`, relative to `scale`.
        among: pairs of a misconception and what it would give on the same input (of any shape).
        scale: the size of the summed terms; the largest entry of `wanted` where it is None.
    """
    if is_close(got, wanted, relative, scale):
        return
    fail(
        message or f"{name} has the right form, but not the right values.",
        because=diagnose(got, wanted, relative, among, scale),
    )


def diagnose(
    got: Any,
    wanted: Any,
    relative: float,
    among: Iterable[tuple[Misconception, Any]],
    scale: float | None = None,
) -> Misconception | None:
    """The one misconception whose value `got` agrees with; None where none or several do.

    A misconception explains nothing on inputs where it gives what is right, what doing nothing
    gives (zeros, or the value of one that is `idle`), or what another one gives, too.
    """
    near = partial(_agree, relative=10 * relative, scale=scale)
    found = [
        (mistake, value)
        for mistake, value in among
        if not is_close(value, wanted, 10 * relative, scale)
    ]
    # A mistake may give larger numbers than what is right, with larger round-off.
    matches = [pair for pair in found if _agree(got, pair[1], relative, scale)]
    for mistake, _ in matches:
        if mistake.idle:
            return mistake
    if not matches or near(got, torch.zeros_like(torch.as_tensor(got, dtype=torch.float64))):
        return None
    alike = {mistake.name for mistake, value in found if near(matches[0][1], value)}
    return matches[0][0] if alike == {matches[0][0].name} else None


def _agree(got: Any, value: Any, relative: float, scale: float | None) -> bool:
    return is_close(got, value, relative, scale) or is_close(got, value, relative)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
