"""The losses that a loop returns: a list of Python floats, one for each epoch; or one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail, kind
from autograder.language import Text

NO_RETURN = Misconception(
    "no-return", "Your function returns nothing: after the loop, a `return` is missing."
)
ONE_NUMBER = Misconception(
    "one-number",
    "You return one number; a list is asked for, with one loss for each epoch. Where is the list"
    " made, and where does a loss get into it?",
)
TENSORS = Misconception(
    "tensor-not-float",
    "You return tensors, where Python floats are asked for: a tensor of one element can give you"
    " its number.",
)
NUMPY = Misconception(
    "numpy-not-float",
    "You return NumPy arrays or float32 numbers of NumPy, where Python floats are asked for: a"
    " tensor of one element can give you its number.",
)
EMPTY = Misconception("empty-list", "You return an empty list: no loss is ever put into it.")
ENDS_EARLY = Misconception(
    "loop-ends-early",
    "Only one epoch takes place, or even less. Is a `return` or `break` indented into the loop, or"
    " is the loop over the epochs missing?",
)
EPOCH_TOO_FEW = Misconception(
    "one-epoch-too-few",
    "One epoch is missing: does your range really have as many numbers as there are epochs?",
)
EPOCH_TOO_MANY = Misconception("one-epoch-too-many", "There is one epoch more than asked for.")
PER_BATCH = Misconception(
    "loss-per-batch",
    "You return one loss for each batch; asked for is one for each epoch, the mean over all its"
    " samples.",
)

NAME = "The list of losses"
#: Whatever form losses are in, more of them than this an epoch or batch are not read.
TOO_MANY = 50


@dataclass(frozen=True)
class Forms:
    """What a wrong form is named; None where that form has no name.

    Attributes:
        nothing: None in the place of a result.
        number: one number in the place of a list.
        tensors: tensors in the place of floats.
        graphs: the same with their graphs; like other tensors, where it is None.
        arrays: what is NumPy's, in the place of floats.
    """

    nothing: Misconception | None = NO_RETURN
    number: Misconception | None = ONE_NUMBER
    tensors: Misconception | None = TENSORS
    graphs: Misconception | None = None
    arrays: Misconception | None = NUMPY

    def of_entries(self, entries: Sequence[Any], graph: bool = False) -> Misconception | None:
        """What entries are named that should be floats; `graph`: whether tensors had a graph."""
        if any(isinstance(entry, Tensor) for entry in entries):
            return (self.graphs if graph else None) or self.tensors
        return self.arrays if any(isinstance(entry, np.ndarray) for entry in entries) else None

    def of_result(self, value: Any) -> Misconception | None:
        """What a result is named that should be a list."""
        if value is None:
            return self.nothing
        tensor = isinstance(value, Tensor) and value.numel() == 1
        return self.number if tensor or isinstance(value, float | int) else None


FORMS = Forms()


def lengths(epochs: int, per_epoch: int = 1) -> dict[int, Misconception]:
    """What a list of losses of another length is named; an epoch has `per_epoch` steps."""
    named = {epochs - 1: EPOCH_TOO_FEW, epochs + 1: EPOCH_TOO_MANY}
    if per_epoch > 1:
        named[epochs * per_epoch] = PER_BATCH
    return {**named, 1: ENDS_EARLY, 0: EMPTY}


def floats(
    value: Any,
    length: int,
    named: Mapping[int, Misconception],
    *,
    forms: Forms = FORMS,
    type: str = "list",
    graph: bool = False,
    message: str = "{length} epochs should give {length} losses; your list has {got}.",
) -> Tensor:
    """Take a result for a list of `length` finite Python floats, as a float64 vector.

    Args:
        named: by length, the mistake that makes a list so long.
        type: of the result, as the student has it: tuples arrive as lists.
        graph: whether a tensor in it had a graph: they arrive without.
        message: of a wrong length.

    Raises:
        Failure: it is something else.
    """
    if type != "list" or not isinstance(value, list):
        got = Text("of type `{type}`", type=type) if isinstance(value, list) else kind(value)
        fail("A list of floats was expected; yours is {got}.", forms.of_result(value), got=got)
    if known := forms.of_entries(value, graph):
        fail(known)
    if len(value) != length:
        fail(message, named.get(len(value)), length=length, got=len(value))
    return checks.numbers(value, NAME, length)


def one_float(value: Any, name: str, *, forms: Forms = FORMS, graph: bool = False) -> float:
    """Take a result for one Python float.

    Args:
        graph: whether a tensor had a graph: it arrives without.

    Raises:
        Failure: it is something else.
    """
    if value is None and forms.nothing:
        fail(forms.nothing)
    if known := forms.of_entries([value], graph):
        fail(known)
    if not isinstance(value, float):
        fail("{name} should be a Python float; yours is {got}.", name=name, got=kind(value))
    return value


def series(value: Any, epochs: int, per_epoch: int = 1) -> Tensor:
    """Take a result for losses, whatever form it has, as a float64 vector of any length.

    For checks of what the losses are, where their form is the matter of another one.

    Raises:
        Failure: it is no losses at all, or has one for each batch.
    """
    if isinstance(value, Tensor | np.ndarray) and len(value.shape) == 1:
        value = list(torch.as_tensor(value))
    if not isinstance(value, list):
        fail(
            "A list of losses was expected; yours is {got}.",
            FORMS.of_result(value),
            got=kind(value),
        )
    expect(bool(value), EMPTY)
    each = [checks.number(item, "Each loss") for item in value]
    if len(each) > TOO_MANY * epochs * per_epoch:
        fail("Your list has {got} losses: far too many.", got=len(each))
    expect(per_epoch == 1 or len(each) != epochs * per_epoch, PER_BATCH)
    return torch.tensor(each, dtype=torch.float64)
