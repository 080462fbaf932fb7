"""Gradients for probes, and Functions that are asked for theirs: sent along with them.

A notebook may put something of its own in the place of `torch.autograd.grad`, and of all that lies
in a module or class of Python's. The engine is a type of C++, which cannot be changed: it is looked
for among these, not by a name.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

_MADE_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def engine() -> Any:
    """The type of torch's engine."""
    of_all: Any = ().__class__.__base__
    kinds: list[type] = type.__subclasses__(of_all)
    (found,) = (
        kind
        for kind in kinds
        if kind.__name__ == "_EngineBase" and not kind.__flags__ & _MADE_IN_PYTHON
    )
    return found


def gradients(
    y: Tensor, by: Sequence[Tensor], g: Tensor, create_graph: bool = False
) -> list[Tensor]:
    """The gradients of `y` by tensors, where `g` comes in: zeros where it does not depend on one.

    Args:
        create_graph: whether they can be differentiated again; then the graph is kept.

    Raises:
        RuntimeError: as `torch.autograd.grad` does.
    """
    kind = engine()
    how = (create_graph, create_graph, tuple(by), True, False)
    found = kind.run_backward(kind(), (y,), (g,), *how)
    return [torch.zeros_like(t) if d is None else d for t, d in zip(by, found, strict=True)]


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """The numbers of several tensors in a row."""
    return torch.cat([each.reshape(-1) for each in tensors])


# -------------------------------------------------------------------------------------- Functions


def formed(name: str, value: Tensor, form: str) -> Tensor:
    """A tensor of another leading shape, or one that lies otherwise in memory."""
    if value.dim() < 2 or not form:
        return value
    if form == "expanded":
        return value[:1].expand(value.shape) if name in ("x", "logits", "g") else value
    if name not in ("x", "g"):
        return value.mT.contiguous().mT if form == "transposed in memory" else value
    if form == "one sample":
        return value[0]
    return value.reshape(3, 2, -1).transpose(0, 1).contiguous().transpose(0, 1)


class Call:
    """One call of a Function of the notebook's.

    Args:
        function: its name.
        names: of its arguments.
        inputs: these, and the gradient `g` that will come in.
        by: the names of those that gradients are asked by.
        dtype: of all tensors of numbers.
        form: one that tensors are brought to, see :func:`formed`.

    Attributes:
        given: the arguments by name.
        y: what comes out.
    """

    def __init__(
        self,
        notebook: Any,
        function: str,
        names: Sequence[str],
        inputs: dict[str, Any],
        by: Sequence[str],
        dtype: torch.dtype = torch.float64,
        form: str = "",
    ) -> None:
        made = {name: inputs[name] for name in (*names, "g")}
        for name, value in made.items():
            if isinstance(value, Tensor):
                value = value.to(dtype) if value.is_floating_point() else value
                made[name] = formed(name, value.clone(), form)
        self.g, self.given, self.by = made.pop("g"), made, by
        for name in by:
            made[name].requires_grad_()
        self.y = getattr(notebook, function).apply(*made.values())

    def gradients(self, create_graph: bool = False) -> list[Tensor]:
        """Those by all of `by`."""
        there = [self.given[name] for name in self.by]
        if self.y.shape == self.g.shape:
            return gradients(self.y, there, self.g, create_graph)
        found = self.returned()  # what comes out is another test's matter
        return [found.get(name, torch.zeros_like(self.given[name])) for name in self.by]

    def returned(self) -> dict[str, Any]:
        """What `backward` itself returns for each argument, before autograd makes it fit."""
        node = self.y.grad_fn
        if not isinstance(node, torch.autograd.function.BackwardCFunction):
            return {}  # no Function has made it
        found = node.apply(self.g.clone())
        found = found if isinstance(found, tuple | list) else (found,)
        pairs = zip(self.given, found, strict=False)
        return {name: gradient for name, gradient in pairs if gradient is not None}

    def after_change(self, name: str) -> Tensor | None:
        """All gradients after a tensor has changed in place; None if PyTorch notices.

        Args:
            name: of an argument, or `output`.
        """
        there = self.y if name == "output" else self.given[name]
        try:
            with torch.no_grad():
                turned = there.flip(list(range(there.dim())))
                there.copy_(1.5 * turned if there.is_floating_point() else there.roll(1))
            return flat(self.gradients())
        except RuntimeError as error:
            if "inplace" not in str(error):
                raise
            return None


def usable(notebook: Any, by: list[str], **asked: Any) -> list[str]:
    """Those inputs whose gradient can be had, all at once or each alone; else all of them.

    Args:
        by: names of inputs.
        asked: what else a :class:`Call` takes.
    """
    single: list[str] = []
    for trained in (by, *([name] for name in by)):
        with suppress(Exception):
            Call(notebook, by=trained, **asked).gradients()
            if trained == by:
                return by
            single += trained
    return single or by
