"""What suites say with: checks of returned values, known misconceptions, and how they fail.

A suite computes what is right in float64 and compares what came back with it. Where they differ,
the value is compared with what each known misconception would have given on the same input; the
failure names the one that matches, or none.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from autograder.errors import AutograderError
from autograder.kernel.values import Unknown
from autograder.language import Text

#: The unit round-off of float32 (Higham, Accuracy and Stability of Numerical Algorithms, 2.1).
UNIT = 2.0**-24

WRONG_VALUES = "{name} has the right form, but not the right values."


@dataclass(frozen=True)
class Misconception:
    """A mistake that people really make.

    Attributes:
        name: short, stable, kebab-case; recorded with the grade.
        says: one or two sentences for the student: what the number is like, which idea is
            missing, where to look. Never the solution. A template of :class:`Text`, where it
            needs values.
        idle: that nothing was done: zeros, or what was there before. Other mistakes may come to
            the same on some inputs; there it is this one that is named.
    """

    name: str
    says: str
    idle: bool = False


class Failure(AutograderError, AssertionError):
    """A check that the student's work does not pass.

    Attributes:
        message: what the student reads.
        misconception: the name of the known mistake that explains it.
        share: how much of the test's points it earns all the same, from 0 to below 1.
        steps: where several values follow from each other, whether each is right, by name and in
            that order.
    """

    def __init__(
        self,
        message: str | Text,
        misconception: str | None = None,
        share: float = 0.0,
        steps: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = Text(message)
        self.misconception = misconception
        self.share = share
        self.steps = dict(steps or {})


def fail(
    what: str | Text | Misconception, /, because: Misconception | None = None, **values: Any
) -> NoReturn:
    """Fail the check with a sentence, or with the mistake that explains it.

    Args:
        what: a mistake, or the template of the sentence that says what is wrong.
        because: the mistake, where one is known: then the student reads of that instead.
        values: what the template is told with.
    """
    known = because or (what if isinstance(what, Misconception) else None)
    if known is not None:
        raise Failure(Text(known.says, **values), known.name)
    assert not isinstance(what, Misconception)
    raise Failure(Text(what, **values))


def expect(
    condition: bool,
    what: str | Text | Misconception,
    /,
    because: Misconception | None = None,
    **values: Any,
) -> None:
    """Fail as :func:`fail` does unless `condition` holds."""
    if not condition:
        fail(what, because, **values)


def mistake(name: str, shows: bool) -> "_Shown":
    """Fail with a known mistake where it shows; `.says(...)` is its sentence.

    mistake("evaluation-trains", run.moved()).says("Your evaluation changes the parameters.")
    """
    return _Shown(name, shows)


@dataclass(frozen=True)
class _Shown:
    """A mistake that lacks its sentence."""

    name: str
    shows: bool

    def says(self, sentence: str, **values: Any) -> None:
        """Fail with this sentence, if the mistake shows."""
        if self.shows:
            fail(Misconception(self.name, sentence), **values)


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
    value: Any, name: str | Text, shape: tuple[int, ...], dtype: torch.dtype | None = None
) -> Tensor:
    """Take `value` for a finite tensor of `shape`, and `dtype` where one is asked for.

    Raises:
        Failure: it is something else; the message says what came and what was expected.
    """
    if not isinstance(value, Tensor):
        fail(
            "{name} should be a tensor of shape {shape}; yours is {got}.",
            shape=tuple(shape),
            got=kind(value),
            name=Text(name),
        )
    if tuple(value.shape) != tuple(shape):
        fail(
            "{name} should have shape {shape}; yours has shape {got}.",
            shape=tuple(shape),
            got=tuple(value.shape),
            name=Text(name),
        )
    if dtype is not None and value.dtype != dtype:
        wanted, got = (str(each).removeprefix("torch.") for each in (dtype, value.dtype))
        fail(
            "{name} should be of type {wanted}; yours is {got}.",
            wanted=wanted,
            got=got,
            name=Text(name),
        )
    # Of eight bits alone, torch knows neither what is finite nor how to compare.
    plain = value.float() if value.dtype.is_floating_point and value.itemsize == 1 else value
    if plain.dtype.is_floating_point and not bool(torch.isfinite(plain).all()):
        fail("{name} should be finite; yours holds NaN or infinity.", name=Text(name))
    return value


def number(value: Any, name: str | Text, finite: bool = True) -> float:
    """Take `value` for one number: a Python or NumPy number or a one-element tensor.

    Args:
        finite: whether it has to be finite.
    """
    if isinstance(value, Tensor | np.ndarray) and math.prod(value.shape) == 1:
        value = value.reshape(()).item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail("{name} should be one number; yours is {got}.", got=kind(value), name=Text(name))
    if finite and not math.isfinite(value):
        fail("{name} should be finite; yours is {got}.", got=value, name=Text(name))
    return float(value)


def numbers(value: Any, name: str | Text, length: int) -> Tensor:
    """Take `value` for a list of `length` finite Python floats, as a float64 tensor `(length,)`."""
    if not isinstance(value, list):
        fail("{name} should be a list of numbers; yours is {got}.", got=kind(value), name=name)
    if len(value) != length:
        fail(
            "{name} should have {length} entries; yours has {got}.",
            length=length,
            got=len(value),
            name=name,
        )
    for item in value:
        if not isinstance(item, float | int) or isinstance(item, bool):
            fail(
                "{name} should hold Python floats; yours holds {got}.",
                got=kind(item),
                name=name,
            )
        number(item, Text("each entry of {name}", name=name))
    return torch.tensor(value, dtype=torch.float64)


def kind(value: Any, returned: bool = True) -> Text:
    """Say in words what sort of thing `value` is, without its contents.

    Args:
        returned: whether it is what a function returned: of None, this says what may be missing.
    """
    if value is None:
        return Text("None (is a `return` missing?)") if returned else Text("None")
    if isinstance(value, Tensor):
        return Text("a tensor of shape {shape}", shape=tuple(value.shape))
    if isinstance(value, np.ndarray) and value.shape:
        return Text("a NumPy array of shape {shape}", shape=value.shape)
    if isinstance(value, np.ndarray):
        return Text("a NumPy number")
    name = value.type if isinstance(value, Unknown) else type(value).__name__
    return Text("of type `{name}`", name=name)


def is_close(got: Any, wanted: Any, relative: float, scale: float | None = None) -> bool:
    """Whether two values agree to `relative` of `scale` (the largest size in `wanted`).

    What is no numbers, such as names, has to be the same.
    """
    got, wanted = as_numbers(got), as_numbers(wanted)
    if not isinstance(got, Tensor) or not isinstance(wanted, Tensor):
        return type(got) is type(wanted) and bool(got == wanted)
    if got.shape != wanted.shape or not bool(torch.isfinite(got).all()):
        return False
    size = float(wanted.abs().max()) if scale is None else scale
    return bool(((got - wanted).abs() <= relative * size).all())


def as_numbers(value: Any) -> Any:
    """A float64 tensor of the numbers that `value` is; `value` itself where it is none."""
    if isinstance(value, list | tuple) and any(isinstance(item, str) for item in value):
        return value  # an empty text is an empty list to PyTorch
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return value


def close(
    got: Any,
    wanted: Any,
    name: str | Text,
    relative: float,
    among: Iterable[tuple[Misconception, Any]] = (),
    message: str | Text | None = None,
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
    compared = Compared(got, wanted, lambda: list(among), relative, scale)
    if not compared.right:
        fail(message or Text(WRONG_VALUES, name=Text(name)), diagnose(compared))


@dataclass(frozen=True)
class Compared:
    """A value of the student's beside what is right, and what known mistakes give.

    Attributes:
        got: the student's value.
        wanted: what is right, float64.
        mistaken: gives :attr:`among`, which nobody needs of a value that is right.
        relative: the tolerance, from :func:`roundoff`, relative to `scale`.
        scale: the size of the summed terms; the largest entry of `wanted` where it is None.
    """

    got: Any
    wanted: Any
    mistaken: Callable[[], list[tuple[Misconception, Any]]]
    relative: float
    scale: float | None = None

    @cached_property
    def among(self) -> list[tuple[Misconception, Any]]:
        """Pairs of a mistake and what it would give on the same input (of any shape)."""
        return self.mistaken()

    @property
    def right(self) -> bool:
        """Whether the student's value is right."""
        return is_close(self.got, self.wanted, self.relative, self.scale)

    def agrees(self, value: Any) -> bool:
        """Whether the student's value is `value`."""
        # A mistake may give larger numbers than what is right, with larger round-off.
        return _agree(self.got, value, self.relative, self.scale)

    def shows(self, value: Any) -> bool:
        """Whether `value` is clearly another one than what is right."""
        return not is_close(value, self.wanted, 10 * self.relative, self.scale)

    def near(self, one: Any, other: Any) -> bool:
        """Whether two values could be taken for one another."""
        return _agree(one, other, 10 * self.relative, self.scale)

    def explained(
        self, known: set[Misconception], agrees: Callable[[Any], bool]
    ) -> set[Misconception]:
        """Of the known mistakes those whose value agrees; where all is right, also any without."""
        without = known - {mistake for mistake, _ in self.among} if self.right else set()
        return without | {mistake for mistake, value in self.among if agrees(value)}


def diagnose(*compared: Compared) -> Misconception | None:
    """The one misconception that explains the student's values on all inputs; None where none does.

    A misconception explains nothing on inputs where it gives what is right, what doing nothing
    gives (zeros, or the value of one that is `idle`), or what another one gives, too. It explains
    a right value on inputs where it cannot be made, and gives nothing.
    """
    wrong = [each for each in compared if not each.right]
    if not wrong:
        return None
    known = {mistake for mistake, _ in wrong[0].among}
    names = [each.explained(known, each.agrees) for each in compared]
    matches = [
        (mistake, value)
        for mistake, value in wrong[0].among
        if all(mistake in each for each in names)
        and wrong[0].agrees(value)
        and wrong[0].shows(value)
    ]
    for mistake, _ in matches:
        if mistake.idle:
            return mistake
    got = as_numbers(wrong[0].got)
    if not matches or (isinstance(got, Tensor) and wrong[0].near(got, torch.zeros_like(got))):
        return None
    loosely = [each.explained(known, partial(each.near, each.got)) for each in compared]
    alike = {
        mistake.name
        for mistake, value in wrong[0].among
        if wrong[0].shows(value) and wrong[0].near(matches[0][1], value)
        # What looks alike on one input may not on another.
        if all(mistake in each for each in loosely)
    }
    return matches[0][0] if alike == {matches[0][0].name} else None


def _agree(got: Any, value: Any, relative: float, scale: float | None) -> bool:
    return is_close(got, value, relative, scale) or is_close(got, value, relative)
