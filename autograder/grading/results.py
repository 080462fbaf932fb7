"""What grading comes to: kept in the grader, from a test's outcome to a grade cell's score."""

from dataclasses import dataclass, field

from autograder.language import Sentence, Text


@dataclass(frozen=True)
class TestResult:
    """One check of a suite, as the report shows it.

    `message` says what was expected and what came instead (empty where the check passed);
    `misconception` names the known mistake that explains it; `example` can be run at home;
    `steps` tell of values that follow from each other, in order, whether each is right.
    """

    __test__ = False

    id: str
    points: int
    earned: int
    title: str
    message: Text = field(default_factory=lambda: Text(""))
    misconception: str | None = None
    example: str = ""
    steps: tuple[tuple[str, bool], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it earned all its points."""
        return self.earned == self.points

    @property
    def rows(self) -> list[tuple[str, bool, Text]]:
        """The steps as a table: name, whether it is right, and what to say of it."""
        first = next((name for name, right in self.steps if not right), "")
        follows = Text("wrong: may follow from `{first}`", first=first)
        wrong = {first: Text("wrong, the first: look here")}
        return [
            (name, right, Text("right") if right else wrong.get(name, follows))
            for name, right in self.steps
        ]


@dataclass(frozen=True)
class CellResult:
    """The result of one grade cell.

    Attributes:
        seed: the recorded seed of its inputs.
        ungraded: why it could not be graded, in one line: a fault of the grader's, or a file that
            cannot be read. Such a cell has no score, not one of zero, and is left to a person.
    """

    grade_id: str
    seed: str
    tests: tuple[TestResult, ...] = field(default_factory=tuple)
    ungraded: Sentence = ""

    @property
    def task(self) -> str:
        """What the student was to write: the grade cell's name without `test_`."""
        return self.grade_id.removeprefix("test_")

    @property
    def points(self) -> int:
        """The most that the cell can earn."""
        return sum(test.points for test in self.tests)

    @property
    def earned(self) -> int:
        """The score of the cell; without meaning where it could not be graded."""
        return sum(test.earned for test in self.tests)

    @property
    def messages(self) -> list[Text]:
        """What the lost points were lost for, each reason once."""
        if self.ungraded:
            return [
                Text(
                    "This could not be graded: {why}. It cost you nothing: a person will look"
                    " at it.",
                    why=self.ungraded,
                )
            ]
        return list(self.lost)

    @property
    def lost(self) -> dict[Text, TestResult]:
        """The first check that lost points for each reason, by what it says."""
        found: dict[Text, TestResult] = {}
        for test in self.tests:
            if not test.passed:
                found.setdefault(test.message, test)
        return found
