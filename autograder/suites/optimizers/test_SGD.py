"""`SGD`: steps along the gradient, with momentum, dampening, Nesterov's look and weight decay."""

import pytest

from autograder.suites.optimizers import (
    BOTH,
    GAPS,
    GROUPS,
    LOOP,
    LR,
    ONE_ONLY,
    SHARED,
    Wrong,
    check,
    check_gradients,
    path,
)

DAMPED_FIRST = Wrong(
    "dampening-on-first-step",
    "Dampening sets in with the second step: the first velocity is the whole gradient.",
    {"damped_first": True},
)
DAMPENING = (
    DAMPED_FIRST,
    Wrong("dampening-ignored", "Your velocity takes no notice of `dampening`.", {"dampening": 0.0}),
    Wrong(
        "dampening-of-the-velocity",
        "Dampening is of the new gradient alone: what was there of the velocity is multiplied by"
        " `momentum` only.",
        {"damped_velocity": True},
    ),
)
AVERAGED = Wrong(
    "velocity-averaged",
    "Your velocity is an average: the new gradient is multiplied by `1 - momentum`. Here it is"
    " added whole, unless `dampening` says otherwise.",
    {"dampening": 0.8},
    {"dampening": 0.8, "damped_first": True},
)
VELOCITY = (
    Wrong(
        "velocity-lost",
        "There is no momentum in your steps: `momentum` is not used, or the velocity starts anew in"
        " each `step()`.",
        {"momentum": 0.0},
    ),
    AVERAGED,
    Wrong(
        "lr-twice",
        "The learning rate comes twice: it is in your velocity, and the step is multiplied by it"
        " once more.",
        {"lr_twice": True},
    ),
)
LR_KEPT = Wrong(
    "lr-in-velocity",
    "The learning rate is in your velocity. As long as it stays the same, that makes no difference;"
    " once it changes, old steps go on with the old one. Keep sums of gradients, and multiply by"
    " `lr` where the parameter moves.",
    {"lr_kept": True},
)
NESTEROV = (
    Wrong(
        "nesterov-ignored",
        "With `nesterov=True` your step is the one without: the look ahead is missing, or goes"
        " along the velocity from before this gradient.",
        {"nesterov": False},
    ),
    Wrong(
        "nesterov-without-gradient",
        "Your Nesterov step adds the velocity to `momentum` times the velocity. It is the gradient"
        " that is added.",
        {"looks_twice": True},
    ),
)
DECAY = (
    Wrong("decay-ignored", "Your steps take no notice of `weight_decay`.", {"weight_decay": 0.0}),
    Wrong(
        "decay-decoupled",
        "You shrink the parameters beside the step, as AdamW does. Here weight decay is part of the"
        " gradient, and so of the velocity.",
        {"decay": "decoupled"},
        {"decay": "late"},
    ),
)

plain = path("SGD", (ONE_ONLY,), [{**case, "options": {"lr": 0.1}} for case in BOTH])
MOMENTUM = {"lr": 0.05, "momentum": 0.8}
momentum = path("SGD", (*VELOCITY, SHARED), [{**case, "options": MOMENTUM} for case in BOTH])
ELSEWHERE = (*VELOCITY, *LOOP)
dampening = path("SGD", DAMPENING, [{"options": {**MOMENTUM, "dampening": 0.4}}], ELSEWHERE)
nesterov = path("SGD", NESTEROV, [{"options": {**MOMENTUM, "nesterov": True}}], ELSEWHERE)
decay = path("SGD", DECAY, [{"options": {**MOMENTUM, "weight_decay": 0.3}}], ELSEWHERE)
gaps = path("SGD", GAPS, [{"options": MOMENTUM, "gaps": True}], ELSEWHERE)
TWO = (
    {"places": [0, 2], "momentum": 0.5, "weight_decay": 0.2},
    {"places": [1], "lr": 0.02, "momentum": 0.9},
)
groups = path("SGD", GROUPS, [{"options": {"lr": 0.1}, "groups": TWO}], (*ELSEWHERE, *DECAY))
OWN = ({"places": [0, 2]}, {"places": [1], "lr": 0.02})
lr = path(
    "SGD",
    (*LR, LR_KEPT),
    [{"options": MOMENTUM, "groups": OWN, "later": 0.2}],
    (*ELSEWHERE, *GROUPS),
)


@pytest.mark.points(5)
def test_plain(student, rng):
    """Without options, each step moves every parameter by `lr` times its gradient, downhill.

    print(try_out(lambda ps: SGD(ps, lr=0.5), [(1, 2), (3, -1)]))
    #> [-1.0, -2.5]
    """
    check(student, rng, plain)


@pytest.mark.points(4)
def test_momentum(student, rng):
    """`momentum` keeps a velocity of each parameter, and steps along it.

    print(try_out(lambda ps: SGD(ps, lr=0.5, momentum=0.8), [(1, 2), (3, -1), (2, 1)]))
    #> [-3.92, -4.04]
    """
    check(student, rng, momentum)


@pytest.mark.points(2)
def test_dampening(student, rng):
    """`dampening` takes its share of each new gradient, from the second step on.

    print(try_out(lambda ps: SGD(ps, 0.5, momentum=0.8, dampening=0.4), [(1, 2), (3, -1), (2, 1)]))
    #> [-2.44, -4.2]
    """
    check(student, rng, dampening)


@pytest.mark.points(3)
def test_nesterov(student, rng):
    """`nesterov=True` steps along the gradient plus `momentum` times the new velocity.

    print(try_out(lambda ps: SGD(ps, 0.5, momentum=0.8, nesterov=True), [(1, 2), (3, -1), (2, 1)]))
    #> [-5.936, -4.632]
    """
    check(student, rng, nesterov)


@pytest.mark.points(3)
def test_weight_decay(student, rng):
    """`weight_decay` times the parameter is added to its gradient, before all else.

    rows = [(1, 2), (3, -1), (2, 1)]
    print(try_out(lambda ps: SGD(ps, 0.5, momentum=0.8, weight_decay=0.3), rows))
    #> [-4.122125, -2.22575]
    """
    check(student, rng, decay)


@pytest.mark.points(2)
def test_missing_gradients(student, rng):
    """A parameter whose gradient is None is left alone, with all that is remembered of it.

    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: SGD(ps, lr=0.5, momentum=0.8), rows))
    #> [-0.4, -5.52]
    """
    check(student, rng, gaps)


@pytest.mark.points(2)
def test_groups(student, rng):
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "momentum": 0.5}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: SGD(groups(ps), lr=0.5), [(1, 2), (3, -1), (2, 1)]))
    #> [-3.125, -2.2]
    """
    check(student, rng, groups)


@pytest.mark.points(2)
def test_lr(student, rng):
    """Setting `optimizer.lr` counts from the next step on, for groups without an `lr` of their own.

    p = torch.tensor([1.0], requires_grad=True)
    q = torch.tensor([1.0], requires_grad=True)
    optimizer = SGD([{"params": [p]}, {"params": [q], "lr": 0.1}], lr=0.5, momentum=0.8)
    for optimizer.lr in (0.5, 0.25):
        p.grad, q.grad = torch.ones(1), torch.ones(1)
        optimizer.step()
    print(round(p.item(), 4), round(q.item(), 4))
    #> 0.05 0.72
    """
    check(student, rng, lr)


@pytest.mark.points(2)
def test_gradients(student, rng):
    """`step()` leaves the gradients as they are; `zero_grad()` makes them None or zeros.

    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = SGD([p], lr=0.5, momentum=0.8, weight_decay=0.3)
    optimizer.step()
    print(p.grad)
    #> tensor([1.])
    optimizer.zero_grad()
    print(p.grad is None or p.grad.item() == 0)
    #> True
    """
    check_gradients(student, rng, "SGD", lr=0.5, momentum=0.8, weight_decay=0.3)
