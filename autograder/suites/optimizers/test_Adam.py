"""`Adam`: averages of the gradient and of its square, both corrected for starting from zero."""

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

BIAS = (
    Wrong(
        "bias-correction-missing",
        "Neither average is corrected for its start from zero: your first steps have the wrong"
        " size.",
        {"corrects": (False, False)},
    ),
    Wrong(
        "mean-not-corrected",
        "The average of the gradients is not corrected for its start from zero; that of the squares"
        " is.",
        {"corrects": (False, True)},
    ),
    Wrong(
        "square-not-corrected",
        "The average of the squares is not corrected for its start from zero; that of the gradients"
        " is.",
        {"corrects": (True, False)},
    ),
    Wrong(
        "count-starts-late",
        "Your count of the steps is one ahead: the first step has t = 1.",
        {"late_count": 1},
    ),
)
COUNT = Wrong(
    "counted-per-parameter",
    "Your count of the steps goes up with each parameter, so that the second one meets t = 2 in the"
    " first step. It goes up once in each `step()`.",
    {"counted_each": True},
)
EPSILON = (
    Wrong(
        "epsilon-inside-root",
        "You add `eps` under the root. It is added to the root itself.",
        {"inside": True},
    ),
    Wrong(
        "epsilon-before-correction",
        "You add `eps` to the root before the bias is corrected. It is added to the root of the"
        " corrected average; where both corrections are put into the step size, `eps` has to be"
        " corrected with them.",
        {"early_eps": True},
    ),
)
SQUARE = Wrong(
    "square-missing",
    "Your second average is not of the squares of the gradient.",
    {"squared": False},
)
ROOT = Wrong(
    "root-missing",
    "You divide by the average of the squares; it is its root that has the size of a gradient.",
    {"root": False},
)
AVERAGES = (
    Wrong(
        "corrected-average-kept",
        "You keep the corrected averages, and the next step corrects them again. Keep the averages"
        " as they are.",
        {"corrects_kept": True},
    ),
    Wrong(
        "betas-swapped",
        "The two numbers of `betas` are mixed up: the first is for the gradients, the second for"
        " their squares.",
        {"betas": (0.95, 0.7)},
    ),
    Wrong(
        "averages-summed",
        "What is new is added whole to your averages. It is multiplied by `1 - beta`, so that they"
        " are averages.",
        {"weights": (1.0, 1.0)},
    ),
)
DECAY = (
    Wrong("decay-ignored", "Your steps take no notice of `weight_decay`.", {"weight_decay": 0.0}),
    Wrong(
        "decay-decoupled",
        "You shrink the parameters beside the step: that is AdamW. In Adam weight decay is part of"
        " the gradient, and so of both averages.",
        {"decay": "decoupled"},
        {"decay": "late"},
        {"decay": "after"},
    ),
    Wrong(
        "decay-in-mean-only",
        "Weight decay is in your average of the gradients, but not in that of the squares. It is"
        " part of the gradient before both.",
        {"decay": "mean only"},
    ),
)
DEFAULTS = (
    Wrong("default-lr", "The default of `lr` is 0.001.", {"lr": 0.01}, {"lr": 0.0001}),
    Wrong(
        "default-betas",
        "The defaults of `betas` are 0.9 and 0.999.",
        {"betas": (0.9, 0.99)},
        {"betas": (0.99, 0.999)},
    ),
    Wrong("default-eps", "The default of `eps` is 1e-8.", {"eps": 1e-7}, {"eps": 1e-6}),
    Wrong("default-decay", "Without options there is no weight decay.", {"weight_decay": 0.01}),
)
COUNTS_MISSING = Wrong(
    "missing-gradient-counted",
    "You count a step for parameters that have no gradient in it. Each has a count of its own, for"
    " it is the steps that its averages were made of.",
    {"counts_missing": True},
)

OPTIONS = {"lr": 0.05, "betas": [0.7, 0.95], "eps": 0.1}
RULE = (*EPSILON, *AVERAGES, SQUARE, ROOT)
ELSEWHERE = (*BIAS, COUNT, *RULE, *LOOP)
first_step = path(
    "Adam",
    BIAS,
    [{"options": {**OPTIONS, "betas": betas}, "steps": 1} for betas in ([0.7, 0.95], [0.8, 0.9])],
    RULE,
)
steps = path(
    "Adam",
    ELSEWHERE,
    [{**case, "options": OPTIONS} for case in BOTH],
)
# Without a square, gradients as small as these hardly move anything.
SEEN = tuple(each for each in ELSEWHERE if each is not SQUARE)
defaults = path("Adam", DEFAULTS, [{"options": {}, "scale": 1e-5}], SEEN)
decay = path("Adam", DECAY, [{"options": {**OPTIONS, "weight_decay": 0.3}}], ELSEWHERE)
gaps = path("Adam", (*GAPS, COUNTS_MISSING), [{"options": OPTIONS, "gaps": True}], ELSEWHERE)
TWO = (
    {"places": [0, 2], "betas": [0.5, 0.9], "weight_decay": 0.2},
    {"places": [1], "lr": 0.02, "eps": 0.5},
)
groups = path("Adam", GROUPS, [{"options": OPTIONS, "groups": TWO}], (*ELSEWHERE, *DECAY))
OWN = ({"places": [0, 2]}, {"places": [1], "lr": 0.02})
lr = path("Adam", LR, [{"options": OPTIONS, "groups": OWN, "later": 0.2}], (*ELSEWHERE, *GROUPS))


@pytest.mark.points(5)
def test_first_step(student, rng):
    """In the first step, both averages are corrected for their start from zero.

    print(try_out(lambda ps: Adam(ps, lr=0.5, betas=(0.7, 0.95), eps=0.1), [(1, 2)]))
    #> [0.545455, -2.47619]
    """
    check(student, rng, first_step)


@pytest.mark.points(9)
def test_steps(student, rng):
    """Every step goes along the average gradient, divided by the root of the average square.

    options = {"betas": (0.7, 0.95), "eps": 0.1}
    print(try_out(lambda ps: Adam(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.377196, -2.742012]
    """
    check(student, rng, steps)


@pytest.mark.points(2)
def test_defaults(student, rng):
    """Without options, `lr` is 0.001, `betas` 0.9 and 0.999, `eps` 1e-8, and nothing decays.

    print(try_out(Adam, [(1e-7, 2e-7), (3e-7, -1e-7)]))
    #> [0.998212, -2.001203]
    """
    check(student, rng, defaults)


@pytest.mark.points(3)
def test_weight_decay(student, rng):
    """`weight_decay` times the parameter is added to its gradient, before all else.

    options = {"betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.3}
    print(try_out(lambda ps: Adam(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.399032, -2.295712]
    """
    check(student, rng, decay)


@pytest.mark.points(2)
def test_missing_gradients(student, rng):
    """A parameter whose gradient is None is left alone, with its averages and its count of steps.

    options = {"betas": (0.7, 0.95), "eps": 0.1}
    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: Adam(ps, 0.5, **options), rows))
    #> [0.090909, -3.359373]
    """
    check(student, rng, gaps)


@pytest.mark.points(2)
def test_groups(student, rng):
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "betas": (0.5, 0.9)}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: Adam(groups(ps), lr=0.5), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.501991, -2.171524]
    """
    check(student, rng, groups)


@pytest.mark.points(1)
def test_lr(student, rng):
    """Setting `optimizer.lr` counts from the next step on, for groups without an `lr` of their own.

    p = torch.tensor([1.0], requires_grad=True)
    q = torch.tensor([1.0], requires_grad=True)
    optimizer = Adam([{"params": [p]}, {"params": [q], "lr": 0.1}], lr=0.5)
    for optimizer.lr in (0.5, 0.25):
        p.grad, q.grad = torch.ones(1), torch.ones(1)
        optimizer.step()
    print(round(p.item(), 4), round(q.item(), 4))
    #> 0.25 0.8
    """
    check(student, rng, lr)


@pytest.mark.points(1)
def test_gradients(student, rng):
    """`step()` leaves the gradients as they are; `zero_grad()` makes them None or zeros.

    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = Adam([p], lr=0.5, weight_decay=0.3)
    optimizer.step()
    print(p.grad)
    #> tensor([1.])
    optimizer.zero_grad()
    print(p.grad is None or p.grad.item() == 0)
    #> True
    """
    check_gradients(student, rng, "Adam", lr=0.5, weight_decay=0.3)
