"""`AdamW`: Adam's step, and beside it a weight decay of its own.

Where the student's Adam has a mistake, the same one costs nothing here.
"""

from autograder.exercise import Failure
from autograder.exercise.described import graded
from autograder.exercise.switches import Wrong
from autograder.suites.optimizers import paths
from autograder.suites.optimizers import test_Adam as adam
from autograder.suites.optimizers.paths import GAPS, GROUPS, LR, NO_DECAY

DECAY = (
    NO_DECAY,
    Wrong("decay-coupled", {"decay": "mean only"}, decay="coupled").says(
        "Weight decay is part of your gradient: that is Adam. In AdamW the gradient and its"
        " averages know nothing of it, and the parameters shrink beside the step."
    ),
    Wrong("decay-without-lr", decay="unscaled").says(
        "Your parameters shrink by `weight_decay` itself in each step; it is `lr * weight_decay`."
    ),
    Wrong("decay-grows", decay="grows").says(
        "Your parameters grow where they should shrink: the sign of the decay is wrong."
    ),
)
DECAYS = Wrong("default-decay", weight_decay=0).says("The default of `weight_decay` is 0.01.")
DECAYS_MISSING = Wrong("missing-gradient-decays", decays_missing=True).says(
    "A parameter without a gradient shrinks all the same. It is to be left alone."
)


OPTIONS = {**adam.OPTIONS, "weight_decay": 0.3}
LEFT_OUT = (*GAPS, DECAYS_MISSING, adam.COUNTS_MISSING)


def beside_adam(points, wrongs, options, *elsewhere, **case):
    """Make a test that passes with the mistake of the student's Adam, too, if there is one."""

    def path(wrongs, *accepted):
        # The parameters may decay before or after the step.
        return paths.path("AdamW", wrongs, options, accepted, [{"decay": "after"}], **case)

    def check(student, rng, formula):
        try:
            paths.check(student, rng, formula)
        except Failure:
            earlier = mistake_of_adam(student, rng)
            if not earlier:
                raise
            others = [each for each in wrongs if each not in earlier]
            paths.check(student, rng, path(others, *elsewhere, *earlier))

    return graded(points, path(wrongs, *elsewhere), check)


def mistake_of_adam(student, rng):
    """The mistake in the steps of the student's Adam, if there is one that is known."""
    try:
        paths.check(student, rng, adam.steps)
    except Failure as failure:
        return [each for each in adam.SEEN if each.known.name == failure.misconception]
    return []


@beside_adam(4, (*DECAY, *adam.BIAS, *adam.RULE), OPTIONS)
def test_weight_decay():
    """In each step the parameters shrink by `lr * weight_decay`, beside Adam's step.

    print(try_out(lambda ps: AdamW(ps, lr=0.5, weight_decay=0.3), [(0, 0)]))  # the decay alone
    #> [0.85, -1.7]
    options = {"betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0}
    print(try_out(lambda ps: AdamW(ps, lr=0.5, **options), [(1, 2), (3, -1)]))  # no decay
    #> [0.08412, -2.546683]
    """


@beside_adam(2, (*adam.DEFAULTS, DECAYS), {}, *DECAY[1:], scale=1e-5)
def test_defaults():
    """Without options, `lr` is 0.001, `betas` 0.9 and 0.999, `eps` 1e-8, `weight_decay` 0.01.

    tiny = [(1e-7, 2e-7), (3e-7, -1e-7), (1e-7, 2e-7)]
    print(try_out(AdamW, tiny))
    #> [0.997356, -2.001691]
    """


@beside_adam(1, LEFT_OUT, OPTIONS, *DECAY, gaps=True)
def test_missing_gradients():
    """A parameter whose gradient is None is left alone: it does not shrink either.

    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: AdamW(ps, 0.5, eps=0.1, weight_decay=0), rows))
    #> [0.090909, -3.348301]
    print(try_out(lambda ps: AdamW(ps, 0.5, weight_decay=0.3), [(None, 0)]))
    #> [1.0, -1.7]
    """


@beside_adam(1, GROUPS, OPTIONS, *DECAY, groups=adam.TWO)
def test_groups():
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "betas": (0.5, 0.9)}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: AdamW(groups(ps), 0.5, weight_decay=0), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.501991, -2.171524]
    """


test_lr = beside_adam(1, LR, OPTIONS, *DECAY, *GROUPS, groups=paths.OWN, later=0.2)(
    paths.setting_lr("AdamW", "lr=0.5, weight_decay=0", "0.267 1.2")
)
test_gradients = paths.gradients_test(1, "AdamW", lr=0.5, weight_decay=0.3)
