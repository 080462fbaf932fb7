"""`RMSprop`: each number of the gradient, divided by the root of the average of its squares."""

import pytest

from autograder.suites.optimizers import (
    BOTH,
    GAPS,
    GROUPS,
    LOOP,
    LR,
    Wrong,
    check,
    check_gradients,
    path,
)

AVERAGE = (
    Wrong(
        "epsilon-inside-root",
        "You add `eps` under the root. It is added to the root itself.",
        {"inside": True},
    ),
    Wrong(
        "root-missing",
        "You divide by the average of the squares; it is its root that has the size of a gradient.",
        {"root": False},
    ),
    Wrong(
        "alpha-swapped",
        "`alpha` and `1 - alpha` are mixed up: `alpha` is what stays of the old average.",
        {"alpha": 0.2},
    ),
    Wrong(
        "squares-summed",
        "Your squares add up (as in Adagrad): the new square is not multiplied by `1 - alpha`.",
        {"weight": 1.0},
        {"weight": 1.0, "alpha": 1.0},
    ),
    Wrong(
        "first-square-whole",
        "Your average starts from the first square. It starts from zero.",
        {"first_whole": True},
    ),
    Wrong(
        "bias-corrected",
        "You correct the bias of the average, as Adam does. RMSprop does not.",
        {"corrected": True},
    ),
)
MOMENTUM = (
    Wrong("momentum-ignored", "Your steps take no notice of `momentum`.", {"momentum": 0.0}),
    Wrong(
        "momentum-before-division",
        "Your velocity is made of gradients and is divided afterwards. It is made of gradients that"
        " are divided already.",
        {"momentum_first": True},
    ),
    Wrong(
        "velocity-averaged",
        "Your velocity is an average: what is new is multiplied by `1 - momentum`. Here it is added"
        " whole.",
        {"averaged": True},
    ),
    Wrong(
        "lr-twice",
        "The learning rate comes twice: it is in your velocity, and the step is multiplied by it"
        " once more.",
        {"lr_twice": True},
    ),
)
LR_KEPT = Wrong(
    "lr-in-velocity",
    "The learning rate is in your velocity: once it changes, old steps go on with the old one.",
    {"lr_kept": True},
)
DECAY = (
    Wrong("decay-ignored", "Your steps take no notice of `weight_decay`.", {"weight_decay": 0.0}),
    Wrong(
        "decay-decoupled",
        "You shrink the parameters beside the step, as AdamW does. Here weight decay is part of the"
        " gradient, and so of the average.",
        {"decay": "decoupled"},
        {"decay": "late"},
    ),
)
DEFAULTS = (
    Wrong("default-lr", "The default of `lr` is 0.01.", {"lr": 0.001}, {"lr": 0.1}),
    Wrong("default-alpha", "The default of `alpha` is 0.99.", {"alpha": 0.9}, {"alpha": 0.999}),
    Wrong("default-eps", "The default of `eps` is 1e-8.", {"eps": 1e-7}, {"eps": 1e-6}),
)

OPTIONS = {"lr": 0.05, "alpha": 0.8, "eps": 0.1}
WITH_MOMENTUM = {**OPTIONS, "lr": 0.02, "momentum": 0.7}
ELSEWHERE = (*AVERAGE, *LOOP)
steps = path(
    "RMSprop",
    (*AVERAGE, *LOOP),
    [{**case, "options": OPTIONS} for case in BOTH],
)
defaults = path("RMSprop", DEFAULTS, [{"options": {}, "scale": 1e-7}], ELSEWHERE)
momentum = path("RMSprop", MOMENTUM, [{"options": WITH_MOMENTUM}], ELSEWHERE)
decay = path("RMSprop", DECAY, [{"options": {**OPTIONS, "weight_decay": 0.3}}], ELSEWHERE)
gaps = path("RMSprop", GAPS, [{"options": WITH_MOMENTUM, "gaps": True}], (*ELSEWHERE, *MOMENTUM))
TWO = (
    {"places": [0, 2], "alpha": 0.5, "weight_decay": 0.2},
    {"places": [1], "lr": 0.02, "eps": 0.5},
)
groups = path("RMSprop", GROUPS, [{"options": OPTIONS, "groups": TWO}], (*ELSEWHERE, *DECAY))
OWN = ({"places": [0, 2]}, {"places": [1], "lr": 0.06})
lr = path(
    "RMSprop",
    (*LR, LR_KEPT),
    [{"options": WITH_MOMENTUM, "groups": OWN, "later": 0.2}],
    (*ELSEWHERE, *MOMENTUM, *GROUPS),
)


@pytest.mark.points(6)
def test_steps(student, rng):
    """Each number of a gradient is divided by the root of the average of its squares, plus `eps`.

    print(try_out(lambda ps: RMSprop(ps, 0.5, alpha=0.8, eps=0.1), [(1, 2), (3, -1), (2, 1)]))
    #> [-1.523911, -2.997376]
    """
    check(student, rng, steps)


@pytest.mark.points(1)
def test_defaults(student, rng):
    """Without options, `lr` is 0.01, `alpha` 0.99, `eps` 1e-8, and there is nothing else.

    print(try_out(RMSprop, [(1e-7, 2e-7), (3e-7, -1e-7)]))
    #> [0.877897, -2.035679]
    """
    check(student, rng, defaults)


@pytest.mark.points(2)
def test_momentum(student, rng):
    """`momentum` keeps a velocity of what was divided, and steps along it.

    options = {"alpha": 0.8, "eps": 0.1, "momentum": 0.7}
    print(try_out(lambda ps: RMSprop(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-3.311238, -3.849731]
    """
    check(student, rng, momentum)


@pytest.mark.points(2)
def test_weight_decay(student, rng):
    """`weight_decay` times the parameter is added to its gradient, before all else.

    options = {"alpha": 0.8, "eps": 0.1, "weight_decay": 0.3}
    print(try_out(lambda ps: RMSprop(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-1.466024, -2.294658]
    """
    check(student, rng, decay)


@pytest.mark.points(1)
def test_missing_gradients(student, rng):
    """A parameter whose gradient is None is left alone, with all that is remembered of it.

    options = {"alpha": 0.8, "eps": 0.1, "momentum": 0.7}
    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: RMSprop(ps, 0.5, **options), rows))
    #> [-1.26761, -6.036728]
    """
    check(student, rng, gaps)


@pytest.mark.points(1)
def test_groups(student, rng):
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "alpha": 0.5}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: RMSprop(groups(ps), lr=0.5), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.873445, -2.962318]
    """
    check(student, rng, groups)


@pytest.mark.points(1)
def test_lr(student, rng):
    """Setting `optimizer.lr` counts from the next step on, for groups without an `lr` of their own.

    p = torch.tensor([1.0], requires_grad=True)
    q = torch.tensor([1.0], requires_grad=True)
    optimizer = RMSprop([{"params": [p]}, {"params": [q], "lr": 0.1}], lr=0.5, momentum=0.8)
    for optimizer.lr in (0.5, 0.25):
        p.grad, q.grad = torch.ones(1), torch.ones(1)
        optimizer.step()
    print(round(p.item(), 4), round(q.item(), 4))
    #> -7.7722 -1.5089
    """
    check(student, rng, lr)


@pytest.mark.points(1)
def test_gradients(student, rng):
    """`step()` leaves the gradients as they are; `zero_grad()` makes them None or zeros.

    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = RMSprop([p], lr=0.5, momentum=0.8, weight_decay=0.3)
    optimizer.step()
    print(p.grad)
    #> tensor([1.])
    optimizer.zero_grad()
    print(p.grad is None or p.grad.item() == 0)
    #> True
    """
    check_gradients(student, rng, "RMSprop", lr=0.5, momentum=0.8, weight_decay=0.3)
