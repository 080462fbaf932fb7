"""Optimizers of the student's own, let go along given gradients: sent along with probes.

Meanwhile none of torch's own takes a step, nor does what they are made of.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

#: Operations of torch that take a whole step.
STEPS = {name for name in dir(torch) if name.startswith("_fused_") and name.endswith("_")}


def refuse(*given: Any, **named: Any) -> Any:
    """Stands for what takes a step; where this goes, no other name of this file is known."""
    raise RuntimeError("torch.optim takes no step here")


class Unfused(TorchFunctionMode):
    """Meanwhile no operation of torch takes a step."""

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        called = refuse if getattr(function, "__name__", "") in STEPS else function
        return called(*given, **(named or {}))


def rules_of_torch() -> Iterator[FunctionType]:
    """The functions that take the steps of torch's own optimizers."""
    base = torch.optim.Optimizer
    modules = [module for name, module in sys.modules.items() if name.startswith("torch.optim.")]
    things = [thing for module in modules for thing in vars(module).values() if callable(thing)]
    classes = {each for each in things if inspect.isclass(each) and issubclass(each, base)}
    functions = [each.step for each in classes - {base}] + [*filter(inspect.isfunction, things)]
    for each in map(inspect.unwrap, functions):
        assert isinstance(each, FunctionType)
        if each.__name__ == "step" or each.__code__.co_varnames[:2] == ("params", "grads"):
            yield each


@contextmanager
def from_scratch() -> Iterator[None]:
    """Meanwhile no optimizer of torch's own takes a step, by whatever name it is called."""
    own = {each: each.__code__ for each in rules_of_torch()}
    try:
        for each in own:
            each.__code__ = refuse.__code__
        yield
    finally:
        for each, code in own.items():
            each.__code__ = code


def optimized(
    kind: Any, start: Sequence[Tensor], groups: Sequence[Mapping[str, Any]], options: Any
) -> tuple[list[nn.Parameter], Any]:
    """Parameters of these numbers, float64, and an optimizer of them.

    Args:
        kind: the class.
        groups: options, and the `places` of their parameters; without any, all are given.
        options: of the optimizer by name.
    """
    parameters = [nn.Parameter(each.double()) for each in start]
    given = [
        {"params": [parameters[place] for place in group["places"]]}
        | {key: it for key, it in group.items() if key != "places"}
        for group in groups
    ] or (each for each in parameters)
    options = {key: tuple(it) if key == "betas" else it for key, it in dict(options).items()}
    return parameters, kind(given, **options)


def walked(
    kind: Any,
    start: Sequence[Tensor],
    gradients: Sequence[Tensor],
    missing: Sequence[Sequence[int]],
    groups: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    later: float,
) -> dict[str, Any]:
    """Where an optimizer takes parameters: all their numbers after each step.

    Args:
        kind, start, groups, options: see :func:`optimized`.
        gradients: of each parameter, those of all steps.
        missing: of each parameter, the steps in which it has none.
        later: the learning rate that is set half-way; 0 for none.

    Returns:
        `path`: (steps, numbers); `trainable`: whether all still require a gradient.
    """
    with from_scratch():
        parameters, optimizer = optimized(kind, start, groups, options)
        path = []
        for step in range(len(gradients[0])):
            if later and step == len(gradients[0]) // 2:
                optimizer.lr = later
            for p, series, none in zip(parameters, gradients, missing, strict=True):
                p.grad = None if step in none else series[step].to(p.dtype)
            with nullcontext() if step else Unfused():  # in all steps it would take its time
                optimizer.step()
            path.append(torch.cat([p.detach().flatten() for p in parameters]).clone())
    return {"path": torch.stack(path), "trainable": all(p.requires_grad for p in parameters)}


def around_a_step(kind: Any, start: Sequence[Tensor], options: Mapping[str, Any]) -> dict[str, Any]:
    """What becomes of gradients that were ones.

    Returns:
        whether a step has `kept` all of them; of each, whether `zero_grad()` has `left` it.
    """
    with from_scratch(), Unfused():
        parameters, optimizer = optimized(kind, start, (), options)
        optimizer.zero_grad()
        for p in parameters:
            p.grad = torch.ones_like(p)
        optimizer.step()
        after = [p.grad for p in parameters]
        kept = all(grad is not None and bool((grad == 1).all()) for grad in after)
        for p in parameters:
            p.grad = torch.ones_like(p)
        optimizer.zero_grad()
        left = [p.grad is not None and bool(p.grad.any()) for p in parameters]
    return {"kept": kept, "left": left}
