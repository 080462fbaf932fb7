"""What stands for a submission in the end: what its checks came to, where no person decided."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autograder.grading.results import CellResult


@dataclass(frozen=True)
class Standing:
    """What stands for one cell that has points.

    Attributes:
        grade_id: the cell's name.
        most: the points that it can earn.
        points: what it earned; None where neither checks nor a person have said so yet.
        by_person: whether a person gave the points, in place of the checks or where there are none.
        extra: points that a person gave beside.
    """

    grade_id: str
    most: float
    points: float | None
    by_person: bool = False
    extra: float = 0.0

    @classmethod
    def of(cls, result: CellResult, most: float | None = None) -> "Standing":
        """What the checks alone come to.

        Args:
            result: of the cell.
            most: the points that it can earn, where its checks may not tell.
        """
        points = None if result.ungraded else result.earned
        return cls(result.grade_id, result.points if most is None else most, points)

    @property
    def task(self) -> str:
        """What the student was to write: the cell's name without `test_`."""
        return self.grade_id.removeprefix("test_")


@dataclass(frozen=True)
class Sheet:
    """What stands for a submission.

    Attributes:
        assignment: its name.
        cells: of each cell that has points, in the notebook's order.
        comments: what a person wrote to a cell, by `grade_id`.
        penalty: points that are taken off because it was late.
    """

    assignment: str
    cells: tuple[Standing, ...]
    comments: Mapping[str, str] = field(default_factory=dict)
    penalty: float = 0.0

    @classmethod
    def of(
        cls, assignment: str, results: Iterable[CellResult], most: Mapping[str, float]
    ) -> "Sheet":
        """What the checks alone come to; `most` are the points that each cell can earn."""
        return cls(assignment, tuple(Standing.of(each, most[each.grade_id]) for each in results))

    @property
    def most(self) -> float:
        """The points that there are."""
        return sum(cell.most for cell in self.cells)

    @property
    def open(self) -> float:
        """The points that nobody and nothing has decided on yet."""
        return sum(cell.most for cell in self.cells if cell.points is None)

    @property
    def score(self) -> float:
        """What was earned so far, with what is given and taken beside."""
        return sum((cell.points or 0) + cell.extra for cell in self.cells) - self.penalty

    @property
    def by_person(self) -> bool:
        """Whether a person decided anything."""
        return any(cell.by_person or cell.extra for cell in self.cells)
