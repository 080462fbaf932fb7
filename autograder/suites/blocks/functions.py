"""What layers compute, as functions in any precision, and the numbers that are put into them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.exercise import away_from_zero
from autograder.exercise.gradients import with_gradient_of
from autograder.exercise.layer_norm import layer_norm
from autograder.exercise.linear import linear
from autograder.suites.blocks import probes

Params = dict[str, Tensor]

#: Of which kind the parts of blocks are.
KINDS = {
    "norm1": "LayerNorm",
    "attention": "SelfAttention",
    "norm2": "LayerNorm",
    "first": "Linear",
    "second": "Linear",
}


def split(t: Tensor, heads: int) -> Tensor:
    """(n, t, dim) to (n, heads, t, dim / heads)."""
    return t.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge(t: Tensor) -> Tensor:
    """(n, heads, t, dim / heads) to (n, t, dim)."""
    return t.transpose(1, 2).flatten(2)


def attend(
    x: Tensor,
    params: Params,
    heads: int,
    *,
    see: Callable[[str, Tensor], Tensor] = lambda name, x: x,
    cut: Callable[[Tensor, int], Tensor] = split,
    score: Callable[[Tensor, Tensor], Tensor] = lambda q, k: q @ k.mT,
    scale: Callable[[Tensor, int], Tensor] = lambda s, size: s / size**0.5,
    weigh: Callable[[Tensor], Tensor] = lambda s: s.softmax(-1),
    mix: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
    join: Callable[[Tensor], Tensor] = merge,
    out: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
) -> Tensor:
    """What self-attention computes; right, unless a step of it is told otherwise."""
    q, k, v = (cut(see(name, x) @ params[f"w{name}"], heads) for name in "qkv")
    weights = weigh(scale(score(q, k), q.shape[-1]))
    return out(join(mix(weights, v)), params["wo"])


def parts(params: Params, stand_in: bool, heads: int = 1) -> dict[str, Any]:
    """The parts of a block, with their params, as functions of what goes in."""
    own: dict[str, Any] = {
        "Linear": linear,
        "LayerNorm": partial(layer_norm, eps=1e-5),
        "SelfAttention": lambda x, **p: attend(x, p, heads),
    }
    known = probes.FUNCTIONS if stand_in else own
    found: dict[str, Any] = {}
    for name, tensor in params.items():
        part, _, short = name.partition(".")
        before = found.get(part, partial(known[KINDS[part]]))
        found[part] = partial(before, **{short: tensor})
    return found


def passing(t: Tensor) -> Tensor:
    """What ReLU gives, with a way back that lets all pass."""
    return with_gradient_of(t.relu(), t)


# ------------------------------------------------------------------------------------ what is drawn


def drawn(rng: Generator, *shape: int) -> Tensor:
    return away_from_zero(rng, 0.2, 1.5, *shape)


def draw_linear(rng: Generator, rows: int, columns: int) -> Params:
    return {"weights": drawn(rng, rows, columns), "bias": drawn(rng, columns)}


def draw_norm(rng: Generator, dim: int) -> Params:
    return {"weight": drawn(rng, dim), "bias": drawn(rng, dim)}


def draw_attention(rng: Generator, dim: int) -> Params:
    return {name: drawn(rng, dim, dim) / 2 for name in ("wo", "wv", "wq", "wk")}


def under(**parts: Params) -> Params:
    """The params of parts, as a block names them."""
    return {f"{part}.{name}": t for part, params in parts.items() for name, t in params.items()}


def unbent(draw: Callable[[], Tensor], inside: Callable[[Tensor], Tensor]) -> Tensor:
    """A draw where nothing inside is so near 0, where ReLU bends, that neither side is right."""
    while True:
        x = draw()
        if float(inside(x).abs().min()) > 1e-3:
            return x
