"""Gradients for probes, from torch's engine itself: sent along with them.

A notebook may put something of its own in the place of `torch.autograd.grad`, and of all that lies
in a module or class of Python's. The engine is a type of C++, which cannot be changed: it is looked
for among these, not by a name.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_MADE_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def engine() -> Any:
    """The type of torch's engine."""
    kinds = type.__subclasses__(().__class__.__base__)
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
    found = kind.run_backward(
        kind(), (y,), (g,), create_graph, create_graph, tuple(by), True, False
    )
    return [torch.zeros_like(t) if d is None else d for t, d in zip(by, found, strict=True)]
