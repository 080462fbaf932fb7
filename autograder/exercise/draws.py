"""Random numbers for inputs on which every mistake shows: none is near zero by chance."""

import torch
from torch import Generator, Tensor


def between(rng: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Numbers between `low` and `high`, float32 of `shape`."""
    return low + (high - low) * torch.rand(shape, generator=rng)


def signs(rng: Generator, *shape: int) -> Tensor:
    """Numbers 1 and -1, float32 of `shape`."""
    return torch.randint(2, shape, generator=rng) * 2.0 - 1


def away_from_zero(rng: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Numbers of either sign, in size between `low` and `high`, float32 of `shape`."""
    return signs(rng, *shape) * between(rng, low, high, *shape)
