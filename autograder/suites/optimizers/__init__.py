"""Suites of `optimizers`: where the student's optimizers take parameters, step by step.

A probe gives an optimizer a gradient for each step, whatever the parameters are, and the grader
computes in float64 where they go: by the right rule, and by each wrong one that people write. What
an optimizer remembers, and under which names, nobody asks.

A test looks at one thing. A rule that is wrong in another one passes it: that costs points in the
test of that other one alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.exercise.checks import Failure, Misconception, expect, fail
from autograder.exercise.draws import away_from_zero, between
from autograder.exercise.formula import Formula, Inputs
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import Student, StudentError
from autograder.suites.optimizers import probes
from autograder.suites.optimizers.rules import follow

SEVERAL = ((2, 3), (), (4,))
#: What state that is shared can be told by: it fits both.
ALIKE = ((3, 2), (3, 2))
BOTH = ({"shapes": ALIKE}, {"shapes": SEVERAL})


class Wrong:
    """A wrong rule.

    Args:
        ways: what makes it so, in one way or several: arguments of the function that computes it.
    """

    def __init__(self, name: str, says: str, *ways: Mapping[str, Any], idle: bool = False) -> None:
        self.known = Misconception(name, says, idle)
        self.ways = ways


Ways = Sequence[Mapping[str, Any]]


def series(
    name: str,
    also: Callable[..., Inputs],
    wrongs: Sequence[Wrong],
    accepted: Sequence[Wrong] = (),
    also_right: Ways = (),
    **more: Any,
) -> Formula:
    """A formula of a series of numbers.

    Args:
        also: gives, of inputs, what is `right`, and the function `wrong` that wrong rules follow.
        wrongs: what is named.
        accepted: what passes, too: it is the matter of other tests.
        also_right: ways that are no mistakes.
        more: arguments of :class:`Formula`.
    """

    def of(*ways: Mapping[str, Any]) -> Callable[..., Iterator[Tensor]]:
        def values(wrong: Callable[..., Tensor | None], right: Tensor) -> Iterator[Tensor]:
            for way, base in product(ways, ({}, *also_right)):
                value = wrong(**{**base, **way})
                if value is not None and not torch.equal(value, right):
                    yield value

        return values

    passing = of({}, *(way for each in accepted for way in each.ways))
    formula = Formula(name, also=also, reference=lambda right: right, accepted=passing, **more)
    for each in wrongs:
        formula.add(each.known, of(*each.ways))
    return formula


def path(
    name: str,
    wrongs: Sequence[Wrong],
    cases: Ways,
    accepted: Sequence[Wrong] = (),
    also_right: Ways = (),
) -> Formula:
    """Where an optimizer takes the parameters in the given cases; see :func:`series`."""
    return series(
        "The path of the parameters",
        walked,
        (*FATAL, *wrongs),
        accepted,
        also_right,
        draw=draw,
        within=1e-6,  # they are float64; who remembers things in float32 is right, too
        margin=1e-4,
        message="`{name}` does not take the parameters where its formulas lead.",
        cases=[{"name": name, **case} for case in cases],
    )


def draw(
    rng: Generator,
    name: str,
    options: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...]] = SEVERAL,
    steps: int = 50,
    scale: float = 1.0,
    gaps: bool = False,
    groups: Sequence[Mapping[str, Any]] = (),
    later: float = 0.0,
) -> Inputs:
    """Parameters, and a gradient of each for each step, which is mostly of one sign.

    Args:
        scale: the size of the gradients.
        gaps: whether the first and the last parameter have none in some steps.
        groups, later: see :func:`probes.walk`.
    """
    start = [away_from_zero(rng, 0.5, 2, *shape) for shape in shapes]
    gradients = [
        scale * (away_from_zero(rng, 0.2, 0.6, *shape) + between(rng, -1, 1, steps, *shape))
        for shape in shapes
    ]
    gap = int(torch.randint(5, steps // 3, (), generator=rng)) if gaps else 0
    missing: list[list[int]] = [[] for _ in shapes]
    if gaps:
        missing[0], missing[-1] = [0, 1, gap], [*range(2 * gap, 2 * gap + 6)]
    return {
        "name": name,
        "start": start,
        "gradients": gradients,
        "missing": missing,
        "groups": [dict(group) for group in groups],
        "options": dict(options),
        "later": later,
    }


def walked(
    name: str,
    start: Any,
    gradients: Any,
    missing: Any,
    groups: Any,
    options: Mapping[str, Any],
    later: float,
) -> Inputs:
    """The right path of what was drawn, and a function that gives wrong ones."""
    wrong = partial(follow, name, start, gradients, missing, groups, options, later)
    return {"wrong": wrong, "right": wrong()}


# ---------------------------------------------------------------------- what any optimizer may do

NOTHING = Wrong(
    "not-in-place",
    "No parameter moves. `p = p - ...` makes a new tensor and gives it the name `p`; the model"
    " keeps the old one. A parameter has to be changed in place, as `p -= ...` does.",
    {"frozen": True},
    idle=True,
)
ASCENDS = Wrong(
    "gradient-ascent",
    "Your parameters move uphill: the gradient points to where the loss grows. It is subtracted.",
    {"ascends": True},
)
ONE_ONLY = Wrong(
    "one-parameter-only",
    "Only one of the parameters moves, and the others stay. Does a loop go over all of them, and"
    " is a `return` or `break` inside it?",
    {"only": 0},
    {"only": -1},
)
LOST = Wrong(
    "state-lost",
    "Your optimizer forgets from step to step: what it has to remember starts anew in each"
    " `step()`.",
    {"lost": True},
)
SHARED = Wrong(
    "state-shared",
    "All your parameters share one memory: each needs a velocity or an average of its own.",
    {"shared": True},
    {"shared": True, "counted_each": True},
)
MISSING_AS_ZERO = Wrong(
    "missing-gradient-as-zero",
    "You take a gradient that is None for a gradient of zeros: what is remembered of that parameter"
    " fades, and it may even move. It is to be left alone, with all that is remembered of it.",
    {"missing_as_zero": True},
)
STOPS_AT_MISSING = Wrong(
    "stops-at-missing-gradient",
    "Where a parameter has no gradient, your loop ends, and those after it are left out as well.",
    {"stops_at_missing": True},
)
GROUPS_IGNORED = Wrong(
    "group-options-ignored",
    "Groups have options of their own, and yours all take the optimizer's. Each option is to be"
    " read from the group at hand.",
    {"groups_ignored": True},
)
FIRST_GROUP = Wrong(
    "first-group-for-all",
    "All your groups take the options of one group. Each has its own.",
    {"first_group_for_all": True},
)
LR_FIXED = Wrong(
    "lr-fixed",
    "Setting `optimizer.lr` has no effect: your steps go on with the learning rate that the"
    " constructor was given.",
    {"lr_fixed": True},
)
LR_FOR_ALL = Wrong(
    "lr-for-all",
    "Setting `optimizer.lr` also changes it for a group that was given a learning rate of its own.",
    {"lr_for_all": True},
)
FATAL = (NOTHING, ASCENDS)
LOOP = (ONE_ONLY, LOST, SHARED)
GAPS = (MISSING_AS_ZERO, STOPS_AT_MISSING)
GROUPS = (GROUPS_IGNORED, FIRST_GROUP)
LR = (LR_FIXED, LR_FOR_ALL)


NOT_SCRATCH = Misconception(
    "torch-optim-steps",
    "It is `torch.optim` that takes your step. Here the formulas are to be written by yourself:"
    " `torch.optim.Optimizer` may keep the groups, but none of its optimizers may take the step.",
)
NO_GRAD = Misconception(
    "graph-in-step",
    "PyTorch notes your step as part of the computation, and refuses: a parameter may only be"
    " changed in place where nothing is noted. `@torch.no_grad()` above `step` sees to that.",
)
NONE = Misconception(
    "missing-gradient-not-expected",
    "A gradient can be None: of a parameter that the loss does not depend on. Your step computes"
    " with it; such a parameter is to be left alone.",
)
BY_CLASS = Misconception(
    "state-shared-by-optimizers",
    "Two optimizers of your class share their memory: what one remembers, the other one takes for"
    " its own. Is it made in the class, instead of in `__init__`?",
)
CHANGED = Misconception(
    "gradients-changed",
    "Your `step` changes the gradients themselves. They belong to whoever computed them, and may be"
    " looked at afterwards: make new tensors instead (`g = g + ...`, not `g += ...`).",
)
NOT_FORGOTTEN = Misconception(
    "gradients-not-forgotten",
    "After `zero_grad()`, gradients are still there: those of the next `backward()` add to them.",
)
PYTORCH_SAYS = (
    Says("RuntimeError", probes.NOT_OURS, NOT_SCRATCH),
    Says("RuntimeError", "leaf Variable that requires grad", NO_GRAD),
    Says("TypeError", "NoneType", NONE),
    Says("AttributeError", "'NoneType' object has no attribute", NONE),
)


Answers = list[tuple[Any, Inputs]]


def check(student: Student, rng: Generator, formula: Formula) -> None:
    """Check that the parameters go where they should, in each case of the formula."""
    answers: Answers = []
    drawn: Inputs = {}
    try:
        for case in formula.cases:
            drawn = formula.draw(rng, **case)
            found = walk(student, formula, answers, drawn)
            answers.append((found["path"], drawn))
            expect(found["trainable"], "After your steps, parameters do not require a gradient.")
        formula.check_all(answers)
    except Failure as failure:
        if not failure.misconception and len(answers) == len(formula.cases):
            expect(student.run(probes.alone_or_not, **drawn), BY_CLASS)
        raise


def walk(student: Student, formula: Formula, before: Answers, drawn: Inputs) -> Any:
    """Let the student's optimizer walk; where it raises, what was wrong before says more."""
    try:
        with named_by_pytorch(*PYTORCH_SAYS):
            return student.run(probes.walk, **drawn)
    except StudentError:
        formula.check_all(before)
        raise


def check_gradients(student: Student, rng: Generator, name: str, **options: Any) -> None:
    """Check that a step leaves the gradients as they are, and that `zero_grad` forgets them."""
    drawn = draw(rng, name, options, steps=20)
    with named_by_pytorch(*PYTORCH_SAYS):
        found = student.run(probes.gradients, name=name, start=drawn["start"], options=options)
    expect(found["kept"], CHANGED)
    if any(found["left"]):
        fail(NOT_FORGOTTEN)
