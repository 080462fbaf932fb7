"""What a class's work on an assignment comes to: all that the report says, as data."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, quantiles

from autograder.afterwards.graded import Work
from autograder.language import Sentence, Text

#: Bars of the distribution.
BINS = 10
#: A share of the points that is this much below that of the other assignments is worth a look.
_FALLEN = 0.2
#: Below so much more than usual nothing is out of the ordinary, whatever the others take.
_LEAST_SECONDS, _LEAST_BYTES = 1.0, 64 * 2**20
#: Among notes: why a file was not taken, and how a kernel came to its end.
_LINKS = (
    "a symbolic link",
    "a hard link",
    "no regular file",
    "a symbolic link, or no regular file",
)
_ENDINGS = ("KernelDied", "KernelGarbled")
#: How many spreads of the middle half above that half is out of the ordinary.
_FAR = 3.0


@dataclass(frozen=True)
class Band:
    """How many scores lie between two: from the first to below the second, the last with it."""

    lowest: float
    highest: float
    students: int


@dataclass(frozen=True)
class Lost:
    """What a task, or a test of it, cost.

    Attributes:
        task: what was to be written.
        test: the test's id; empty for the task in all.
        title: what is checked; empty for the task in all.
        points: the most that it can earn.
        mean: the points that were lost, on average over all that were graded.
        students: how many lost something.
        graded: how many were graded.
    """

    task: str
    test: str
    title: str
    points: int
    mean: float
    students: int
    graded: int


@dataclass(frozen=True)
class Mistake:
    """A misconception that cost somebody points, now or at an earlier hand-in.

    Attributes:
        name: it is known by.
        says: what a student who has it reads.
        has: who has it now, each with the grade cell that shows it.
        had: how many had it at some hand-in and handed in again.
        repaired: how many of these had lost it at the last one.
    """

    name: str
    says: Sentence
    has: tuple[tuple[str, str], ...]
    had: int
    repaired: int


@dataclass(frozen=True)
class Noted:
    """A student, and what a person should know."""

    student: str
    reasons: tuple[Sentence, ...]


@dataclass(frozen=True)
class Outlier:
    """A submission that took far more than the others.

    Attributes:
        phase: of grading.
        of: "seconds" or "bytes".
        amount: what it took.
        usual: the median of all.
    """

    student: str
    phase: str
    of: str
    amount: float
    usual: float


@dataclass(frozen=True)
class Overview:
    """All that the report says, but for similar submissions.

    Attributes:
        scores: those that stand in the gradebook, in the order of their students.
        suites: the digests of the suites that the grades came from, with how many did.
        ungraded: what could not be graded, and why.
        stopped: where there are signs that something was tried that is not allowed.
    """

    assignment: str
    students: int
    handed_in: int
    points: float
    scores: tuple[float, ...]
    bands: tuple[Band, ...]
    tasks: tuple[Lost, ...]
    tests: tuple[Lost, ...]
    mistakes: tuple[Mistake, ...]
    watched: tuple[Noted, ...]
    outliers: tuple[Outlier, ...]
    ungraded: tuple[Noted, ...]
    stopped: tuple[Noted, ...]
    suites: tuple[tuple[str, int], ...]

    @property
    def mean(self) -> float | None:
        """The mean of the scores; None where there is none."""
        return mean(self.scores) if self.scores else None

    @property
    def median(self) -> float | None:
        """The median of the scores; None where there is none."""
        return median(self.scores) if self.scores else None


def of(assignment: str, works: Sequence[Work]) -> Overview:
    """What everybody's work on an assignment comes to."""
    standings = [work.standing for work in works if work.standing is not None]
    scores = tuple(each.score for each in standings if each.score is not None)
    points = max((each.points for each in standings), default=0.0)
    suites = Counter(each.record.depends_on.suites for each in works if each.record.depends_on)
    return Overview(
        assignment=assignment,
        students=len(works),
        handed_in=len(standings),
        points=points,
        scores=scores,
        bands=tuple(_bands(scores, points)),
        tasks=tuple(_lost(works, by_test=False)),
        tests=tuple(_lost(works, by_test=True)),
        mistakes=tuple(_mistakes(works)),
        watched=tuple(_noted(works, _worries)),
        outliers=tuple(_outliers(works)),
        ungraded=tuple(_noted(works, _why_ungraded)),
        stopped=tuple(_noted(works, _signs)),
        suites=tuple(suites.most_common()),
    )


# ------------------------------------------------------------------------------------------ points


def _bands(scores: Sequence[float], points: float) -> Iterator[Band]:
    if not scores or points <= 0:
        return
    width = points / BINS
    places = Counter(min(max(int(score / width), 0), BINS - 1) for score in scores)
    for place in range(BINS):
        yield Band(place * width, (place + 1) * width, places[place])


def _lost(works: Sequence[Work], by_test: bool) -> Iterator[Lost]:
    """What each task or test cost, in the order in which the notebook has them."""
    lost: dict[tuple[str, str], list[int]] = {}
    told: dict[tuple[str, str], tuple[str, int]] = {}
    for work in works:
        for cell in work.record.cells:
            if cell.ungraded:
                continue
            if by_test:
                parts = [(each.id, each.title, each.points, each.earned) for each in cell.tests]
            else:
                parts = [("", "", cell.points, cell.earned)]
            for name, title, points, earned in parts:
                lost.setdefault((cell.task, name), []).append(points - earned)
                told[cell.task, name] = (title, points)
    for (task, name), amounts in lost.items():
        title, points = told[task, name]
        students = sum(amount > 0 for amount in amounts)
        yield Lost(task, name, title, points, mean(amounts), students, len(amounts))


# ---------------------------------------------------------------------------------- misconceptions


def _mistakes(works: Sequence[Work]) -> Iterator[Mistake]:
    """The misconceptions, the commonest first."""
    has: dict[str, list[tuple[str, str]]] = {}
    says: dict[str, Counter[Sentence]] = {}
    had: Counter[str] = Counter()
    repaired: Counter[str] = Counter()
    for work in works:
        now: dict[str, str] = {}
        for grade_id, test in work.failed:
            if test.misconception:
                now.setdefault(test.misconception, grade_id)
                says.setdefault(test.misconception, Counter())[test.message] += 1
        for name, grade_id in now.items():
            has.setdefault(name, []).append((work.student, grade_id))
        hand_ins = work.hand_ins
        for name in frozenset[str]().union(*(each.misconceptions for each in hand_ins[:-1])):
            had[name] += 1
            repaired[name] += name not in hand_ins[-1].misconceptions
    for name in sorted(has.keys() | had, key=lambda name: (-len(has.get(name, ())), name)):
        sentence = says[name].most_common(1)[0][0] if name in says else ""
        yield Mistake(name, sentence, tuple(has.get(name, ())), had[name], repaired[name])


# ------------------------------------------------------------------------------ a person's eye


def _noted(works: Sequence[Work], reasons: Callable[[Work], Iterator[Sentence]]) -> Iterator[Noted]:
    for work in works:
        if found := tuple(reasons(work)):
            yield Noted(work.student, found)


def _worries(work: Work) -> Iterator[Sentence]:
    """Why somebody may need help."""
    if work.standing is None:
        yield Text("Nothing was handed in.")
        return
    hand_ins = work.hand_ins
    if len(hand_ins) > 1:
        before, now = hand_ins[-2:]
        for name in sorted(before.misconceptions & now.misconceptions):
            yield Text("`{name}` again, as at the hand-in before.", name=name)
        if now.earned < before.earned:
            yield Text(
                "The checks gave the hand-in before {before} points, and this one {now}.",
                before=before.earned,
                now=now.earned,
            )
    for other, names in work.earlier.items():
        for name in sorted(names & work.misconceptions):
            yield Text("`{name}` here and in {other}.", name=name, other=other)
    others = [
        each.score / each.points
        for each in work.others.values()
        if each.score is not None and each.points
    ]
    score = work.standing.score
    if others and score is not None and work.standing.points:
        share = score / work.standing.points
        if share < mean(others) - _FALLEN:
            yield Text(
                "{share} % of the points here, {others} % on average in the other assignments.",
                share=round(100 * share),
                others=round(100 * mean(others)),
            )


def _why_ungraded(work: Work) -> Iterator[Sentence]:
    """Why something of it has no score."""
    reasons = [cell.ungraded for cell in work.record.cells if cell.ungraded]
    if work.record.ungraded:
        reasons.insert(0, work.record.ungraded)
    yield from dict.fromkeys(reasons)
    if work.standing is not None and not work.record.cells and not reasons:
        yield Text("It is in the gradebook, but no graded notebook of it is there.")
    elif work.standing is not None and work.standing.score is None and not reasons:
        yield Text("An answer waits for a person's grade.")


def _signs(work: Work) -> Iterator[Sentence]:
    """Signs that something was tried that is not allowed; many have an honest reason."""
    for note in work.record.notes:
        told = note.values if isinstance(note, Text) else {}
        if told.get("why") in _LINKS or told.get("name") in _ENDINGS:
            yield note
    for line in work.refused:
        yield Text("Its code was told: {line}", line=line)


# ---------------------------------------------------------------------------------------- outliers


def _outliers(works: Sequence[Work]) -> Iterator[Outlier]:
    """What took far longer, or far more memory, than the others did in that phase."""
    phases = dict.fromkeys(phase for work in works for phase in work.record.spent)
    for phase in phases:
        spent = {
            work.student: work.record.spent[phase] for work in works if phase in work.record.spent
        }
        seconds = {student: each.seconds for student, each in spent.items()}
        sizes = {student: float(each.peak_bytes) for student, each in spent.items()}
        yield from _far_above(phase, "seconds", seconds, _LEAST_SECONDS)
        yield from _far_above(phase, "bytes", sizes, _LEAST_BYTES)


def _far_above(
    phase: str, of: str, amounts: Mapping[str, float], least: float
) -> Iterator[Outlier]:
    if len(amounts) < 4:  # of so few none is usual
        return
    low, usual, high = quantiles(amounts.values(), n=4, method="inclusive")
    border = max(high + _FAR * (high - low), usual + least)
    for student, amount in sorted(amounts.items(), key=lambda item: -item[1]):
        if amount > border:
            yield Outlier(student, phase, of, amount, usual)
