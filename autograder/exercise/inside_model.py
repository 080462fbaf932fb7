"""A notebook's `model`, asked for its answers and made once more: sent along with probes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def model_answers(notebook: Any, x: Tensor) -> dict[str, Any]:
    """What `model` answers for `x`, in evaluation mode.

    Returns:
        `module`: whether it is an `nn.Module`; `outputs`: its answers, or the name of its type
        where it is none.
    """
    model = notebook.model
    if not isinstance(model, nn.Module):
        return {"module": False, "outputs": type(model).__name__}
    model.eval()
    # Of which type a model computes is its own affair: the text asks for none.
    places = [p for p in [*model.parameters(), *model.buffers()] if p.is_floating_point()]
    with torch.no_grad():
        outputs = model(x.to(places[0].device, places[0].dtype) if places else x)
    return {"module": True, "outputs": outputs}


def make_model_again(notebook: Any, cells: Sequence[str], **stand_ins: Any) -> None:
    """Run the cells that make `model` once more, with these in the place of earlier tasks."""
    names = notebook._names
    names.update(stand_ins)
    for cell in cells:
        exec(cell, names)
