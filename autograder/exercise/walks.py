"""Where optimizers take parameters, step by step, and where each known mistake takes them.

A probe gives an optimizer a gradient for each step, whatever the parameters are; what it remembers,
and under which names, nobody asks.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Generator

from autograder.exercise.draws import away_from_zero, between
from autograder.exercise.formula import Formula, Inputs
from autograder.exercise.rules import follow
from autograder.exercise.switches import Way, Wrong, switched
from autograder.language import Text

#: So many steps after the last thing that happens on the way, most mistakes have shown.
BRIEF = 8
#: Shapes of parameters.
SEVERAL = ((2, 3), (), (4,))


def path(
    name: str,
    wrongs: Sequence[Wrong],
    options: Way,
    accepted: Sequence[Wrong] = (),
    also_right: Sequence[Way] = (),
    shapes: Sequence[Any] = (SEVERAL,),
    **case: Any,
) -> Formula:
    """Where an optimizer takes parameters of some shapes; see :func:`switches.switched`.

    Args:
        options: what it is made with.
        case: more arguments of :func:`draw`.
    """
    return switched(
        "The path of the parameters",
        lambda walk: {"right": follow(**walk), "wrong": partial(follow, **walk)},
        wrongs,
        accepted,
        also_right,
        draw=partial(draw, name=name, options=options, **case),
        within=1e-6,  # they are float64; who remembers things in float32 is right, too
        margin=1e-4,
        message=Text("`{name}` does not take the parameters where its formulas lead.", name=name),
        cases=[{"shapes": each} for each in shapes],
        brief=lambda walk: {"walk": {**walk, "until": _last_event(walk) + BRIEF}},
    )


def draw(
    rng: Generator,
    name: str,
    options: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...]] = SEVERAL,
    steps: int = 50,
    scale: float = 1.0,
    gaps: bool = False,
    groups: Sequence[Way] = (),
    later: float = 0.0,
) -> Inputs:
    """A walk: parameters, and a gradient of each for each step, which is mostly of one sign.

    Args:
        scale: the size of the gradients.
        gaps: whether the first and the last parameter have none in some steps.
        groups, later: see :func:`rules.follow`.
    """
    start = [away_from_zero(rng, 0.5, 2, *shape) for shape in shapes]
    gradients = [
        scale * (away_from_zero(rng, 0.2, 0.6, *shape) + between(rng, -1, 1, steps, *shape))
        for shape in shapes
    ]
    missing: list[list[int]] = [[] for _ in shapes]
    if gaps:
        gap = int(torch.randint(5, steps // 3, (), generator=rng))
        missing[0], missing[-1] = [0, 1, gap], [*range(2 * gap, 2 * gap + 6)]
    walk = {"name": name, "start": start, "gradients": gradients, "missing": missing}
    groups = [dict(group) for group in groups]
    return {"walk": {**walk, "groups": groups, "options": dict(options), "later": later}}


def _last_event(walk: Inputs) -> int:
    """The last step with something new: another learning rate, or a gradient that is missing."""
    half: int = len(walk["gradients"][0]) // 2
    return max([half if walk["later"] else 0, *chain.from_iterable(walk["missing"])])
