"""What layers compute, as functions `f(x, params)` in any precision, and gradients by autograd.

Blocks are made of parts; the parts may also be the stand-ins that `probes` has for them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import draws
from autograder.exercise.in_order import Gradients
from autograder.suites.blocks import probes

Params = dict[str, Tensor]


def rows(t: Tensor) -> Tensor:
    """All rows of a tensor with any leading axes, or none, as a matrix."""
    return t.reshape(-1, t.shape[-1])


def linear(x: Tensor, p: Params) -> Tensor:
    return x @ p["weights"] + p["bias"]


def relu(x: Tensor, p: Params) -> Tensor:
    return x.clamp(min=0)


def norm(x: Tensor, p: Params, eps: float = 1e-5) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    return (
        p["weight"] * centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() + p["bias"]
    )


def split(t: Tensor, heads: int) -> Tensor:
    """(n, t, dim) to (n, heads, t, dim / heads)."""
    return t.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge(t: Tensor) -> Tensor:
    """(n, heads, t, dim / heads) to (n, t, dim)."""
    return t.transpose(1, 2).flatten(2)


def attention(x: Tensor, p: Params, heads: int) -> Tensor:
    q, k, v = (split(x @ p[name], heads) for name in ("wq", "wk", "wv"))
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return merge(torch.softmax(scores, -1) @ v) @ p["wo"]


def stand_in(part: type[probes.Part]) -> Callable[..., Tensor]:
    """The function of a stand-in, like those above."""
    function: Any = part.__dict__["function"]
    return lambda x, p, *sizes: function(None, x, **p)


#: By task, the function of a part; and that of what stands in for it.
OWN: dict[str, Callable[..., Tensor]] = {
    "Linear": linear,
    "ReLU": relu,
    "LayerNorm": norm,
    "SelfAttention": attention,
}
STAND_INS = {part.__name__: stand_in(part) for part in probes.PARTS}


def of(p: Params, part: str) -> Params:
    """The params of one part of a block."""
    return {name.split(".")[1]: t for name, t in p.items() if name.split(".")[0] == part}


def named(part: str, grads: Gradients) -> Gradients:
    """The gradients of a part's params, as the block names them."""
    return {f"{part}.{name}": t for name, t in grads.items() if name != "x"}


def draw_rows(rng: torch.Generator, *shape: int) -> Tensor:
    return draws.away_from_zero(rng, 0.2, 1.5, *shape)


def draw_linear(rng: torch.Generator, rows: int, columns: int) -> Params:
    return {"weights": draw_rows(rng, rows, columns), "bias": draw_rows(rng, columns)}


def draw_norm(rng: torch.Generator, dim: int) -> Params:
    return {"weight": draw_rows(rng, dim), "bias": draw_rows(rng, dim)}


def draw_attention(rng: torch.Generator, dim: int) -> Params:
    return {name: draw_rows(rng, dim, dim) / 2 for name in ("wo", "wv", "wq", "wk")}


def under(part: str, params: Params) -> Params:
    return {f"{part}.{name}": t for name, t in params.items()}
