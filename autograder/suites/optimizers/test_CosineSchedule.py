"""`CosineSchedule`: the learning rate warms up, then falls along half a cosine.

It is tested with a plain object that has a learning rate, and no optimizer of the student's.
"""

import math
from functools import partial

import torch

from autograder.exercise import between, checks
from autograder.exercise.described import graded
from autograder.exercise.rules import Options
from autograder.exercise.switches import Wrong, switched
from autograder.suites.optimizers import probes

#: The forms of the fall, from 1 to 0, as the share that is done goes from 0 to 1.
FORMS = {
    0: lambda done: (1 + math.cos(math.pi * done)) / 2,
    "line": lambda done: 1 - done,
    "quarter": lambda done: math.cos(math.pi * done / 2),
    "full": lambda done: (1 + math.cos(2 * math.pi * done)) / 2,
    "rises": lambda done: (1 - math.cos(math.pi * done)) / 2,
}


def rate(k, options, o):
    """The learning rate after k steps; wrong in the ways `o`."""
    top, total, low = options["lr"], options["total_steps"], options["min_lr"]
    warmup, low = 0 if o["cold"] else options["warmup_steps"], 0 if o["to_zero"] else low
    if k >= total and o["ends"]:
        return low
    if k < warmup:
        share = (k + (not o["from_zero"])) / (warmup + o["flat"])
        return low + (top - low) * share if o["from_min"] else top * share
    length = total if o["whole"] else total - warmup - o["short"]
    done = (k - (0 if o["whole"] == "from k" else warmup)) / length
    share = FORMS[o["form"]](done if o["goes_on"] else min(done, 1))
    if o["low"]:
        return low + top * share if o["low"] == "added" else max(low, top * share)
    return low + (top - low) * share


def rates(options, steps, own, tail, **ways):
    """The last learning rates, of those after the constructor and after each step."""
    o, now, found = Options(ways), own, []
    for k in range(steps + 1):
        new = rate(max(k + o["ahead"], 0), options, o)
        now = now * new / options["lr"] if o["compounds"] else new
        found.append(own if o["never"] or (o["unset"] and k == 0) else now)
    return torch.tensor(found[-tail:], dtype=torch.float64)


def draw(rng, warmup=0, first=False, after=0, tail=0):
    total = int(torch.randint(14, 20, (), generator=rng))
    lr, own = between(rng, 0.3, 0.5, 1).item(), between(rng, 0.7, 0.9, 1).item()
    options = {"lr": lr, "total_steps": total, "min_lr": lr / 4, "warmup_steps": warmup}
    steps = 0 if first else total + after
    return {"asked": {"options": options, "steps": steps, "own": own, "tail": tail}}


def check(student, rng, formula):
    drawn = formula.draw(rng)
    formula.check(student.run(probes.rates, **drawn["asked"]), **drawn)


def rates_of(points, wrongs, accepted=(), **case):
    """Make a test of the learning rates; `case` are arguments of :func:`draw`."""
    formula = switched(
        "The learning rates",
        lambda asked: {"right": rates(**asked), "wrong": partial(rates, **asked)},
        wrongs,
        accepted,
        draw=partial(draw, **case),
        take=lambda rates, *_: [checks.number(each, "Each learning rate") for each in rates],
        within=1e-6,
        message="The learning rates are not those of the formula.",
    )
    return graded(points, formula, check)


UNSET = Wrong("constructor-sets-nothing", unset=True).says(
    "After the constructor, the optimizer still has the learning rate from before: the first step"
    " of training would be taken with that one. The constructor sets the rate for k = 0."
)
COMPOUNDS = Wrong("factors-pile-up", compounds=True).says(
    "You multiply the optimizer's learning rate, which the steps before have changed already. "
    "Work it out from `lr`, anew in each step."
)
STEPS = (
    Wrong("one-step-early", ahead=1).says(
        "Your schedule is one step ahead: the constructor is k = 0, the first `step()` k = 1."
    ),
    Wrong("one-step-late", {"ahead": -1, "unset": True}, ahead=-1).says(
        "Your schedule is one step behind: the constructor is k = 0, the first `step()` k = 1."
    ),
)
SHAPE = (
    Wrong("rate-never-set", idle=True, never=True).says(
        "The optimizer's learning rate never changes: is it `optimizer.lr` that you set?"
    ),
    Wrong("line-not-cosine", form="line").says("Your learning rate falls along a straight line."),
    Wrong("quarter-cosine", form="quarter").says(
        "You follow a quarter of a cosine, from its top to zero. It is half a cosine, from 1 to "
        "-1, shifted and scaled."
    ),
    Wrong("full-cosine", {"form": "full", "ends": True}, form="full").says(
        "You follow a whole cosine, which comes back to its top. It is half of it: the angle goes"
        " from 0 to pi."
    ),
    Wrong("cosine-rises", {"form": "rises", "ends": True}, form="rises").says(
        "Your learning rate rises where it should fall: the sign of the cosine is flipped."
    ),
    Wrong("ends-one-step-early", short=1).says(
        "Your cosine is at its end one step before `total_steps`."
    ),
)
LOW = (
    Wrong("min-lr-ignored", to_zero=True).says("You take no notice of `min_lr`."),
    Wrong("min-lr-added", low="added").says(
        "You add `min_lr` on top of a cosine from `lr` to 0, so that it starts too high."
    ),
    Wrong("min-lr-cuts-off", low="cuts off").says(
        "Your cosine goes down to 0, and `min_lr` cuts it off. It is to be the end of the cosine."
    ),
)
WARMUP = (
    Wrong("warm-up-missing", cold=True).says(
        "There is no warm-up: your cosine begins with the first step."
    ),
    Wrong(
        "cosine-over-whole-length", {"whole": "from k"}, {"whole": True, "ends": True}, whole=True
    ).says(
        "Your cosine does not start after the warm-up and end at `total_steps`: it is stretched "
        "over the whole length instead of what is left."
    ),
    Wrong("warm-up-from-zero", from_zero=True).says(
        "Your warm-up starts with a learning rate of 0: the first step is lost. It starts with "
        "`lr / warmup_steps`."
    ),
    Wrong("warm-up-from-min-lr", from_min=True).says(
        "Your warm-up climbs up from `min_lr`; it is `lr * (k + 1) / warmup_steps`."
    ),
    Wrong("warm-up-too-flat", flat=1).says(
        "Your warm-up does not reach `lr` in its last step: it divides by one more than there are"
        " steps."
    ),
)
NOT_HELD = Wrong("rises-again", goes_on=True).says(
    "After `total_steps` your learning rate follows the cosine up again. It stays at `min_lr`."
)

ELSEWHERE = (UNSET, *SHAPE[1:], *STEPS, *LOW, COMPOUNDS)


@rates_of(2, (UNSET, COMPOUNDS), (*STEPS[:1], *WARMUP), warmup=4, first=True)
def test_start():
    """The constructor sets the learning rate of the first step.

    optimizer = Plain(lr=5.0)
    CosineSchedule(optimizer, lr=0.8, total_steps=10, warmup_steps=4, min_lr=0.1)
    print(round(float(optimizer.lr), 4))
    #> 0.2
    """


@rates_of(6, (*SHAPE, *STEPS, *LOW, COMPOUNDS), (UNSET,))
def test_cosine():
    """Without warm-up, the rate falls along half a cosine from `lr` to `min_lr`.

    print(rates_of(CosineSchedule, lr=0.8, total_steps=6, min_lr=0.2, steps=6))
    #> [0.8, 0.7598, 0.65, 0.5, 0.35, 0.2402, 0.2]
    """


@rates_of(5, (SHAPE[0], *WARMUP), ELSEWHERE, warmup=5)
def test_warmup():
    """In the warm-up the rate rises to `lr`; the cosine takes the steps that are left.

    print(rates_of(CosineSchedule, lr=0.8, total_steps=9, warmup_steps=4, min_lr=0.2, steps=9))
    #> [0.2, 0.4, 0.6, 0.8, 0.8, 0.7427, 0.5927, 0.4073, 0.2573, 0.2]
    """


@rates_of(2, (SHAPE[0], NOT_HELD), ELSEWHERE, tail=5, after=7)
def test_held():
    """After `total_steps` the rate stays at `min_lr`.

    print(rates_of(CosineSchedule, lr=0.8, total_steps=4, min_lr=0.2, steps=9)[-4:])
    #> [0.2, 0.2, 0.2, 0.2]
    """
