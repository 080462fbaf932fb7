"""Hand-ins as they lie in nbgrader's exchange, and the log of what became of each."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_IMODE, S_ISREG

from nbgrader.utils import parse_utc

#: nbgrader gives this mode to a hand-in last, when all of it is there.
_COMPLETE = 0o777
#: A hand-in that has not got it by then is looked at all the same.
_PATIENCE = timedelta(minutes=1)

#: What nbgrader names the feedback page of a hand-in by.
SECRET = "submission_secret.txt"
_SMALL = 1_024

GRADED = "graded"
#: It is graded when the day is over, unless a newer one comes: the day's gradings are used up.
WAITING = "waiting"
#: A newer one was there before it was graded.
SUPERSEDED = "superseded"
#: A person must look at it; it does not count among the day's gradings.
UNGRADED = "could not be graded"


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class HandIn:
    """A folder in the exchange.

    Attributes:
        name: of the folder.
        student, assignment: whose, and of what.
        at: when it was handed in, in UTC.
        is_complete: whether all of it is there.
        folder: where it lies.
    """

    name: str
    student: str
    assignment: str
    at: datetime
    is_complete: bool
    folder: Path

    def text_of(self, name: str) -> str:
        """The beginning of a small file in it; empty where there is no such file, only a link."""
        if self.folder.is_symlink():
            return ""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with suppress(OSError), open(os.open(self.folder / name, flags), "rb") as file:
            if S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(_SMALL).decode(errors="replace")
        return ""

    @property
    def has_links(self) -> bool:
        """Whether it is a symbolic link or holds one.

        nbgrader would copy what that leads to, as the instructor, whatever it is.
        """
        inside = self.folder.rglob("*")
        return self.folder.is_symlink() or any(path.is_symlink() for path in inside)


def hand_ins(inbound: Path) -> list[HandIn]:
    """What lies in the exchange, the oldest first; what has another name than nbgrader gives is not
    listed."""
    found = []
    for path in inbound.iterdir():
        student, *others = path.name.rsplit("+", 3)
        if len(others) == 2:  # without nbgrader's random letters
            assignment, stamp = others
        elif len(others) == 3:
            assignment, stamp, _ = others
        else:
            continue
        with suppress(OSError, ValueError):
            changed = path.stat()
            at = parse_utc(stamp).replace(tzinfo=UTC)
            age = now() - datetime.fromtimestamp(changed.st_mtime, UTC)
            complete = S_IMODE(changed.st_mode) & _COMPLETE == _COMPLETE or age > _PATIENCE
            found.append(HandIn(path.name, student, assignment, at, complete, path))
    return sorted(found, key=lambda each: (each.at, each.name))


@dataclass(frozen=True)
class Attempt:
    """What became of a hand-in.

    Attributes:
        name: of its folder in the exchange.
        student, assignment: whose, and of what.
        status: one of the words above.
        handed_in, told: when it came, and when this was known; ISO 8601, UTC.
        score: what it earned, where it has been graded.
        max_score: the most that it could have.
    """

    name: str
    student: str
    assignment: str
    status: str
    handed_in: str
    told: str
    score: float | None = None
    max_score: float | None = None

    @property
    def seconds(self) -> float:
        """From handing it in to its feedback."""
        apart = datetime.fromisoformat(self.told) - datetime.fromisoformat(self.handed_in)
        return apart.total_seconds()


class Attempts:
    """The log of all attempts: a line of JSON for each thing that became of one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        self._all = [Attempt(**json.loads(line)) for line in path.read_text().splitlines()]

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self._all)

    def add(self, hand_in: HandIn, status: str, *scores: float | None) -> Attempt:
        """Note what became of a hand-in."""
        at, told = hand_in.at.isoformat(), now().isoformat()
        who = hand_in.name, hand_in.student, hand_in.assignment
        attempt = Attempt(*who, status, at, told, *scores)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(attempt)) + "\n")
        self._all.append(attempt)
        return attempt

    def status(self) -> dict[str, str]:
        """What became of each hand-in last, by its name."""
        return {attempt.name: attempt.status for attempt in self._all}

    def graded(self, student: str, assignment: str) -> list[Attempt]:
        """Those of a student's that were graded, the oldest first."""
        whose = student, assignment
        return [
            attempt
            for attempt in self._all
            if (attempt.student, attempt.assignment) == whose and attempt.status == GRADED
        ]
