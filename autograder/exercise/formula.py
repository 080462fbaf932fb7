"""Formulas of suites: what is right, what each known mistake gives, what the student then reads.

    standardize = Formula(
        "`forward(x)`",
        draw=draw_features,
        reference=lambda x, mean, std: (x - mean) / std,
        terms=2,
        size=lambda x, mean, std: (x.abs() + mean.abs()) / std,
    )
    standardize.mistake("std-ignored", lambda x, mean: x - mean).says(
        "You subtract the mean, but do not divide by `std`."
    )

    def test_forward(student, rng):
        inputs = standardize.draw(rng)
        standardize.check(student.run(probes.forward, **inputs), **inputs)

A function of a formula takes, by name, what it needs of the inputs, or all of them as `**inputs`.
What a suite compares is computed in float64; `tests/test_robust_verdicts.py` finds every formula by
itself, and tries each of its mistakes on many draws.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from autograder.exercise import checks
from autograder.exercise.checks import Compared, Failure, Misconception
from autograder.language import Text

Inputs = dict[str, Any]
Among = list[tuple[Misconception, Any]]

#: So many draws are made for one on which no mistake gives zeros, which look like nothing done.
NOT_ZERO = 20
#: How far apart drawn values are at least, in tolerances: `checks.diagnose` takes two values that
#: are within ten for each other.
APART = 12


@dataclass(frozen=True)
class Mistake:
    """A misconception, and what it gives.

    Attributes:
        known: its name and its sentence.
        ways: what it gives, each in the place of the right value. An iterator gives several.
        shape_only: whether the form of its value alone tells it: its shape, that it is a number of
            Python's, or that it holds whole numbers where others should be.
        where_seen: whether it is left out on inputs on which it gives just what is right.
    """

    known: Misconception
    ways: tuple[Callable[..., Any], ...]
    shape_only: bool = False
    where_seen: bool = False


class Formula:
    """Something that has one right value on given inputs, and known wrong ones.

    Args:
        name: of what is computed, as the student reads it. It and `message` are templates that may
            name inputs.
        reference: what is right, of inputs by name.
        draw: `draw(rng, **case)` makes inputs by name, float32: what a probe is given.
        given: formulas that come before this one, by the names that functions here ask for them by.
            What one of their mistakes gives leads to another value here, too. The first says how
            inputs are drawn, and in which cases, where nothing else does.
        also: more values by name, worked out from the inputs, that functions here may ask for.
        terms: how many terms a sum has at most, see :func:`checks.roundoff`; of inputs by name, if
            they say.
        steps: how many such sums follow one another.
        size: the size of the summed terms: a tensor whose largest entry counts. Without it, the
            largest entry of what is right.
        within: how far off numbers may be, relative to that size, where it is not the round-off of
            sums that says so.
        dtype: the type that the student's tensor must have, if it matters.
        take: takes the student's value for one of the right form, `take(value, name, right)`; a
            finite tensor of the right shape, where it is None.
        accepted: values that pass as well: what is wrong in them is another test's matter.
        by: what of a value is compared, where it is not the value itself: of right and wrong ones
            and of the student's alike.
        message: the sentence of a wrong value that no mistake explains.
        margin: how far apart right and wrong values must be on drawn inputs, relative to the
            largest number in what is right; more than the tolerance in any case.
        cases: arguments of `draw` that the suite uses.
        parts: inputs that hold a part of what was drawn, as an answer may be of: each mistake shows
            on these, too.
        brief: inputs for which less has to be worked out: a part of the numbers that these give, so
            what shows there is not looked for in all of them.
        unnamed: wrong values that must fail without a name.
    """

    def __init__(
        self,
        name: str | Text,
        *,
        reference: Callable[..., Any],
        draw: Callable[..., Inputs] | None = None,
        given: "Mapping[str, Formula] | None" = None,
        also: Callable[..., Mapping[str, Any]] | None = None,
        terms: int | Callable[..., int] = 1,
        steps: int | Callable[..., int] = 1,
        size: Callable[..., Any] | None = None,
        within: float | None = None,
        dtype: torch.dtype | None = None,
        take: Callable[[Any, str | Text, Any], Any] | None = None,
        accepted: Callable[..., Iterator[Any]] | None = None,
        by: Callable[[Any], Any] | None = None,
        message: str | Text | None = None,
        margin: float = 1e-3,
        cases: Sequence[Mapping[str, Any]] | None = None,
        parts: Callable[..., Iterator[Inputs]] | None = None,
        brief: Callable[..., Inputs] | None = None,
        unnamed: Callable[..., Iterator[Any]] | None = None,
    ) -> None:
        self.name = name
        self._given = dict(given or {})
        first = next(iter(self._given.values()), None)
        self.cases: Sequence[Mapping[str, Any]] = cases or (first.cases if first else ({},))
        self.mistakes: list[Mistake] = []
        self._unsaid: set[str] = set()
        self._draw: Callable[..., Inputs] = draw or (first._draw if first else lambda rng: {})
        self._reference, self._also, self._accepted = reference, also, accepted
        self._terms, self._steps, self._size, self._within = terms, steps, size, within
        self._dtype, self._take, self._by = dtype, take, by or _itself
        self._message, self._margin, self._unnamed = message, margin, unnamed
        self._parts, self._brief = parts, brief

    def mistake(
        self, name: str, *ways: Callable[..., Any], idle: bool = False, **how: bool
    ) -> "_Unsaid":
        """Add what a known mistake gives, in one way or several; `.says(...)` is its sentence.

        A way is a function of inputs by name; one that gives an iterator gives several values, or
        none where the mistake cannot be made on the inputs.

        Args:
            name: of the misconception.
            idle: see :class:`Misconception`.
            how: `shape_only`, `where_seen`: see :class:`Mistake`.
        """
        self._unsaid.add(name)
        return _Unsaid(self, name, ways, idle, how)

    def add(self, known: Misconception, *ways: Callable[..., Any], **how: bool) -> Misconception:
        """Add what a mistake gives that is known elsewhere, too."""
        self._unsaid.discard(known.name)
        self.mistakes.append(Mistake(known, ways, **how))
        return known

    @property
    def known(self) -> list[Misconception]:
        """The misconceptions that it names, those of what is given too."""
        before = [known for each in self._given.values() for known in each.known]
        return before + [mistake.known for mistake in self.mistakes]

    # -------------------------------------------------------------------------------- what it gives

    def draw(self, rng: torch.Generator, **case: Any) -> Inputs:
        """Draw inputs until each mistake shows: no lucky input hides one, or looks like another."""
        for attempt in range(1000):
            inputs = self._draw(rng, **case)
            zeros = attempt < NOT_ZERO  # some mistakes give zeros on all inputs: then be it so
            if all(self._tells_apart(each, zeros) for each in self.wholes(inputs)):
                return inputs
        raise RuntimeError(f"no inputs of {self._draw.__qualname__} tell every mistake apart")

    def wholes(self, inputs: Inputs) -> list[Inputs]:
        """All that an answer to these may be compared on: their parts, and they themselves."""
        return [*({**inputs, **part} for part in _all(self._parts, inputs)), inputs]

    def _tells_apart(self, inputs: Inputs, zeros: bool) -> bool:
        """Whether no two values are alike on these inputs, `zeros` among them."""
        exact = in_double(inputs)
        whole = self._whole(exact)
        wanted = self._wanted(whole)
        numbers = isinstance(wanted, Tensor) and wanted.numel() > 0
        largest = float(wanted.abs().max()) if numbers else 1.0
        relative, scale = self._tolerance(whole)
        distance = max(self._margin * largest, APART * relative * (scale or largest))
        if self._brief:  # a mistake that does not show there may show in what comes later
            part = of(self._brief, exact)
            shown = self._whole(part)
            if told_apart(
                self._values(part, shown, self._wanted(shown), zeros, unseen=True), distance
            ):
                return True
        return told_apart(self._values(exact, whole, wanted, zeros), distance)

    def _wanted(self, whole: Inputs) -> Any:
        """The numbers of what is right."""
        return _flat(self._by(of(self._reference, whole)))

    def _values(
        self, exact: Inputs, whole: Inputs, wanted: Any, zeros: bool, unseen: bool = False
    ) -> list[tuple[Any, Any]]:
        """All that may come of these inputs, each with its cause: none where it is right."""
        wrong = [(known, self._by(value)) for known, value in self._wrong(exact, whole, unseen)]
        values = [("", wanted), *((known.name, _flat(value)) for known, value in wrong)]
        values += [("", _flat(value)) for value in _all(self._accepted, whole)]
        filled = isinstance(wanted, Tensor) and bool(wanted.any())  # zeros may be what is right
        if zeros and filled and not any(known.idle for known, _ in wrong):
            values.append(("zeros", torch.zeros_like(wanted)))
        return values

    def right(self, **inputs: Any) -> Any:
        """What is right, in the type of the inputs."""
        return of(self._reference, self._whole(inputs))

    def wrong(self, **inputs: Any) -> Among:
        """What each mistake gives, in the type of the inputs."""
        return self._wrong(inputs, self._whole(inputs))

    def misshapen(self, **inputs: Any) -> Among:
        """What each mistake gives that is told by its form, unless that is the right one."""
        return self._misshapen(self._whole(inputs))

    def unnamed(self, **inputs: Any) -> list[Any]:
        """Wrong values that are no known mistake's."""
        return _all(self._unnamed, self._whole(inputs))

    def _wrong(self, inputs: Inputs, whole: Inputs, unseen: bool = False) -> Among:
        followed = [
            (known, of(self._reference, self._whole(inputs, **{name: value})))
            for name, before in self._given.items()
            for known, value in before.wrong(**inputs)
        ]
        return followed + self._mistaken(whole, shape_only=False, unseen=unseen)

    def _misshapen(self, whole: Inputs) -> Among:
        right = _form(of(self._reference, whole))
        found = self._mistaken(whole, shape_only=True)
        return [(known, value) for known, value in found if _form(value) != right]

    def _mistaken(self, whole: Inputs, shape_only: bool, unseen: bool = False) -> Among:
        """What mistakes give; `unseen` ones, too, that are left out elsewhere (`where_seen`)."""
        return [
            (mistake.known, value)
            for mistake in self.mistakes
            if mistake.shape_only == shape_only
            for way in mistake.ways
            for value in _values(way, whole)
            if unseen or not (mistake.where_seen and _same(value, of(self._reference, whole)))
        ]

    def _whole(self, inputs: Inputs, **given: Any) -> Inputs:
        """The inputs, and what functions may ask for beside them; `given` where it is known."""
        assert not self._unsaid, f"mistakes without a sentence: {self._unsaid}"
        right = {name: it.right(**inputs) for name, it in self._given.items() if name not in given}
        whole = {**inputs, **right, **given}
        return {**whole, **of(self._also, whole)} if self._also else whole

    def _tolerance(self, whole: Inputs) -> tuple[float, float | None]:
        """How near a right value is, relative to which size."""
        terms, steps = (
            of(each, whole) if callable(each) else each for each in (self._terms, self._steps)
        )
        scale = float(torch.as_tensor(of(self._size, whole)).max()) if self._size else None
        return checks.roundoff(terms, steps) if self._within is None else self._within, scale

    # ------------------------------------------------------------------------------- how it is used

    def check(self, got: Any, **inputs: Any) -> None:
        """Fail unless `got` is right on `inputs`; name the one mistake that explains it.

        Raises:
            Failure: it is not of the right form, or not right.
        """
        self.check_all([(got, inputs)])

    def check_all(self, answers: Iterable[tuple[Any, Inputs]]) -> None:
        """The same for answers to several inputs: a mistake is named if it explains all of them.

        Raises:
            Failure: one is not of the right form, or not right.
        """
        pairs = list(answers)
        compared = [self.compared(got, **inputs) for got, inputs in pairs]
        if all(each.right for each in compared):
            return
        first = next(place for place, each in enumerate(compared) if not each.right)
        inputs = pairs[first][1]
        message = _told(self._message or checks.WRONG_VALUES, inputs)
        checks.fail(message, checks.diagnose(*compared), name=_told(self.name, inputs))

    def diagnosis(self, answers: Iterable[tuple[Any, Inputs]]) -> Misconception | None:
        """The mistake that explains all of these; None where none does, or all are right."""
        try:
            self.check_all(answers)
        except Failure as failure:
            named = (each for each in self.known if each.name == failure.misconception)
            return next(named, None)
        return None

    def form(self, got: Any, **inputs: Any) -> Any:
        """The value `got`, if it is of the right form, whatever the numbers in it.

        Raises:
            Failure: it is not; named by the mistake whose form it has.
        """
        return self.compared(got, **inputs).got

    def compared(self, got: Any, **inputs: Any) -> Compared:
        """The value `got` beside what is right and what is known to be wrong.

        Raises:
            Failure: it is not of the right form.
        """
        exact = in_double(inputs)
        whole = self._whole(exact)
        wanted = of(self._reference, whole)
        relative, scale = self._tolerance(whole)

        def mistaken(by: Callable[[Any], Any] = self._by) -> Among:
            return [(known, by(value)) for known, value in self._wrong(exact, whole)]

        try:
            got = self._taken(got, wanted, _told(self.name, inputs))
        except Failure:
            unlike = Compared(got, wanted, partial(mistaken, _itself), relative, scale)
            self._name_by_form(got, unlike, whole)
            raise
        compared = Compared(self._by(got), self._by(wanted), mistaken, relative, scale)
        if not compared.right:
            accepted = _all(self._accepted, whole)
            if any(checks.is_close(got, each, relative, scale) for each in accepted):
                return replace(compared, got=self._by(wanted))
        return compared

    def _taken(self, got: Any, wanted: Any, name: Text) -> Any:
        if self._take is not None:
            return self._take(got, name, wanted)
        return checks.tensor(got, name, tuple(wanted.shape), self._dtype)

    def _name_by_form(self, got: Any, compared: Compared, whole: Inputs) -> None:
        """Fail with the mistake that explains a value of another form, if there is one."""
        right = compared.wanted
        for known, value in compared.among:
            other = isinstance(value, Tensor) and value.shape != right.shape
            if other and _alike(got, value, right) and compared.agrees(value):
                checks.fail(known)
        for known, value in self._misshapen(whole):
            if _alike(got, value, right):
                checks.fail(known)


@dataclass(frozen=True)
class _Unsaid:
    """A mistake that lacks its sentence."""

    formula: Formula
    name: str
    ways: tuple[Callable[..., Any], ...]
    idle: bool
    how: Mapping[str, bool]

    def says(self, sentence: str) -> Misconception:
        """Give it the one or two sentences that the student reads."""
        known = Misconception(self.name, sentence, self.idle)
        return self.formula.add(known, *self.ways, **self.how)


def told_apart(values: Sequence[tuple[Any, Any]], distance: float) -> bool:
    """Whether no two values of different causes are alike.

    Args:
        values: pairs (cause, value); of one cause they may be alike.
        distance: how far apart at least one number of two tensors must be.
    """
    return all(
        one == other or _apart(value, another, distance)
        for place, (one, value) in enumerate(values)
        for other, another in values[:place]
    )


def _form(value: Any) -> Any:
    """What can be told of a value without its numbers."""
    if isinstance(value, Tensor):
        return value.shape, value.is_floating_point()
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _alike(got: Any, value: Any, right: Any) -> bool:
    """Whether what is not of the right form has that of a mistake's value."""
    if not isinstance(got, Tensor) or not isinstance(value, Tensor) or value.shape == right.shape:
        return bool(_form(got) == _form(value) is not None)
    return bool(got.shape == value.shape)


def in_double(inputs: Inputs) -> Inputs:
    """The inputs with every floating tensor, also inside lists and dicts, in float64."""
    return {name: _double(value) for name, value in inputs.items()}


def _told(template: str | Text, inputs: Inputs) -> Text:
    """A sentence with those inputs that it names."""
    text = Text(template)
    named = {*re.findall(r"{(\w+)}", text.template)} - {*text.values}
    return Text(text, **{name: inputs[name] for name in named & {*inputs}})


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same in all their digits."""
    one, other = checks.as_numbers(one), checks.as_numbers(other)
    return (
        torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else False
    )


def _itself(value: Any) -> Any:
    return value


def _all(values: Callable[..., Iterator[Any]] | None, whole: Inputs) -> list[Any]:
    return _values(values, whole) if values else []


def _values(way: Callable[..., Any], inputs: Inputs) -> list[Any]:
    value = of(way, inputs)
    return list(value) if isinstance(value, Iterator) else [value]


def of(function: Callable[..., Any], inputs: Inputs) -> Any:
    """A function of those inputs that it takes; of all, where it takes `**inputs`."""
    names = _names(function)
    return function(**(inputs if names is None else {name: inputs[name] for name in names}))


@cache
def _names(function: Callable[..., Any]) -> tuple[str, ...] | None:
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return tuple(each.name for each in parameters if each.default is each.empty)


def _double(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, list | tuple):
        return [_double(item) for item in value]
    if isinstance(value, dict):
        return in_double(value)
    return value


def _flat(value: Any) -> Any:
    """A tensor of the numbers in `value`; `value` itself where it is no numbers."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value):
        value = torch.cat([torch.as_tensor(item).double().flatten() for item in value])
    return checks.as_numbers(value)


def _apart(one: Any, other: Any, distance: float) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return bool(one != other)
    if one.shape != other.shape:
        return True
    return not bool(((one - other).abs() <= distance).all())
