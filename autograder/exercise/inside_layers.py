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


def tensors_of(layer: Any) -> dict[Any, Any]:
    """The tensors that a layer's `params` hold, by name; none where it has no such dictionary."""
    params = getattr(layer, "params", None)
    return params if isinstance(params, dict) else {}


def fill(layer: Any, given: dict[str, Tensor], by_attribute: bool) -> None:
    """Put numbers into the tensors of `params`, in place.

    With `by_attribute` also into those that lie elsewhere under the same name: whether `params`
    hold the tensors that are used is a matter of its own.
    """
    for name, numbers in given.items():
        places = [tensors_of(layer).get(name)]
        if by_attribute:
            owner, _, last = name.rpartition(".")
            part = getattr(layer, owner, None) if owner else layer
            places += [getattr(part, last, None), tensors_of(part).get(last)]
        for tensor in places:
            if isinstance(tensor, Tensor) and tensor.shape == numbers.shape:
                with torch.no_grad():
                    tensor.copy_(numbers)
