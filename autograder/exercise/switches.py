"""Formulas whose mistakes are switches of one function: what is wrong is said by name and value.

    EPSILON = Wrong("epsilon-inside-root", inside=True).says("You add `eps` under the root. ...")
    steps = switched("The path", walked, [EPSILON], draw=draw)

where `walked` gives, of inputs, what is `right`, and a function `wrong` that takes switches.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from torch import Tensor

from autograder.exercise.checks import Misconception
from autograder.exercise.formula import Formula, Inputs

Way = Mapping[str, Any]


class Wrong:
    """A known mistake.

    Args:
        others: more ways to make it.
        way: the switches that make it.
    """

    def __init__(self, name: str, *others: Way, idle: bool = False, **way: Any) -> None:
        self._name, self._idle = name, idle
        self.ways = (way, *others)

    def says(self, sentence: str) -> "Wrong":
        """Give it what the student reads."""
        self.known = Misconception(self._name, sentence, self._idle)
        return self


def switched(
    name: str,
    also: Callable[..., Inputs],
    wrongs: Sequence[Wrong],
    accepted: Sequence[Wrong] = (),
    also_right: Sequence[Way] = (),
    **more: Any,
) -> Formula:
    """A formula of what one function gives.

    Args:
        also: gives what is `right`, and the function `wrong`: None where it cannot be so.
        wrongs: what is named.
        accepted: what passes: it is the matter of other tests.
        also_right: switches that are no mistakes, alone or with any other.
        more: arguments of :class:`Formula`.
    """

    def of(*ways: Way) -> Callable[..., Iterator[Tensor]]:
        def values(wrong: Callable[..., Tensor | None]) -> Iterator[Tensor]:
            for way, base in product(ways, ({}, *also_right)):
                value = wrong(**{**base, **way})
                if value is not None:
                    yield value

        return values

    passing = of({}, *(way for each in accepted for way in each.ways))
    formula = Formula(name, also=also, reference=lambda right: right, accepted=passing, **more)
    for each in wrongs:
        formula.add(each.known, of(*each.ways), where_seen=True)
    return formula
