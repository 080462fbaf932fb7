"""Steps of optimizers in float64, right ones, and wrong ones in all the known ways.

A rule gives where the numbers of some parameters `p` go, from their gradients `g`; `kept` is what
it remembers of them, `t` the number of this step. Its options are those of `torch.optim`; whatever
else it takes is a switch that makes it wrong. A test holds the right ones against torch's own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Numbers = np.ndarray[Any, np.dtype[np.float64]]

Kept = dict[str, Any]
Betas = Sequence[float]


def sgd(
    p: Numbers,
    g: Numbers,
    kept: Kept,
    t: int,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    damped_first: bool = False,
    damped_velocity: bool = False,
    lr_twice: bool = False,
    lr_kept: bool = False,
    looks_twice: bool = False,
    decay: str = "coupled",
) -> Numbers:
    """One step of `torch.optim.SGD`."""
    if decay == "coupled":
        g = g + weight_decay * p
    elif decay == "decoupled":
        p = p * (1 - lr * weight_decay)
    step, before = g, kept.get("velocity", 0.0)
    if momentum:
        undamped = t == 1 and not damped_first
        new = g if undamped else (1 - dampening) * g
        new = lr * new if lr_kept or lr_twice else new
        step = kept["velocity"] = momentum * before + new
        if damped_velocity and not undamped:
            step = kept["velocity"] = (1 - dampening) * (momentum * before + g)
        if nesterov:
            step = momentum * step + (step if looks_twice else g)
    if decay == "late":
        step = step + weight_decay * p
    return p - (1.0 if lr_kept else lr) * step


def rmsprop(
    p: Numbers,
    g: Numbers,
    kept: Kept,
    t: int,
    *,
    lr: float = 0.01,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    inside: bool = False,
    root: bool = True,
    weight: float | None = None,
    first_whole: bool = False,
    corrected: bool = False,
    momentum_first: bool = False,
    lr_kept: bool = False,
    lr_twice: bool = False,
    averaged: bool = False,
    decay: str = "coupled",
) -> Numbers:
    """One step of `torch.optim.RMSprop`."""
    if decay == "coupled":
        g = g + weight_decay * p
    elif decay == "decoupled":
        p = p * (1 - lr * weight_decay)
    weight = 1 - alpha if weight is None else weight
    square = alpha * kept.get("square", 0.0) + weight * g**2
    if first_whole and t == 1:
        square = g**2
    kept["square"] = square
    if corrected:
        square = square / (1 - alpha**t)
    divisor = np.sqrt(square + eps) if inside else (np.sqrt(square) if root else square) + eps
    new = g if momentum_first else g / divisor
    new = lr * new if lr_kept or lr_twice else new
    step = momentum * kept.get("velocity", 0.0) + (1 - momentum if averaged else 1) * new
    kept["velocity"] = step
    if momentum_first:
        step = step / divisor
    if decay == "late":
        step = step + weight_decay * p
    return p - (1.0 if lr_kept else lr) * step


def adam(
    p: Numbers,
    g: Numbers,
    kept: Kept,
    t: int,
    *,
    lr: float = 0.001,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    corrects: Sequence[bool] = (True, True),
    corrects_kept: bool = False,
    late_count: int = 0,
    inside: bool = False,
    early_eps: bool = False,
    root: bool = True,
    squared: bool = True,
    weights: Betas | None = None,
    decay: str = "coupled",
) -> Numbers:
    """One step of `torch.optim.Adam` (Kingma and Ba 2015, algorithm 1)."""
    raw = g
    if decay in ("coupled", "mean only"):
        g = g + weight_decay * p
    before = p
    if decay in ("decoupled", "unscaled"):
        p = p * (1 - (lr if decay == "decoupled" else 1.0) * weight_decay)
    elif decay == "grows":
        p = p * (1 + lr * weight_decay)
    other = raw if decay == "mean only" else g
    weights = weights or (1 - betas[0], 1 - betas[1])
    mean = betas[0] * kept.get("mean", 0.0) + weights[0] * g
    square = betas[1] * kept.get("square", 0.0) + weights[1] * (
        other**2 if squared else np.abs(other)
    )
    t += late_count
    first, second = (
        1 - beta**t if corrected else 1.0 for beta, corrected in zip(betas, corrects, strict=True)
    )
    kept.update(mean=mean, square=square)
    mean, square = mean / first, square / second
    if corrects_kept:
        kept.update(mean=mean, square=square)
    divisor = (np.sqrt(square) if root else square) + eps
    if inside:
        divisor = np.sqrt(square + eps)
    if early_eps:
        divisor = (np.sqrt(square * second) + eps) / second**0.5
    step = mean / divisor
    if decay == "late":
        step = step + weight_decay * before
    elif decay == "after":
        return (p - lr * step) * (1 - lr * weight_decay)
    return p - lr * step


def adamw(
    p: Numbers,
    g: Numbers,
    kept: Kept,
    t: int,
    *,
    weight_decay: float = 0.01,
    decay: str = "decoupled",
    **options: Any,
) -> Numbers:
    """One step of `torch.optim.AdamW`."""
    return adam(p, g, kept, t, weight_decay=weight_decay, decay=decay, **options)


RULES: dict[str, Callable[..., Numbers]] = {
    "SGD": sgd,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adamw,
}


def follow(
    name: str,
    start: Sequence[Tensor],
    gradients: Sequence[Tensor],
    missing: Sequence[Sequence[int]] = (),
    groups: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
    later: float = 0.0,
    *,
    shared: bool = False,
    counted_each: bool = False,
    lost: bool = False,
    only: int | None = None,
    ascends: bool = False,
    frozen: bool = False,
    stops_at_missing: bool = False,
    missing_as_zero: bool = False,
    counts_missing: bool = False,
    decays_missing: bool = False,
    groups_ignored: bool = False,
    first_group_for_all: bool = False,
    lr_fixed: bool = False,
    lr_for_all: bool = False,
    **changed: Any,
) -> Tensor | None:
    """Where an optimizer takes the parameters: all their numbers after each step, float64.

    The first arguments are what `probes.walk` is given. The others make it wrong; `changed` are
    options and switches of the rule. None where it cannot be wrong in this way.
    """
    own: list[dict[str, Any]] = [{} for _ in start]
    for group in groups:
        for place in group["places"]:
            own[place] = {name: value for name, value in group.items() if name != "places"}
    if groups_ignored or first_group_for_all:
        own = [own[0] if first_group_for_all else {} for _ in start]
    at = [p.double().flatten().numpy() for p in start]
    series = [g.double().reshape(len(g), -1).numpy() for g in gradients]
    if not (any(missing) or groups or shared or counted_each or only is not None):
        # The rules work number by number.
        at, series, own = [np.concatenate(at)], [np.concatenate(series, 1)], own[:1]
    elif shared and len({p.shape for p in start}) > 1:
        return None
    kept: list[Kept] = [{} for _ in at]
    if shared:
        kept = [kept[0]] * len(at)
    rule, counts, calls, path = RULES[name], [0] * len(at), 0, []
    settings = [{**(options or {}), **each, **changed} for each in own]
    for step in range(len(series[0])):
        if later and step == len(series[0]) // 2 and not lr_fixed:
            for each, mine in zip(own, settings, strict=True):
                mine["lr"] = mine["lr"] if "lr" in each and not lr_for_all else later
        for k, slopes in enumerate(series):
            slope, calls = slopes[step], calls + 1
            is_missing = bool(missing) and step in missing[k]
            if is_missing and stops_at_missing:
                break
            counts[k] += not is_missing or missing_as_zero or counts_missing
            if only is not None and k != only % len(at):
                continue
            if is_missing and decays_missing:
                at[k] = at[k] * (1 - settings[k]["lr"] * settings[k]["weight_decay"])
            if is_missing and not missing_as_zero:
                continue
            if lost:
                kept[k].clear()
            t = calls if counted_each else counts[k]
            new = rule(at[k], 0 * slope if is_missing else slope, kept[k], t, **settings[k])
            at[k] = at[k] if frozen else 2 * at[k] - new if ascends else new
        path.append(np.concatenate(at))
    return torch.from_numpy(np.stack(path))
