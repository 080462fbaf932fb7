"""`CosineSchedule`: the learning rate warms up, then falls along half a cosine.

It is tested with a plain object that has a learning rate, and no optimizer of the student's.
"""

import math

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.draws import between
from autograder.suites.optimizers import Wrong, probes, series


def rates(
    options,
    steps,
    own,
    *,
    ahead=0,
    unset=False,
    never=False,
    compounds=False,
    form="half",
    length="left",
    warmed=True,
    from_zero=False,
    from_min=False,
    more=0,
    min_lr=None,
    floor="between",
    lr=None,
    held=True,
):
    """The learning rates after the constructor and after each step; wrong ones by switches."""
    top, total, warmup = lr or options["lr"], options["total_steps"], options["warmup_steps"]
    low = options["min_lr"] if min_lr is None else min_lr
    warmup = warmup if warmed else 0
    found, now = [], own
    for step in range(steps + 1):
        k = max(step + ahead, 0)
        if k < warmup:
            share = (k + (not from_zero)) / (warmup + more)
            value = low + (top - low) * share if from_min else top * share
        else:
            done = {
                "left": (k - warmup) / (total - warmup),
                "whole": k / total,
                "from start": (k - warmup) / total,
                "one less": (k - warmup) / (total - warmup - 1),
            }[length]
            done = min(done, 1.0) if held else done
            shape = {
                "half": (1 + math.cos(math.pi * done)) / 2,
                "quarter": math.cos(math.pi * done / 2),
                "full": (1 + math.cos(2 * math.pi * done)) / 2,
                "line": 1 - done,
                "rises": (1 - math.cos(math.pi * done)) / 2,
            }[form]
            value = {
                "between": low + (top - low) * shape,
                "added": low + top * shape,
                "floor": max(low, top * shape),
            }[floor]
        now = now * value / top if compounds else value
        found.append(own if never or (unset and step == 0) else now)
    return torch.tensor(found, dtype=torch.float64)


def draw(rng, warmup=0, first=False, after=0):
    total = int(torch.randint(14, 20, (), generator=rng))
    lr, own = between(rng, 0.3, 0.5, 1).item(), between(rng, 0.7, 0.9, 1).item()
    options = {"lr": lr, "total_steps": total, "min_lr": lr / 4}
    return {
        "options": {**options, "warmup_steps": warmup},
        "steps": 0 if first else total + after,
        "own": own,
    }


def rates_of(wrongs, accepted=(), tail=0, **case):
    """A formula of the learning rates.

    Args:
        tail: how many of the last ones count, where it is not all of them.
    """

    def also(options, steps, own):
        def wrong(**ways):
            return rates(options, steps, own, **ways)[-tail:]

        return {"wrong": wrong, "right": wrong()}

    def take(value, name, right):
        found = [checks.number(each, "Each learning rate") for each in value]
        return torch.tensor(found[-tail:], dtype=torch.float64)

    return series(
        "The learning rates",
        also,
        wrongs,
        accepted,
        draw=draw,
        take=take,
        within=1e-6,
        message="The learning rates are not those of the formula.",
        cases=[case],
    )


UNSET = Wrong(
    "constructor-sets-nothing",
    "After the constructor, the optimizer still has the learning rate from before: the first step"
    " of training would be taken with that one. The constructor sets the rate for k = 0.",
    {"unset": True},
)
COMPOUNDS = Wrong(
    "factors-pile-up",
    "You multiply the optimizer's learning rate, which the steps before have changed already. Work"
    " it out from `lr`, anew in each step.",
    {"compounds": True},
)
STEPS = (
    Wrong(
        "one-step-early",
        "Your schedule is one step ahead: the constructor is k = 0, the first `step()` k = 1.",
        {"ahead": 1},
    ),
    Wrong(
        "one-step-late",
        "Your schedule is one step behind: the constructor is k = 0, the first `step()` k = 1.",
        {"ahead": -1},
        {"ahead": -1, "unset": True},
    ),
)
SHAPE = (
    Wrong(
        "rate-never-set",
        "The optimizer's learning rate never changes: is it `optimizer.lr` that you set?",
        {"never": True},
        idle=True,
    ),
    Wrong("line-not-cosine", "Your learning rate falls along a straight line.", {"form": "line"}),
    Wrong(
        "quarter-cosine",
        "You follow a quarter of a cosine, from its top to zero. It is half a cosine, from 1 to -1,"
        " shifted and scaled.",
        {"form": "quarter"},
    ),
    Wrong(
        "full-cosine",
        "You follow a whole cosine, which comes back to its top. It is half of it: the angle goes"
        " from 0 to pi.",
        {"form": "full"},
    ),
    Wrong(
        "cosine-rises",
        "Your learning rate rises where it should fall: the sign of the cosine is flipped.",
        {"form": "rises"},
    ),
    Wrong(
        "ends-one-step-early",
        "Your cosine is at its end one step before `total_steps`.",
        {"length": "one less"},
    ),
)
LOW = (
    Wrong("min-lr-ignored", "You take no notice of `min_lr`.", {"min_lr": 0.0}),
    Wrong(
        "min-lr-added",
        "You add `min_lr` on top of a cosine from `lr` to 0, so that it starts too high.",
        {"floor": "added"},
    ),
    Wrong(
        "min-lr-cuts-off",
        "Your cosine goes down to 0, and `min_lr` cuts it off. It is to be the end of the cosine.",
        {"floor": "floor"},
    ),
)
WARMUP = (
    Wrong(
        "warm-up-missing",
        "There is no warm-up: your cosine begins with the first step.",
        {"warmed": False},
    ),
    Wrong(
        "cosine-over-whole-length",
        "Your cosine does not start after the warm-up and end at `total_steps`: it is stretched"
        " over the whole length instead of what is left.",
        {"length": "whole"},
        {"length": "from start"},
    ),
    Wrong(
        "warm-up-from-zero",
        "Your warm-up starts with a learning rate of 0: the first step is lost. It starts with"
        " `lr / warmup_steps`.",
        {"from_zero": True},
    ),
    Wrong(
        "warm-up-from-min-lr",
        "Your warm-up climbs up from `min_lr`; it is `lr * (k + 1) / warmup_steps`.",
        {"from_min": True},
    ),
    Wrong(
        "warm-up-too-flat",
        "Your warm-up does not reach `lr` in its last step: it divides by one more than there are"
        " steps.",
        {"more": 1},
    ),
)
NOT_HELD = Wrong(
    "rises-again",
    "After `total_steps` your learning rate follows the cosine up again. It stays at `min_lr`.",
    {"held": False},
)

start = rates_of((UNSET, COMPOUNDS), (*STEPS[:1], *WARMUP), warmup=4, first=True)
cosine = rates_of((*SHAPE, *STEPS, *LOW, COMPOUNDS), (UNSET,))
ELSEWHERE = (UNSET, *SHAPE[1:], *STEPS, *LOW, COMPOUNDS)
warmup = rates_of(WARMUP, ELSEWHERE, warmup=5)
held = rates_of((NOT_HELD,), ELSEWHERE, tail=5, after=7)


def check(student, rng, formula):
    drawn = formula.draw(rng, **formula.cases[0])
    formula.check(student.run(probes.rates, **drawn), **drawn)


@pytest.mark.points(2)
def test_start(student, rng):
    """The constructor sets the learning rate of the first step.

    optimizer = Plain(lr=5.0)
    CosineSchedule(optimizer, lr=0.8, total_steps=10, warmup_steps=4, min_lr=0.1)
    print(round(optimizer.lr, 4))
    #> 0.2
    """
    check(student, rng, start)


@pytest.mark.points(6)
def test_cosine(student, rng):
    """Without warm-up, the rate falls along half a cosine from `lr` to `min_lr`.

    print(rates_of(CosineSchedule, lr=0.8, total_steps=6, min_lr=0.2, steps=6))
    #> [0.8, 0.7598, 0.65, 0.5, 0.35, 0.2402, 0.2]
    """
    check(student, rng, cosine)


@pytest.mark.points(5)
def test_warmup(student, rng):
    """In the warm-up the rate rises to `lr`; the cosine takes the steps that are left.

    print(rates_of(CosineSchedule, lr=0.8, total_steps=9, warmup_steps=4, min_lr=0.2, steps=9))
    #> [0.2, 0.4, 0.6, 0.8, 0.8, 0.7427, 0.5927, 0.4073, 0.2573, 0.2]
    """
    check(student, rng, warmup)


@pytest.mark.points(2)
def test_held(student, rng):
    """After `total_steps` the rate stays at `min_lr`.

    print(rates_of(CosineSchedule, lr=0.8, total_steps=4, min_lr=0.2, steps=9)[-4:])
    #> [0.2, 0.2, 0.2, 0.2]
    """
    check(student, rng, held)
