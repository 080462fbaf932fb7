"""Gradients by name, in the order of a backward pass: the first wrong one has the cause.

What comes after it in the pass is worked out from it, so it may be wrong for that reason alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Failure, Misconception, expect
from autograder.exercise.formula import Formula, Inputs, in_double, of
from autograder.exercise.gradients import Unsaid
from autograder.language import Text

#: Gradients in the order of the backward pass; the last, `x`, is that of what came in.
Gradients = dict[str, Tensor]

#: How near a gradient is, relative to its largest number: differences in float32 are not.
NEAR = 1e-5

NOTHING = Misconception(
    "gradient-not-returned",
    "`backward` returns nothing. It fills `grads`, and returns the gradient of `x`: the layer"
    " before this one goes on with it.",
)
SEVERAL = Misconception(
    "all-gradients-returned",
    "`backward` returns several things. It returns the gradient of `x` alone; those of the"
    " parameters belong into `grads`.",
)


def derived(y: Tensor, leaves: Mapping[str, Tensor], g: Tensor) -> Gradients:
    """The gradients of the sum of `g * y` by name; zeros where `y` does not depend on a leaf."""
    found = torch.autograd.grad(y, [*leaves.values()], g, retain_graph=True, materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


def is_near(got: Any, wanted: Any) -> bool:
    """Whether a gradient is there and right."""
    there = isinstance(got, Tensor) and isinstance(wanted, Tensor)
    return there and checks.is_close(got, wanted, NEAR)


def alike(got: Any, wanted: Any) -> bool:
    """Whether there are gradients that are wanted, and all of them are there and right."""
    if not isinstance(got, dict) or not wanted:
        return False
    return all(is_near(got.get(key), value) for key, value in wanted.items())


def _taken(got: Any, name: str | Text, right: Gradients) -> Gradients:
    missing = [key for key in right if not isinstance(got.get(key), Tensor)]
    expect(not missing, "There is no gradient of {keys}.", keys=", ".join(missing))
    return {key: got[key] for key in right}


def _numbers(grads: Any) -> Any:
    return torch.cat([grad.double().flatten() for grad in grads.values()])


def formula(name: str, also: Callable[..., Mapping[str, Any]], **how: Any) -> Formula:
    """The formula of a backward pass.

    Args:
        also: more values by name, as of any formula; `right` among them are the right gradients.
        how: what else a formula is made with.
    """
    how = {"take": _taken, "by": _numbers, "within": NEAR, **how}
    return Formula(name, also=also, reference=lambda right: right, **how)


@dataclass(frozen=True)
class One:
    """One gradient of a backward pass: a mistake in it gives the others as they are right.

    Attributes:
        backward: the formula of the whole pass.
        key: the name of this one.
    """

    backward: Formula
    key: str

    def mistake(self, name: str, *ways: Callable[..., Any]) -> Unsaid:
        """Add what a known mistake gives for this gradient; see :meth:`Formula.mistake`."""
        return self.backward.mistake(name, *(partial(self._among, way) for way in ways))

    def add(self, known: Misconception, *ways: Callable[..., Any]) -> Misconception:
        """Add what a mistake gives for this gradient that is known elsewhere, too."""
        return self.backward.add(known, *(partial(self._among, way) for way in ways))

    def _among(self, way: Callable[..., Any], **inputs: Any) -> Iterator[Gradients]:
        value = of(way, inputs)
        for each in value if isinstance(value, Iterator) else [value]:
            yield inputs["right"] | {self.key: each}


def check(
    backward: Formula,
    got: Sequence[Mapping[str, Any]],
    sets: Sequence[Inputs],
    keys: tuple[str, ...] = ("",),
) -> None:
    """Fail where one of `keys` is wrong, with a table; the first wrong gradient has the cause.

    Args:
        got: the student's gradients by name, for each of several inputs.
        keys: how the names begin that are asked about.

    Raises:
        Failure: one of these is wrong.
    """
    exact = [in_double(inputs) for inputs in sets]
    right = [backward.right(**inputs) for inputs in exact]
    good = {
        key: all(is_near(mine.get(key), each[key]) for mine, each in zip(got, right, strict=True))
        for key in right[0]
    }
    if all(well for key, well in good.items() if key.startswith(keys)):
        return
    first = next(key for key, well in good.items() if not well)
    known = _cause(first, got, right, [backward.wrong(**inputs) for inputs in exact])
    says = Text(known.says) if known else next(_forms(first, got, right))
    if len(good) == 1:
        raise Failure(says, known.name if known else None)
    says = Text(
        "In the order of the backward pass, the first wrong gradient is that of `{first}`. {says}",
        first=first,
        says=says,
    )
    raise Failure(says, known.name if known else None, steps=good)


def named(
    backward: Formula, got: Sequence[Mapping[str, Any]], sets: Sequence[Inputs]
) -> str | None:
    """The name of the mistake that explains the first wrong gradient; None where none does."""
    try:
        check(backward, got, sets)
    except Failure as failure:
        return failure.misconception
    return None


def _cause(first: str, got: Any, right: Any, wrong: Any) -> Misconception | None:
    """The one mistake that explains the first wrong gradient; if several do, all gradients."""
    bad = [n for n, mine in enumerate(got) if not is_near(mine.get(first), right[n][first])]
    if first == "x" and not isinstance(got[bad[0]]["x"], Tensor):
        returned = got[bad[0]]["x"]
        return NOTHING if returned is None else SEVERAL if isinstance(returned, list) else None
    known: dict[str, Misconception] = {mistake.name: mistake for mistake, _ in wrong[bad[0]]}

    def explain(name: str, fits: Callable[[int, Gradients], bool]) -> bool:
        return all(any(fits(n, v) for k, v in wrong[n] if k.name == name) for n in bad)

    def explains_first(n: int, value: Gradients) -> bool:
        shows = not is_near(value[first], right[n][first])
        return shows and is_near(got[n].get(first), value[first])

    found = [name for name in known if explain(name, explains_first)]
    for name in found:
        if known[name].idle:
            return known[name]
    if len(found) > 1:
        found = [name for name in found if explain(name, lambda n, value: alike(got[n], value))]
    return known[found[0]] if len(found) == 1 else None


def _forms(first: str, got: Any, right: Any) -> Iterator[Text]:
    """What is wrong with a gradient that no known mistake explains."""
    for mine, each in zip(got, right, strict=True):
        value, shape = mine.get(first), tuple(each[first].shape)
        if not isinstance(value, Tensor):
            kind = checks.kind(value, returned=False)
            yield Text("It should be a tensor; yours is {kind}.", kind=kind)
        elif tuple(value.shape) != shape:
            has = tuple(value.shape)
            yield Text("It should have shape {shape}; yours has {has}.", shape=shape, has=has)
        elif not value.isfinite().all():
            yield Text("It holds NaN or infinity.")
    yield Text("It has the right shape, but not the right values.")
