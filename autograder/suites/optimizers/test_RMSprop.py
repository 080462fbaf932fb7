"""`RMSprop`: each number of the gradient, divided by the root of the average of its squares."""

from functools import partial

from autograder.exercise.switches import Wrong
from autograder.suites.optimizers import paths
from autograder.suites.optimizers.paths import BOTH, DECAY, GAPS, GROUPS, LOOP, LR, graded

path = partial(paths.path, "RMSprop")

INSIDE = Wrong("epsilon-inside-root", inside=True).says(
    "You add `eps` under the root. It is added to the root itself."
)
ROOTLESS = Wrong("root-missing", rootless=True).says(
    "You divide by the average of the squares; it is its root that has the size of a gradient."
)
AVERAGE = (
    INSIDE,
    ROOTLESS,
    Wrong("alpha-swapped", swapped=True).says(
        "`alpha` and `1 - alpha` are mixed up: `alpha` is what stays of the old average."
    ),
    Wrong("squares-summed", {"weight": 1, "alpha": 1}, weight=1).says(
        "Your squares add up (as in Adagrad): the new square is not multiplied by `1 - alpha`."
    ),
    Wrong("first-square-whole", first_whole=True).says(
        "Your average starts from the first square. It starts from zero."
    ),
    Wrong("bias-corrected", corrected=True).says(
        "You correct the bias of the average, as Adam does. RMSprop does not."
    ),
    paths.LR_TWICE,
)
MOMENTUM = (
    Wrong("momentum-ignored", momentum=0).says("Your steps take no notice of `momentum`."),
    Wrong("momentum-before-division", divided_late=True).says(
        "Your velocity is made of gradients and is divided afterwards. It is made of gradients that"
        " are divided already."
    ),
    Wrong("velocity-averaged", averaged=True).says(
        "Your velocity is an average: what is new is multiplied by `1 - momentum`. Here it is added"
        " whole."
    ),
)
DEFAULTS = (
    Wrong("default-lr", {"lr": 0.1}, lr=0.001).says("The default of `lr` is 0.01."),
    Wrong("default-alpha", {"alpha": 0.999}, alpha=0.9).says("The default of `alpha` is 0.99."),
    Wrong("default-eps", {"eps": 1e-6}, eps=1e-7).says("The default of `eps` is 1e-8."),
)

OPTIONS = {"lr": 0.05, "alpha": 0.8, "eps": 0.1}
FAST = {**OPTIONS, "lr": 0.02, "momentum": 0.7}
ELSEWHERE = (*AVERAGE, *LOOP)
SEEN = (*ELSEWHERE, *MOMENTUM, *DECAY)
TWO = (
    {"places": [0, 2], "alpha": 0.5, "weight_decay": 0.2},
    {"places": [1], "lr": 0.02, "eps": 0.5},
)
# One of its own, other than that of the optimizer.
OWN = ({"places": [0, 2]}, {"places": [1], "lr": 0.06})
lr = path((*LR, paths.LR_KEPT), FAST, (*SEEN, *GROUPS), groups=OWN, later=0.2)


@graded(6, path(ELSEWHERE, OPTIONS, shapes=BOTH))
def test_steps():
    """Each number of a gradient is divided by the root of the average of its squares, plus `eps`.

    print(try_out(lambda ps: RMSprop(ps, 0.5, alpha=0.8, eps=0.1), [(1, 2), (3, -1), (2, 1)]))
    #> [-1.523911, -2.997376]
    """


@graded(1, path(DEFAULTS, {}, ELSEWHERE, scale=1e-7))
def test_defaults():
    """Without options, `lr` is 0.01, `alpha` 0.99, `eps` 1e-8, and there is nothing else.

    print(try_out(RMSprop, [(1e-7, 2e-7), (3e-7, -1e-7)]))
    #> [0.877897, -2.035679]
    """


@graded(2, path(MOMENTUM, FAST, ELSEWHERE))
def test_momentum():
    """`momentum` keeps a velocity of what was divided, and steps along it.

    options = {"alpha": 0.8, "eps": 0.1, "momentum": 0.7}
    print(try_out(lambda ps: RMSprop(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-3.311238, -3.849731]
    """


@graded(2, path(DECAY, {**OPTIONS, "weight_decay": 0.3}, ELSEWHERE))
def test_weight_decay():
    """`weight_decay` times the parameter is added to its gradient, before all else.

    options = {"alpha": 0.8, "eps": 0.1, "weight_decay": 0.3}
    print(try_out(lambda ps: RMSprop(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-1.466024, -2.294658]
    """


@graded(1, path(GAPS, FAST, SEEN, gaps=True))
def test_missing_gradients():
    """A parameter whose gradient is None is left alone, with all that is remembered of it.

    options = {"alpha": 0.8, "eps": 0.1, "momentum": 0.7}
    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: RMSprop(ps, 0.5, **options), rows))
    #> [-1.26761, -6.036728]
    """


@graded(1, path(GROUPS, OPTIONS, SEEN, groups=TWO))
def test_groups():
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "alpha": 0.5}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: RMSprop(groups(ps), lr=0.5), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.873445, -2.962318]
    """


test_lr = graded(1, lr)(paths.setting_lr("RMSprop", "lr=0.5, momentum=0.8", "-7.1225 3.5089"))
test_gradients = paths.gradients_test(1, "RMSprop", lr=0.5, momentum=0.8, weight_decay=0.3)
