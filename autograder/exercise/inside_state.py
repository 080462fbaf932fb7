"""A module of the student's with given numbers in it: sent along with probes."""

from typing import Any

import torch
from torch import Tensor, nn


def here(given: Any, device: Any) -> Any:
    """What a probe was given, with its tensors on a device, those in lists too."""
    if isinstance(given, list):
        return [here(each, device) for each in given]
    return given.to(device) if isinstance(given, Tensor) else given


def made(kind: Any, *given: Any) -> Any:
    """An object of a class, even where its constructor does not work."""
    try:
        thing = kind(*given)
    except Exception:
        thing = kind.__new__(kind)
    if isinstance(thing, nn.Module) and "_parameters" not in vars(thing):
        nn.Module.__init__(thing)
    return thing


def put(module: Any, name: str, value: Tensor, in_place: bool = True) -> None:
    """Put numbers where a module keeps those of a name, in the way and in the shape it does.

    Args:
        in_place: whether its own tensor is filled, where it is one of numbers like these.
    """
    parameters, buffers = (vars(module).get(each, {}) for each in ("_parameters", "_buffers"))
    place = parameters if name in parameters else buffers if name in buffers else vars(module)
    old = getattr(module, name, None)
    value = like(old, value)
    alike = isinstance(old, Tensor) and old.is_floating_point() and old.shape == value.shape
    if in_place and name in place and alike:
        assert isinstance(old, Tensor)
        with torch.no_grad():
            old.copy_(value)
    else:
        place[name] = nn.Parameter(value) if place is parameters else value


def like(old: Any, value: Tensor) -> Tensor:
    """A value in the shape of an old one, if that has as many numbers."""
    fits = isinstance(old, Tensor) and old.numel() == value.numel()
    return value.reshape(old.shape) if fits else value


def copied(value: Any) -> Any:
    """A copy of a tensor without its graph, also in dicts; anything else as it is."""
    if isinstance(value, dict):
        return {str(name): copied(each) for name, each in value.items()}
    return value.detach().clone() if isinstance(value, Tensor) else value
