"""Steps of optimizers, right ones, and wrong ones in all the ways that are known.

A rule gives where numbers `p` go, from their gradients `g`, both NumPy arrays or tensors. `kept` is
what it remembers of them, `kept["t"]` the number of this step, counted by whoever asks. Its options
are those of `torch.optim`; what else it looks up is a switch that makes it wrong. A test holds the
right ones against torch's own.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Kept = dict[str, Any]


class Options(defaultdict[str, Any]):
    """Options and switches by name; those that are not there are 0."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(int, given)


def sgd(p: Any, g: Any, kept: Kept, o: Options) -> Any:
    """One step of `torch.optim.SGD`."""
    p, g = decayed(p, g, o)
    step, momentum = g, o["momentum"]
    if momentum:
        new = 1 if kept["t"] == 1 and not o["damped_first"] else 1 - o["dampening"]
        stays = momentum * (new if o["damped_velocity"] else 1)
        if o["averaged"] == "always" or (o["averaged"] and kept["t"] > 1):
            new = (1 - momentum) * new
        kept["v"] = step = stays * kept.get("v", 0) + new * (o["lr"] if o["lr_inside"] else 1) * g
        if o["nesterov"]:
            step = momentum * step + (step if o["looks_twice"] else g)
    return moved(p, step, o)


def rmsprop(p: Any, g: Any, kept: Kept, o: Options) -> Any:
    """One step of `torch.optim.RMSprop`."""
    p, g = decayed(p, g, o)
    alpha, eps = 1 - o["alpha"] if o["swapped"] else o["alpha"], o["eps"]
    square = alpha * kept.get("s", g**2 if o["first_whole"] else 0)
    kept["s"] = square = square + (o["weight"] or 1 - alpha) * g**2
    if o["corrected"]:
        square = square / (1 - alpha ** kept["t"])
    divisor = root(square, eps, o)
    new = (1 - o["momentum"] if o["averaged"] else 1) * (o["lr"] if o["lr_inside"] else 1) * g
    if not o["divided_late"]:
        new = new / divisor
    kept["v"] = step = o["momentum"] * kept.get("v", 0) + new
    return moved(p, step / divisor if o["divided_late"] else step, o)


def adam(p: Any, g: Any, kept: Kept, o: Options) -> Any:
    """One step of `torch.optim.Adam` (Kingma and Ba 2015, algorithm 1), or `AdamW`."""
    raw = g
    p, g = decayed(p, g, o)
    (beta, gamma), t = o["betas"][:: -1 if o["swapped"] else 1], kept["t"] + o["ahead"]
    seen = raw if o["decay"] == "mean only" else g
    seen = abs(seen) if o["unsquared"] else seen**2
    mean = beta * kept.get("m", 0) + (1 if o["summed"] else 1 - beta) * g
    square = gamma * kept.get("s", 0) + (1 if o["summed"] else 1 - gamma) * seen
    kept.update(m=mean, s=square)
    first, second = (
        1 if o[f"{b}_uncorrected"] else 1 - w**t for b, w in (("m", beta), ("s", gamma))
    )
    if o["corrected_kept"]:
        kept.update(m=mean / first, s=square / second)
    divisor = root(square / second, o["eps"] / (second**0.5 if o["eps_early"] else 1), o)
    return moved(p, mean / first / divisor, o)


def root(square: Any, eps: Any, o: Options) -> Any:
    """What a gradient is divided by."""
    if o["inside"]:
        return (square + eps) ** 0.5
    return (square if o["rootless"] else square**0.5) + eps


def decayed(p: Any, g: Any, o: Options) -> tuple[Any, Any]:
    """Numbers and gradients after weight decay: `decay` says where it is, if not in gradients."""
    if not o["weight_decay"]:
        return p, g
    amount, way = o["weight_decay"] * p, o["decay"]
    if way in ("decoupled", "unscaled", "grows"):
        return p - {"decoupled": o["lr"], "unscaled": 1, "grows": -o["lr"]}[way] * amount, g
    return p, g if way in ("late", "after") else g + amount


def moved(p: Any, step: Any, o: Options) -> Any:
    """The numbers after a step."""
    if o["decay"] == "late":
        step = step + o["weight_decay"] * p
    new = p - (o["lr"] if not o["lr_inside"] or o["lr_twice"] else 1) * step
    return new * (1 - o["lr"] * o["weight_decay"]) if o["decay"] == "after" else new


ADAM = {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8}
#: By name in `torch.optim`, the rule and the defaults of its options where they are not 0.
RULES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "SGD": (sgd, {}),
    "RMSprop": (rmsprop, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}),
    "Adam": (adam, ADAM),
    "AdamW": (adam, {**ADAM, "weight_decay": 0.01, "decay": "decoupled"}),
}


def follow(
    name: str,
    start: Sequence[Tensor],
    gradients: Sequence[Tensor],
    missing: Sequence[Sequence[int]],
    groups: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    later: float,
    until: int | None = None,
    **ways: Any,
) -> Tensor | None:
    """Where an optimizer takes parameters: all their numbers after each step, float64.

    Args:
        name: of an optimizer of `torch.optim`.
        gradients: of each parameter, those of all steps.
        missing: of each parameter, the steps in which it has none.
        groups: options, and the `places` of their parameters.
        later: the learning rate that is set half-way; 0 for none.
        until: how many steps are followed; all of them where it is None.
        ways: switches, and other options, that make it wrong.

    Returns:
        `(steps, numbers)`; None where it cannot be wrong in these ways.
    """
    wrong, (rule, defaults) = Options(ways), RULES[name]
    if wrong["shared"] and len({p.shape for p in start}) > 1:
        return None
    own: list[dict[str, Any]] = [{} for _ in start]
    for group in groups if not wrong["groups_ignored"] else ():
        for place in group["places"]:
            own[place] = {key: value for key, value in group.items() if key != "places"}
    own = [own[0] for _ in own] if wrong["first_group"] else own
    at = [p.double().flatten().numpy() for p in start]
    series = [g.double().reshape(len(g), -1).numpy() for g in gradients]
    order = [k for group in groups for k in group["places"]] or [*range(len(at))]
    sizes = np.cumsum([0, *map(len, at)])
    apart = {"shared", "counted_each", "only", "stops_at_missing"} & {*ways}
    alike: dict[Any, list[int]] = {}
    for k in order:  # a rule works number by number: what fares alike is moved together
        alike.setdefault(k if apart else repr((own[k], missing[k])), []).append(k)
    order = [members[0] for members in alike.values()]
    for first, members in zip(order, alike.values(), strict=True):
        at[first] = np.concatenate([at[k] for k in members])
        series[first] = np.concatenate([series[k] for k in members], 1)
    kept: list[Kept] = [{} for _ in at]
    kept = [kept[0]] * len(at) if wrong["shared"] else kept
    given = [Options({**defaults, **options, **each, **ways}) for each in own]
    counts, calls, path, half = [0] * len(at), 0, [], len(series[0]) // 2
    gone = [{*steps} for steps in missing]
    still = {"first": [*range(1, len(at))], "last": [*range(len(at) - 1)]}.get(wrong["only"], ())
    sign = ways.get("sign", 1)
    for step in range(len(series[0]))[:until]:
        for each, mine in zip(own, given, strict=True) if later and step == half else ():
            if not wrong["lr_fixed"]:
                mine["lr"] = mine["lr"] if "lr" in each and not wrong["lr_for_all"] else later
        for k in order:
            slope, lacks = series[k][step], step in gone[k]
            if lacks and wrong["stops_at_missing"]:
                break
            calls += not lacks
            counts[k] += not lacks or wrong["counts_missing"] or wrong["missing_as_zero"]
            if lacks and wrong["decays_missing"]:
                at[k] = at[k] * (1 - given[k]["lr"] * given[k]["weight_decay"])
            if k in still or (lacks and not wrong["missing_as_zero"]):
                continue
            if wrong["lost"]:
                kept[k].clear()
            t = calls if wrong["counted_each"] else counts[k]
            kept[k]["t"] = 1 if wrong["lost"] == "count, too" else t
            new = rule(at[k], 0 * slope if lacks else slope, kept[k], given[k])
            at[k] = new if sign == 1 else at[k] + sign * (new - at[k])
        path.append(np.concatenate([at[k] for k in order]))
    numbers = [range(sizes[k], sizes[k + 1]) for members in alike.values() for k in members]
    return torch.from_numpy(np.stack(path)[:, np.argsort(np.concatenate(numbers))])
