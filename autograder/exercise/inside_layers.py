"""Helpers of probes that ask layers with a backward pass of their own, or stand in for some.

Such a layer has the dicts `params` and `grads`, `forward(x)`, and `backward(grad_output)`, which
fills `grads` and returns the gradient of `x`.
"""

from typing import Any

import torch
from torch import Tensor


class Part:
    """Stands for a layer: a function whose gradients autograd works out.

    Attributes:
        made: `made(*sizes)` gives the params by name.
        function: `function(x, **params)` is what it computes.
    """

    made: Any
    function: Any

    def __init__(self, *sizes: Any, **more: Any) -> None:
        self.params: dict[str, Tensor] = self.made(*sizes, **more)
        self.grads: dict[str, Tensor] = {}
        for name, tensor in self.params.items():
            setattr(self, name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaves = {name: tensor.detach() for name, tensor in self.params.items()}
            self.leaves = {"": x.detach().clone(), **leaves}
            for leaf in self.leaves.values():
                leaf.requires_grad_()
            self.y = self.function(self.leaves[""], **leaves)
        y: Tensor = self.y.detach()
        return y

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def backward(self, grad_output: Tensor) -> Tensor:
        into, *others = torch.autograd.grad(self.y, [*self.leaves.values()], grad_output)
        self.grads = dict(zip(self.params, others, strict=True))
        return into


class Silent(Part):
    """One that uses no autograd: it gives numbers of the right shapes that mean nothing."""

    def forward(self, x: Tensor) -> Tensor:
        last = [tensor.shape[-1] for tensor in self.params.values()][-1:]
        self.shape = x.shape
        return torch.ones(*x.shape[:-1], *(last or x.shape[-1:]))

    def backward(self, grad_output: Tensor) -> Tensor:
        self.grads = {name: torch.ones_like(tensor) for name, tensor in self.params.items()}
        return torch.ones(self.shape)


class OfModule(Part):
    """One that computes what a module does.

    Attributes:
        kind: `kind(*sizes)` makes the module.
    """

    kind: Any

    def made(self, *sizes: Any, **more: Any) -> dict[str, Tensor]:
        self.module = self.kind(*sizes, **more)
        return {name: tensor.detach() for name, tensor in self.module.named_parameters()}

    def function(self, x: Tensor, **params: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(self.module, params, (x,))
        return found


def dict_of(layer: Any, name: str) -> dict[Any, Any]:
    """What a layer's `params` or `grads` hold, by name; nothing where that is no dictionary."""
    found = getattr(layer, name, None)
    return found if isinstance(found, dict) else {}


def fill(layer: Any, given: dict[str, Tensor], by_attribute: bool) -> None:
    """Put numbers into the tensors of `params`, in place.

    With `by_attribute` also into those that lie elsewhere under the same name: whether `params`
    hold the tensors that are used is a matter of its own.
    """
    for name, numbers in given.items():
        places = [dict_of(layer, "params").get(name)]
        if by_attribute:
            owner, _, last = name.rpartition(".")
            part = getattr(layer, owner, None) if owner else layer
            places += [getattr(part, last, None), dict_of(part, "params").get(last)]
        for tensor in places:
            if isinstance(tensor, Tensor) and tensor.shape == numbers.shape:
                with torch.no_grad():
                    tensor.copy_(numbers)


def copy(value: Any) -> Any:
    """A tensor as it is now; whatever else it is, itself."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def pass_through(
    notebook: Any, name: str, calls: list[dict[str, Any]], fresh: bool = True
) -> list[Any]:
    """Pass forward and backward through a layer of the notebook's.

    Args:
        name: of the class.
        calls: each has the `sizes` that a layer is made with, `params` to put in place, `x` and
            perhaps an upstream gradient `g`: then it goes backward, too.
        fresh: whether each call gets a layer of its own; else one layer gets them in turn.

    Returns:
        for each call `y`, the gradient `x`, `grads`, the shapes in `params`, and whether what was
        given is `kept` as it was.
    """
    found = []
    layer: Any = None
    for call in calls:
        first = fresh or layer is None
        layer = getattr(notebook, name)(*call["sizes"]) if first else layer
        fill(layer, call["params"], by_attribute=first)
        given = {k: call[k].to(notebook.device, copy=True) for k in ("x", "g") if k in call}
        left = {"y": copy(layer.forward(given["x"]))}
        if "g" in given:
            left["x"] = copy(layer.backward(given["g"]))
            left["grads"] = {str(k): copy(v) for k, v in dict_of(layer, "grads").items()}
        left["params"] = {
            str(key): list(value.shape) if isinstance(value, Tensor) else None
            for key, value in dict_of(layer, "params").items()
        }
        left["kept"] = all(torch.equal(t.cpu(), call[k]) for k, t in given.items())
        found.append(left)
    return found
