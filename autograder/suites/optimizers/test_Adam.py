"""`Adam`: averages of the gradient and of its square, both corrected for starting from zero."""

from functools import partial

from autograder.exercise.switches import Wrong
from autograder.exercise.walks import SEVERAL
from autograder.suites.optimizers import paths
from autograder.suites.optimizers.paths import BOTH, DECAY, GAPS, GROUPS, LOOP, LR, graded
from autograder.suites.optimizers.test_RMSprop import INSIDE, ROOTLESS

path = partial(paths.path, "Adam")

BIAS = (
    Wrong("bias-correction-missing", m_uncorrected=True, s_uncorrected=True).says(
        "Neither average is corrected for its start from zero: your first steps have the wrong"
        " size."
    ),
    Wrong("mean-not-corrected", m_uncorrected=True).says(
        "The average of the gradients is not corrected for its start from zero; that of the squares"
        " is."
    ),
    Wrong("square-not-corrected", s_uncorrected=True).says(
        "The average of the squares is not corrected for its start from zero; that of the gradients"
        " is."
    ),
    Wrong("count-starts-late", ahead=1).says(
        "Your count of the steps is one ahead: the first step has t = 1."
    ),
)
COUNT = Wrong("counted-per-parameter", counted_each=True).says(
    "Your count of the steps goes up with each parameter, so that the second one meets t = 2 in the"
    " first step. It goes up once in each `step()`."
)
UNSQUARED = Wrong("square-missing", unsquared=True).says(
    "Your second average is not of the squares of the gradient."
)
RULE = (
    INSIDE,
    Wrong("epsilon-before-correction", eps_early=True).says(
        "You add `eps` to the root before the bias is corrected. It is added to the root of the"
        " corrected average; where both corrections are put into the step size, `eps` has to be"
        " corrected with them."
    ),
    Wrong("corrected-average-kept", corrected_kept=True).says(
        "You keep the corrected averages, and the next step corrects them again. Keep the averages"
        " as they are."
    ),
    Wrong("betas-swapped", swapped=True).says(
        "The two numbers of `betas` are mixed up: the first is for the gradients, the second for"
        " their squares."
    ),
    Wrong("averages-summed", summed=True).says(
        "What is new is added whole to your averages. It is multiplied by `1 - beta`, so that they"
        " are averages."
    ),
    ROOTLESS,
    UNSQUARED,
)
IN_MEAN = Wrong("decay-in-mean-only", decay="mean only").says(
    "Weight decay is in your average of the gradients, but not in that of the squares. It is part"
    " of the gradient before both."
)
DEFAULTS = (
    Wrong("default-lr", {"lr": 0.0001}, lr=0.01).says("The default of `lr` is 0.001."),
    Wrong("default-betas", {"betas": (0.99, 0.999)}, betas=(0.9, 0.99)).says(
        "The defaults of `betas` are 0.9 and 0.999."
    ),
    Wrong("default-eps", {"eps": 1e-6}, eps=1e-7).says("The default of `eps` is 1e-8."),
)
DECAYS = Wrong("default-decay", weight_decay=0.01).says("Without options there is no weight decay.")
COUNTS_MISSING = Wrong("missing-gradient-counted", counts_missing=True).says(
    "You count a step for parameters that have no gradient in it. Each has a count of its own, for"
    " it is the steps that its averages were made of."
)

OPTIONS = {"lr": 0.05, "betas": [0.7, 0.95], "eps": 0.1, "weight_decay": 0}
ELSEWHERE = (*BIAS, COUNT, *RULE, *LOOP)
# Without a square, gradients as small as these hardly move anything.
SEEN = tuple(each for each in ELSEWHERE if each is not UNSQUARED)
TWO = (
    {"places": [0, 2], "betas": [0.5, 0.9], "weight_decay": 0.2},
    {"places": [1], "lr": 0.02, "eps": 0.5},
)
FEW = (SEVERAL, ((5,), (2, 2)))
steps = path(ELSEWHERE, OPTIONS, shapes=BOTH)
lr = path(LR, OPTIONS, (*ELSEWHERE, *GROUPS), groups=paths.OWN, later=0.2)


@graded(5, path(BIAS, OPTIONS, (COUNT, *RULE), shapes=FEW, steps=1))
def test_first_step():
    """In the first step, both averages are corrected for their start from zero.

    print(try_out(lambda ps: Adam(ps, lr=0.5, betas=(0.7, 0.95), eps=0.1), [(1, 2)]))
    #> [0.545455, -2.47619]
    """


@graded(9, steps)
def test_steps():
    """Every step goes along the average gradient, divided by the root of the average square.

    options = {"betas": (0.7, 0.95), "eps": 0.1}
    print(try_out(lambda ps: Adam(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.377196, -2.742012]
    """


@graded(2, path((*DEFAULTS, DECAYS), {}, SEEN, scale=1e-5))
def test_defaults():
    """Without options, `lr` is 0.001, `betas` 0.9 and 0.999, `eps` 1e-8, and nothing decays.

    print(try_out(Adam, [(1e-7, 2e-7), (3e-7, -1e-7)]))
    #> [0.998212, -2.001203]
    """


@graded(3, path((*DECAY, IN_MEAN), {**OPTIONS, "weight_decay": 0.3}, ELSEWHERE))
def test_weight_decay():
    """`weight_decay` times the parameter is added to its gradient, before all else.

    options = {"betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.3}
    print(try_out(lambda ps: Adam(ps, 0.5, **options), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.399032, -2.295712]
    """


@graded(2, path((*GAPS, COUNTS_MISSING), OPTIONS, ELSEWHERE, gaps=True))
def test_missing_gradients():
    """A parameter whose gradient is None is left alone, with its averages and its count of steps.

    options = {"betas": (0.7, 0.95), "eps": 0.1}
    rows = [(None, 1), (1, None), (None, 2), (1, 1)]
    print(try_out(lambda ps: Adam(ps, 0.5, **options), rows))
    #> [0.090909, -3.359373]
    """


@graded(2, path(GROUPS, OPTIONS, (*ELSEWHERE, *DECAY, IN_MEAN), groups=TWO))
def test_groups():
    """Each group of parameters follows the options of its own, and else those of the optimizer.

    groups = lambda ps: [{"params": ps[:1], "betas": (0.5, 0.9)}, {"params": ps[1:], "lr": 0.1}]
    print(try_out(lambda ps: Adam(groups(ps), lr=0.5), [(1, 2), (3, -1), (2, 1)]))
    #> [-0.501991, -2.171524]
    """


test_lr = graded(1, lr)(paths.setting_lr("Adam", "lr=0.5", "0.267 1.2"))
test_gradients = paths.gradients_test(1, "Adam", lr=0.5, weight_decay=0.3)
