"""Formulas of suites: what is right, what known mistakes give, and inputs that tell them apart.

A formula is a suite, or a class in one, that has four functions by these names:

    draw(rng, **case)      inputs by name: what the probe is given, float32
    reference(**inputs)    what is right
    mistakes(**inputs)     pairs of a misconception and what it gives
    compare(got, **inputs) passes, or fails with a name: what the suite's test calls

`reference` and `mistakes` compute in the type of their inputs: the suite gives them float64, the
tests float32, as a student's code would. Two more are optional: `CASES`, the arguments of `draw`
that the suite uses, and `unnamed(**inputs)`, wrong values that must fail without a name.
`tests/test_robust_verdicts.py` finds every formula by itself and tries it on many draws.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from autograder.exercise.checks import Misconception
from autograder.suites import SUITES

Inputs = dict[str, Any]
Among = list[tuple[Misconception, Any]]

_PARTS = ("draw", "reference", "mistakes", "compare")


def found(assignment: str) -> Iterator[tuple[str, Any]]:
    """The formulas of an assignment: `<module>` or `<module>.<class>`, and the thing itself."""
    for path in sorted((SUITES / assignment).glob("*.py")):
        suffix = "" if path.stem == "__init__" else f".{path.stem}"
        module = importlib.import_module(f"autograder.suites.{assignment}{suffix}")
        classes = [
            each
            for _, each in inspect.getmembers(module, inspect.isclass)
            if each.__module__ == module.__name__
        ]
        for thing in (module, *classes):
            if all(callable(getattr(thing, part, None)) for part in _PARTS):
                yield ".".join([path.stem, *([thing.__name__] if thing in classes else [])]), thing


def in_double(inputs: Inputs) -> Inputs:
    """The inputs with every floating tensor, also inside lists and dicts, in float64."""
    return {name: _double(value) for name, value in inputs.items()}


#: So many draws are made for one on which no mistake gives zeros.
NOT_ZERO = 20


def drawn(
    make: Callable[[], Inputs],
    reference: Callable[..., Any],
    mistakes: Callable[..., Among],
    margin: float = 1e-3,
) -> Inputs:
    """Draw inputs until each mistake shows: no lucky input hides one, or looks like another.

    Args:
        make: draws inputs.
        reference: what is right on them.
        mistakes: what each misconception gives on them.
        margin: how far apart any two of these must be, relative to the largest number in what is
            right; far more than the tolerance of the comparison.
    """
    for attempt in range(1000):
        inputs = make()
        exact = in_double(inputs)
        wanted = _flat(reference(**exact))
        values = [("", wanted)]
        values += [(mistake.name, _flat(value)) for mistake, value in mistakes(**exact)]
        numbers = isinstance(wanted, torch.Tensor) and wanted.numel() > 0
        distance = margin * float(wanted.abs().max()) if numbers else margin
        if attempt < NOT_ZERO and numbers:
            # What gives zeros looks like nothing done. Some mistakes always do: then be it so.
            values.append(("zeros", torch.zeros_like(wanted)))
        if told_apart(values, distance):
            return inputs
    raise RuntimeError(f"no inputs of {make.__qualname__} tell every mistake apart")


def told_apart(values: Sequence[tuple[Any, Any]], distance: float) -> bool:
    """Whether no two values of different causes are alike.

    Args:
        values: pairs (cause, value); of one cause they may be alike.
        distance: how far apart at least one number of two tensors must be.
    """
    return all(
        one == other or _apart(value, another, distance)
        for place, (one, value) in enumerate(values)
        for other, another in values[:place]
    )


def _double(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, list | tuple):
        return [_double(item) for item in value]
    if isinstance(value, dict):
        return in_double(value)
    return value


def _flat(value: Any) -> Any:
    """A tensor of the numbers in `value`; `value` itself where it is no numbers."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple) and any(isinstance(item, torch.Tensor) for item in value):
        value = torch.cat([torch.as_tensor(item).double().flatten() for item in value])
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return value


def _apart(one: Any, other: Any, distance: float) -> bool:
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return bool(one != other)
    if one.shape != other.shape:
        return True
    return not bool(((one - other).abs() <= distance).all())
