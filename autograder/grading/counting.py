"""Which of a student's hand-ins counts, where the best does: `attempts/best/`, which `watch` keeps.

Where nothing is kept, the last counts, and no page says anything of it.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from autograder.language import Text

#: In a course's folder: the log of `watch`, and the best hand-ins.
FOLDER = "attempts"

_THIS = "The best of your hand-ins counts. So far that is this one."
_OTHER = (
    "The best of your hand-ins counts. So far that is not this one, but the one of {when}, with"
    " {score} of {points} points."
)


@dataclass(frozen=True)
class Best:
    """The hand-in of a student that counts.

    Attributes:
        handed_in: when, in UTC; ISO 8601.
        score, points: what it earned, and the most that it could have.
    """

    handed_in: str
    score: float
    points: float


def folder_of(course: Path, student: str, assignment: str) -> Path:
    """Where the hand-in that counts is kept."""
    return course / FOLDER / "best" / student / assignment


def read(course: Path, student: str, assignment: str) -> Best | None:
    """The hand-in that counts; None where none is kept."""
    path = _told(course, student, assignment)
    return Best(**json.loads(path.read_text())) if path.exists() else None


def write(course: Path, student: str, assignment: str, best: Best) -> None:
    """Say which hand-in counts, once it is kept."""
    _told(course, student, assignment).write_text(json.dumps(asdict(best)))


def forget(course: Path, student: str, assignment: str) -> None:
    """Keep none: the last counts."""
    _told(course, student, assignment).unlink(missing_ok=True)
    shutil.rmtree(folder_of(course, student, assignment), ignore_errors=True)


def says(best: Best | None, handed_in: datetime | None) -> Text | None:
    """What the page of a hand-in says of what counts; None where there is nothing to say.

    Args:
        best: what counts.
        handed_in: when the page's own hand-in was; in UTC, without a zone, as nbgrader reads it.
    """
    if best is None:
        return None
    when = datetime.fromisoformat(best.handed_in).replace(tzinfo=None)
    if when == handed_in:
        return Text(_THIS)
    score, points = f"{best.score:g}", f"{best.points:g}"
    return Text(_OTHER, when=f"{when:%Y-%m-%d %H:%M:%S} UTC", score=score, points=points)


def _told(course: Path, student: str, assignment: str) -> Path:
    return folder_of(course, student, assignment).with_name(f"{assignment}.json")
