"""Where optimizers take parameters, and the tests that all of them have."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Generator

from autograder.exercise import Formula, Misconception, Says, StudentError, expect, mistake, walks
from autograder.exercise.attempts import named_where
from autograder.exercise.described import Test, described
from autograder.exercise.described import graded as by
from autograder.exercise.formula import Inputs
from autograder.exercise.pytorch_words import named_by_pytorch
from autograder.exercise.student import Student
from autograder.exercise.switches import Wrong
from autograder.suites.optimizers import probes

#: What state that is shared can be told by: it fits both.
ALIKE = ((3, 2), (3, 2))
BOTH = (ALIKE, walks.SEVERAL)
#: Groups, one of which has a learning rate of its own.
OWN = ({"places": [0, 2]}, {"places": [1], "lr": 0.02})

FATAL = (
    Wrong("not-in-place", idle=True, sign=0).says(
        "No parameter moves. `p = p - ...` makes a new tensor and gives it the name `p`; the model"
        " keeps the old one. A parameter has to be changed in place, as `p -= ...` does."
    ),
    Wrong("gradient-ascent", sign=-1).says(
        "Your parameters move uphill: the gradient points to where the loss grows, and is to be"
        " subtracted."
    ),
)
ONE_ONLY = Wrong("one-parameter-only", {"only": "last"}, only="first").says(
    "Only one of the parameters moves, and the others stay. Does a loop go over all of them, and"
    " is a `return` or `break` inside it?"
)
LOST = Wrong("state-lost", {"lost": "count, too"}, lost=True).says(
    "Your optimizer forgets from step to step: what it has to remember starts anew in each"
    " `step()`."
)
SHARED = Wrong("state-shared", {"shared": True, "counted_each": True}, shared=True).says(
    "All your parameters share one memory: each needs a velocity or an average of its own."
)
LOOP = (ONE_ONLY, LOST, SHARED)
GAPS = (
    Wrong("missing-gradient-as-zero", missing_as_zero=True).says(
        "You take a gradient that is None for a gradient of zeros: what is remembered of that"
        " parameter fades, and it may even move. It is to be left alone, with all that is"
        " remembered of it."
    ),
    Wrong("stops-at-missing-gradient", stops_at_missing=True).says(
        "Where a parameter has no gradient, your loop ends, and those after it are left out, too."
    ),
)
GROUPS = (
    Wrong("group-options-ignored", groups_ignored=True).says(
        "Groups have options of their own, and yours all take the optimizer's. Each option is to be"
        " read from the group at hand."
    ),
    Wrong("first-group-for-all", first_group=True).says(
        "All your groups take the options of one group. Each has its own."
    ),
)
LR = (
    Wrong("lr-fixed", lr_fixed=True).says(
        "Setting `optimizer.lr` has no effect: your steps go on with the learning rate that the"
        " constructor was given."
    ),
    Wrong("lr-for-all", lr_for_all=True).says(
        "Setting `optimizer.lr` also changes it for a group that was given a learning rate of its"
        " own."
    ),
)
LR_TWICE = Wrong("lr-twice", lr_inside=True, lr_twice=True).says(
    "The learning rate comes twice: it is in your velocity, and the step is multiplied by it once"
    " more."
)
LR_KEPT = Wrong("lr-in-velocity", lr_inside=True).says(
    "The learning rate is in your velocity. As long as it stays the same, that makes no difference;"
    " once it changes, old steps go on with the old one. Multiply by `lr` where the parameter"
    " moves."
)
NO_DECAY = Wrong("decay-ignored", weight_decay=0).says(
    "Your steps take no notice of `weight_decay`."
)
DECAY = (
    NO_DECAY,
    Wrong("decay-decoupled", {"decay": "late"}, {"decay": "after"}, decay="decoupled").says(
        "You shrink the parameters beside the step, as AdamW does. Here weight decay is part of the"
        " gradient, and so of all that is remembered of it."
    ),
)

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
NOT_FINITE = Misconception(
    "division-by-zero",
    "Your step divides by zero: does the count of the steps begin with 1?",
)
PYTORCH_SAYS = (
    Says("RuntimeError", "doesn't match the broadcast shape", SHARED.known),
    Says("RuntimeError", "must match the size of tensor", SHARED.known),
    Says("ZeroDivisionError", "", NOT_FINITE),
    Says("RuntimeError", "torch.optim takes no step here", NOT_SCRATCH),
    Says("RuntimeError", "leaf Variable that requires grad", NO_GRAD),
    Says("TypeError", "NoneType", NONE),
    Says("AttributeError", "'NoneType' object has no attribute", NONE),
)


def path(name: str, wrongs: Sequence[Wrong], *given: Any, **how: Any) -> Formula:
    """Where an optimizer takes parameters; see :func:`walks.path`."""
    return walks.path(name, (*FATAL, *wrongs), *given, **how)


def check(student: Student, rng: Generator, formula: Formula) -> None:
    """Check that the parameters go where they should, in each case of the formula."""
    sets = [formula.draw(rng, **case) for case in formula.cases]
    answers: list[tuple[Any, Inputs]] = []
    with named_where(BY_CLASS, lambda: not student.run(probes.alone, **sets[-1]["walk"])):
        for drawn in sets:
            try:
                with named_by_pytorch(*PYTORCH_SAYS):
                    found = student.run(probes.walk, **drawn["walk"])
            except StudentError:  # what was wrong before says more
                formula.check_all(answers)
                raise
            answers.append((found["path"], drawn))
            expect(bool(found["path"].isfinite().all()), NOT_FINITE)
            expect(found["trainable"], "After your steps, parameters do not require a gradient.")
        formula.check_all(answers)


def graded(points: int, formula: Formula) -> Callable[[Any], Test]:
    """Make a test of where an optimizer takes parameters; see :func:`described.graded`."""
    return by(points, formula, check)


def gradients_test(points: int, name: str, **options: float) -> Test:
    """The test that a step leaves the gradients as they are, and that `zero_grad` forgets them."""

    def check_gradients(student: Student, rng: Generator) -> None:
        start = walks.draw(rng, name, options, shapes=ALIKE)["walk"]["start"]
        with named_by_pytorch(*PYTORCH_SAYS):
            found = student.run(probes.gradients, name=name, start=start, options=options)
        mistake("gradients-changed", not found["kept"]).says(
            "Your `step` changes the gradients themselves. They belong to whoever computed them,"
            " and may be looked at afterwards: make new tensors instead (`g = g + ...`, not `g +="
            " ...`)."
        )
        mistake("gradients-not-forgotten", any(found["left"])).says(
            "After `zero_grad()`, gradients are still there: those of the next `backward()` add to"
            " them."
        )

    given = ", ".join(f"{key}={value}" for key, value in options.items())
    text = f"""`step()` leaves the gradients as they are; `zero_grad()` makes them None or zeros.

    p = torch.tensor([1.0], requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = {name}([p], {given})
    optimizer.step()
    print(p.grad)
    #> tensor([1.])
    optimizer.zero_grad()
    print(p.grad is None or p.grad.item() == 0)
    #> True
    """
    return described(points, check_gradients, text)


def setting_lr(name: str, options: str, shown: str) -> str:
    """The docstring of the test that `optimizer.lr` can be set: its example, and what it shows."""
    return f"""Setting `optimizer.lr` counts from the next step on, for groups without an own one.

    for _ in range(2):  # two optimizers, which should have nothing in common
        p = torch.tensor([1.0], requires_grad=True)
        q = torch.tensor([1.0], requires_grad=True)
        optimizer = {name}([{{"params": [p]}}, {{"params": [q], "lr": 0.1}}], {options})
        for optimizer.lr in (0.5, 0.25):
            p.grad, q.grad = torch.tensor([optimizer.lr]), torch.tensor([-0.5])
            optimizer.step()
    print(round(p.item(), 4), round(q.item(), 4))
    #> {shown}
    """
