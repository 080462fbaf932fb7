"""Marks between which the points of a test fall linearly: no cliff where luck decides.

A network that is trained a little worse earns a little less. Students read both marks.
"""

from dataclasses import dataclass
from typing import Any

from autograder.exercise.checks import Failure, Misconception
from autograder.language import Text


@dataclass(frozen=True)
class Marks:
    """What a measured number is worth.

    Attributes:
        full: at this number, and at better ones, the test earns all its points.
        none: at this number, and at worse ones, it earns none. Which numbers are better follows:
            `full` is above it for an accuracy, and below it for an error.
    """

    full: float
    none: float

    def share(self, value: float) -> float:
        """The share of the points that a number earns, 0 to 1; none for NaN."""
        share = (value - self.none) / (self.full - self.none)
        return min(share, 1.0) if share > 0 else 0.0

    def require(
        self, value: float, what: str, /, because: Misconception | None = None, **values: Any
    ) -> None:
        """Fail, with the share that it earns, unless a number earns all points.

        Args:
            value: the number.
            what: the template of the sentence that says what is wrong; it may name `{value}`,
                `{full}` and `{none}`.
            because: the mistake that explains it: then the student reads of that instead.
            values: what else the template is told with.
        """
        share = self.share(value)
        if share < 1:
            told = {"value": value, "full": self.full, "none": self.none, **values}
            says, name = (because.says, because.name) if because else (what, None)
            raise Failure(Text(says, **told), name, share)
