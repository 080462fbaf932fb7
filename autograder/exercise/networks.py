"""Networks of linear layers: what they compute, with whatever stands between the layers.

A network is given by its layers, pairs of weights `(in, out)` and a bias `(out,)`.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Layers = Sequence[Sequence[Tensor]]
Bend = Callable[[Tensor], Tensor]


def forward(
    x: Tensor,
    layers: Layers,
    between: Bend | None = torch.relu,
    first: Bend | None = None,
    last: Bend | None = None,
    only: int | None = None,
) -> Tensor:
    """A network's result.

    Args:
        x: `(rows, in)`.
        between: what stands between one layer and the next; nothing, where it is None.
        first: what stands before the first layer.
        last: what stands after the last one.
        only: the number of the one layer that has that after it; all but the last, where it is
            None.
    """
    bends = [between if only in (None, place) else None for place in range(len(layers) - 1)]
    x = first(x) if first else x
    for (weights, bias), bend in zip(layers, [*bends, last], strict=True):
        x = x @ weights + bias
        x = bend(x) if bend else x
    return x
