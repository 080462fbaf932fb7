"""`SGD`: steps along the gradient, with momentum, dampening, Nesterov's look and weight decay."""

from functools import partial

from autograder.exercise.switches import Wrong
from autograder.suites.optimizers import paths
from autograder.suites.optimizers.paths import BOTH, DECAY, GAPS, GROUPS, LOOP, LR, SHARED, graded

path = partial(paths.path, "SGD")

VELOCITY = (
    Wrong("velocity-lost", momentum=0).says(
        "There is no momentum in your steps: `momentum` is not used, or the velocity starts anew in"
        " each `step()`."
    ),
    Wrong("velocity-averaged", {"averaged": "always"}, averaged=True).says(
        "Your velocity is an average: the new gradient is multiplied by `1 - momentum`. Here it is"
        " added whole, unless `dampening` says otherwise."
    ),
    paths.LR_TWICE,
)
DAMPENING = (
    Wrong("dampening-on-first-step", damped_first=True).says(
        "Dampening sets in with the second step: the first velocity is the whole gradient."
    ),
    Wrong("dampening-ignored", dampening=0).says("Your velocity takes no notice of `dampening`."),
    Wrong("dampening-of-the-velocity", damped_velocity=True).says(
        "Dampening is of the new gradient alone: what was there of the velocity is multiplied by"
        " `momentum` only."
    ),
)
NESTEROV = (
    Wrong("nesterov-ignored", nesterov=False).says(
        "With `nesterov=True` your step is the one without: the look ahead is missing, or goes"
        " along the velocity from before this gradient."
    ),
    Wrong("nesterov-without-gradient", looks_twice=True).says(
        "Your Nesterov step adds the velocity to `momentum` times the velocity. It is the gradient"
        " that is added."
    ),
)

FAST = {"lr": 0.05, "momentum": 0.8}
ELSEWHERE = (*VELOCITY, *LOOP)
SEEN = (*ELSEWHERE, *DECAY)
TWO = (
    {"places": [0, 2], "momentum": 0.5, "weight_decay": 0.2},
    {"places": [1], "lr": 0.02, "momentum": 0.9},
)
lr = path((*LR, paths.LR_KEPT), FAST, (*SEEN, *GROUPS), groups=paths.OWN, later=0.2)


@graded(5, path(LOOP[:1], {"lr": 0.1}, shapes=BOTH))
def test_plain():
    """Without options, each step moves every parameter by `lr` times its gradient, downhill.

    print(try_out(lambda ps: SGD(ps, lr=0.5), [(1, 2), (3, -1)]))
    #> [-1.0, -2.5]
    """


@graded(4, path((*VELOCITY, SHARED), FAST, LOOP[:1], shapes=BOTH))
def test_momentum():
    """`momentum` keeps a velocity of each parameter, and steps along it.

    print(try_out(lambda ps: SGD(ps, lr=0.5, momentum=0.8), [(1, 2), (3, -1), (2, 1)]))
    #> [-3.92, -4.04]
    """


@graded(2, path(DAMPENING, {**FAST, "dampening": 0.4}, ELSEWHERE))
def test_dampening():
    """`dampening` takes its share of each new gradient, from the second step on.

    print(try_out(lambda ps: SGD(ps, 0.5, momentum=0.8, dampening=0.4), [(1, 2), (3, -1), (2, 1)]))
    #> [-2.44, -4.2]
    """


@graded(3, path(NESTEROV, {**FAST, "nesterov": True}, ELSEWHERE))
def test_nesterov():
    """`nesterov=True` steps along the gradient plus `momentum` times the new velocity.

    print(try_out(lambda ps: SGD(ps, 0.5, momentum=0.8, nesterov=True), [(1, 2), (3, -1), (2, 1)]))
    #> [-5.936, -4.632]
    """


@graded(3, path(DECAY, {**FAST, "weight_decay": 0.3}, ELSEWHERE))
def test_weight_decay():
    """`weight_decay` times the parameter is added to its gradient, before all else.

    rows = [(1, 2), (3, -1), (2, 1)]
    print(try_out(lambda ps: SGD(ps, 0.5, momentum=0.8, weight_decay=0.3), rows))
    #> [-4.122125, -2.22575]
    """


@graded(2, path(GAPS, FAST, ELSEWHERE, gaps=True))
def test_missing_gradients():
    """A parameter whose gradient is None is left alone, with all that is remembered of it.

    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: SGD(ps, lr=0.5, momentum=0.8), rows))
    #> [-0.4, -5.52]
    """


@graded(2, path(GROUPS, {"lr": 0.1}, SEEN, groups=TWO))
def test_groups():
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "momentum": 0.5}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: SGD(groups(ps), lr=0.5, momentum=0.8), [(1, 2), (3, -1), (2, 1)]))
    #> [-3.125, -2.408]
    """


test_lr = graded(2, lr)(paths.setting_lr("SGD", "lr=0.5, momentum=0.8", "0.5875 1.14"))
test_gradients = paths.gradients_test(2, "SGD", lr=0.5, momentum=0.8, weight_decay=0.3)
