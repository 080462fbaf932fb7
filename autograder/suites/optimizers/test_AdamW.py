"""`AdamW`: Adam's step, and beside it a weight decay of its own.

Where the student's Adam has a mistake, the same one costs nothing here.
"""

import pytest

from autograder.exercise.checks import Failure
from autograder.suites.optimizers import (
    GROUPS,
    LR,
    MISSING_AS_ZERO,
    STOPS_AT_MISSING,
    Wrong,
    check,
    check_gradients,
    path,
)
from autograder.suites.optimizers import test_Adam as adam

DECAY = (
    Wrong(
        "decay-ignored",
        "Your parameters do not decay: `weight_decay` is not used.",
        {"weight_decay": 0.0},
    ),
    Wrong(
        "decay-coupled",
        "Weight decay is part of your gradient: that is Adam. In AdamW the gradient and its"
        " averages know nothing of it, and the parameters shrink beside the step.",
        {"decay": "coupled"},
        {"decay": "mean only"},
    ),
    Wrong(
        "decay-without-lr",
        "Your parameters shrink by `weight_decay` itself in each step; it is `lr * weight_decay`.",
        {"decay": "unscaled"},
    ),
    Wrong(
        "decay-grows",
        "Your parameters grow where they should shrink: the sign of the decay is wrong.",
        {"decay": "grows"},
    ),
)
DEFAULTS = (
    *adam.DEFAULTS[:-1],
    Wrong("default-decay", "The default of `weight_decay` is 0.01.", {"weight_decay": 0.0}),
)
DECAYS_MISSING = Wrong(
    "missing-gradient-decays",
    "A parameter without a gradient shrinks all the same. It is to be left alone.",
    {"decays_missing": True},
)


def decoupled(wrongs, case, *elsewhere):
    """Where AdamW takes the parameters, whether they decay before or after the step."""
    return path("AdamW", wrongs, [case], elsewhere, [{"decay": "after"}])


OPTIONS = {**adam.OPTIONS, "weight_decay": 0.3}
LEFT_OUT = (MISSING_AS_ZERO, STOPS_AT_MISSING, DECAYS_MISSING, adam.COUNTS_MISSING)
TASKS = {
    "decay": (DECAY, {"options": OPTIONS}),
    "defaults": (DEFAULTS, {"options": {}, "scale": 1e-5}),
    "gaps": (LEFT_OUT, {"options": OPTIONS, "gaps": True}, *DECAY),
    "groups": (GROUPS, {"options": OPTIONS, "groups": adam.TWO}, *DECAY),
    "lr": (LR, {"options": OPTIONS, "groups": adam.OWN, "later": 0.2}, *DECAY, *GROUPS),
}
decay, defaults, gaps, groups, lr = (decoupled(*task) for task in TASKS.values())


def check_beside_adam(student, rng, name):
    """Check a task; where the student's Adam has a mistake, it passes with the same one, too."""
    try:
        check(student, rng, decoupled(*TASKS[name]))
    except Failure:
        earlier = mistake_of_adam(student, rng)
        if not earlier:
            raise
        check(student, rng, decoupled(*TASKS[name], *earlier))


def mistake_of_adam(student, rng):
    """The mistake in the steps of the student's Adam, if there is one that is known."""
    try:
        check(student, rng, adam.steps)
    except Failure as failure:
        return [each for each in adam.ELSEWHERE if each.known.name == failure.misconception]
    return []


@pytest.mark.points(4)
def test_weight_decay(student, rng):
    """In each step the parameters shrink by `lr * weight_decay`, beside Adam's step.

    options = {"betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.3}
    p = torch.tensor([1.0], requires_grad=True)
    optimizer = AdamW([p], lr=0.5, **options)
    p.grad = torch.tensor([0.0])  # no slope: only the decay moves it
    optimizer.step()
    print(round(p.item(), 4))
    #> 0.85
    """
    check_beside_adam(student, rng, "decay")


@pytest.mark.points(2)
def test_defaults(student, rng):
    """Without options, `lr` is 0.001, `betas` 0.9 and 0.999, `eps` 1e-8, `weight_decay` 0.01.

    tiny = [(1e-7, 2e-7), (3e-7, -1e-7), (1e-7, 2e-7)]
    print(try_out(AdamW, tiny))
    #> [0.997356, -2.001691]
    """
    check_beside_adam(student, rng, "defaults")


@pytest.mark.points(1)
def test_missing_gradients(student, rng):
    """A parameter whose gradient is None is left alone: it does not shrink either.

    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: AdamW(ps, 0.5, eps=0.1, weight_decay=0.3), rows))
    #> [-0.118409, -2.382331]
    """
    check_beside_adam(student, rng, "gaps")


@pytest.mark.points(1)
def test_groups(student, rng):
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "weight_decay": 0.5}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: AdamW(groups(ps), lr=0.5), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.674089, -2.165303]
    """
    check_beside_adam(student, rng, "groups")


@pytest.mark.points(1)
def test_lr(student, rng):
    """Setting `optimizer.lr` counts from the next step on, for groups without an `lr` of their own.

    p = torch.tensor([1.0], requires_grad=True)
    q = torch.tensor([1.0], requires_grad=True)
    optimizer = AdamW([{"params": [p]}, {"params": [q], "lr": 0.1}], lr=0.5)
    for optimizer.lr in (0.5, 0.25):
        p.grad, q.grad = torch.ones(1), torch.ones(1)
        optimizer.step()
    print(round(p.item(), 4), round(q.item(), 4))
    #> 0.2438 0.7981
    """
    check_beside_adam(student, rng, "lr")


@pytest.mark.points(1)
def test_gradients(student, rng):
    """`step()` leaves the gradients as they are; `zero_grad()` makes them None or zeros.

    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = AdamW([p], lr=0.5, weight_decay=0.3)
    optimizer.step()
    print(p.grad)
    #> tensor([1.])
    optimizer.zero_grad()
    print(p.grad is None or p.grad.item() == 0)
    #> True
    """
    check_gradients(student, rng, "AdamW", lr=0.5, weight_decay=0.3)
