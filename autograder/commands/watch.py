"""Feedback at once: grades what arrives in nbgrader's exchange, and releases the feedback.

All of it is done by nbgrader's own Python API, in this process, whose worker stays warm: gradebook,
`submitted/`, `autograded/` and `feedback/` are what `nbgrader collect`, `autograde`,
`generate_feedback` and `release_feedback` would make of the same hand-ins.
"""

import fcntl
import logging
import os
import shutil
import tempfile
import time
import warnings
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nbgrader.api import MissingEntry
from nbgrader.apps.api import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log, temp_attrs
from traitlets import Enum, Integer
from traitlets.config import Config, LoggingConfigurable

from autograder.commands.hand_ins import (
    GRADED,
    SECRET,
    SUPERSEDED,
    UNGRADED,
    WAITING,
    Attempt,
    Attempts,
    HandIn,
    hand_ins,
    now,
)
from autograder.errors import AutograderError
from autograder.grading import counting, report
from autograder.grading.counting import FOLDER, Best
from autograder.language import Text
from autograder.pipeline.grade import GradeNotebook
from autograder.pipeline.gradebook import undecided
from autograder.pipeline.page import STYLE
from autograder.text import escaped, is_plain

LOG = "attempts.jsonl"
#: How often a hand-in is tried that nbgrader could do nothing with.
_TRIES = 3
_GLOB = set("*?[]")

_LATER = (
    "This hand-in is number {number} of today, and {most} are graded in a day: it will be graded"
    " after {day}, unless you hand in a newer one. It counts like any other."
)


_LINKS = (
    "This hand-in holds a symbolic link, and was not collected: hand in the files themselves. What"
    " you handed in before, if anything, still counts."
)
_FAILED = "This hand-in could not be graded. That costs you nothing: a person will look at it."


class CannotWatch(AutograderError):
    """There is nothing to watch, or somebody else does; the text says what to do."""


class NbGraderFailed(AutograderError):
    """A step of nbgrader's came to nothing; the text is the end of its log."""


def main(arguments: Namespace) -> int:
    """Watch until interrupted, or look once; 1 where something could not be graded."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    warnings.filterwarnings("ignore", module="nbgrader")  # its own, of its gradebook
    app = NbGrader()
    app.log_level = logging.CRITICAL
    app.initialize([])
    try:
        with watching(app.config) as watch:
            print(watch.said_first, flush=True)
            try:
                bad = _look(watch)
                while not arguments.once:
                    time.sleep(arguments.interval)
                    bad = _look(watch) or bad
            except KeyboardInterrupt:
                return 0
    except CannotWatch as error:
        print(error)
        return 2
    return int(bad)


def _look(watch: "Watch") -> bool:
    bad = False
    for attempt in watch.look():
        bad = bad or attempt.status == UNGRADED
        score = "" if attempt.score is None else f" {attempt.score:g} of {attempt.max_score:g},"
        print(
            f"{attempt.told[:19]} {escaped(attempt.student)} {attempt.assignment}:"
            f" {attempt.status},{score} {attempt.seconds:.1f} s after it was handed in",
            flush=True,
        )
    return bad


@contextmanager
def watching(config: Config) -> Iterator["Watch"]:
    """A watch of the course that `config` describes, the only one there is of it.

    Raises:
        CannotWatch: there is no exchange, or another watch runs.
    """
    directory = CourseDirectory(config=config)
    folder = Path(directory.root, FOLDER)
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotWatch("Another watch of this course is running: end it first.") from None
        try:
            yield Watch(directory, config=config)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # its processes have the file open as well


class Watch(LoggingConfigurable):
    """Looks for hand-ins, and does for each what is to be done."""

    gradings_a_day = Integer(
        5,
        min=1,
        help="How often a student's work on an assignment is graded in a day of the exchange's"
        " time zone; what comes above that is graded when the day is over.",
    ).tag(config=True)
    counts = Enum(("last", "best"), "last", help="Which of a student's attempts counts.").tag(
        config=True
    )

    def __init__(self, directory: CourseDirectory, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._directory = directory
        self._api = NbGraderAPI(directory, config=self.config, log_level=logging.ERROR)
        if not self._api.exchange_is_functional:
            root = self._api.exchange_root
            raise CannotWatch(
                f"nbgrader's exchange {root} is not there or cannot be written to. Make it:"
                f" mkdir -p {root} && chmod ugo+rwx {root}; or name another one in"
                " nbgrader_config.py: c.Exchange.root"
            )
        course = Path(self._api.exchange_root, directory.course_id)
        self._inbound = course / "inbound"
        if not self._inbound.is_dir():
            raise CannotWatch(
                "Nothing has been released to the exchange, so nothing can come: run"
                " nbgrader release_assignment ASSIGNMENT"
            )
        self._folder = Path(directory.root, FOLDER)
        self.attempts = Attempts(self._folder / LOG)
        self._tries: dict[str, int] = {}
        self._zone = ZoneInfo(self._collecting().timezone)
        self._warm_up()

    @property
    def said_first(self) -> str:
        """What is watched, in a line."""
        return (
            f"Watching {self._inbound}: {self.gradings_a_day} gradings a day, the {self.counts} one"
            " counts. End with Ctrl-C."
        )

    def _warm_up(self) -> None:
        """Have the worker ready before the first hand-in."""
        released = self._api.get_source_assignments()
        os.chdir(self._directory.root)
        for assignment in sorted(released)[:1]:
            GradeNotebook(config=self.config).prepare(assignment)

    # ------------------------------------------------------------------------------------ one look

    def look(self) -> Iterator[Attempt]:
        """Do what there is to do, and give back what became of each hand-in, as soon as it has."""
        known = self._api.get_source_assignments()
        known_now = self.attempts.status()
        newest: dict[tuple[str, str], HandIn] = {}
        for hand_in in hand_ins(self._inbound):
            if hand_in.assignment not in known or not _is_ordinary(hand_in.student):
                continue
            key = hand_in.student, hand_in.assignment
            earlier = newest.get(key)
            if earlier is not None and known_now.get(earlier.name) in (None, WAITING):
                yield self.attempts.add(earlier, SUPERSEDED)
            newest[key] = hand_in
        for hand_in in newest.values():
            status = known_now.get(hand_in.name)
            if not hand_in.is_complete or status not in (None, WAITING):
                continue
            if hand_in.has_links:
                print(f"{escaped(hand_in.name)} holds a symbolic link: it is not collected.")
                yield self._told(hand_in, UNGRADED, Text(_LINKS))
            elif self._is_above_the_limit(hand_in):
                if status is None:
                    yield self._told_to_wait(hand_in)
            elif attempt := self._tried(hand_in):
                yield attempt

    def _is_above_the_limit(self, hand_in: HandIn) -> bool:
        return len(self._of_today(hand_in)) >= self.gradings_a_day

    def _of_today(self, hand_in: HandIn) -> list[Attempt]:
        today = now().astimezone(self._zone).date()
        return [
            attempt
            for attempt in self.attempts.graded(hand_in.student, hand_in.assignment)
            if datetime.fromisoformat(attempt.told).astimezone(self._zone).date() == today
        ]

    # -------------------------------------------------------------------------------- one hand-in

    def _tried(self, hand_in: HandIn) -> Attempt | None:
        """Grade a hand-in; None where nbgrader failed, and it is to be tried again."""
        try:
            return self._graded(hand_in)
        except NbGraderFailed as error:
            tries = self._tries[hand_in.name] = self._tries.get(hand_in.name, 0) + 1
            print(f"{escaped(hand_in.name)}: {escaped(str(error), keep=chr(10))}", flush=True)
            return self._given_up(hand_in) if tries >= _TRIES else None

    def _graded(self, hand_in: HandIn) -> Attempt:
        assignment, student = hand_in.assignment, hand_in.student
        with temp_attrs(self._directory, assignment_id=assignment, student_id=student):
            _check(capture_log(self._collecting()))
        stamp = self._directory.get_existing_timestamp(str(self._at("submitted", hand_in)))
        if stamp != hand_in.at.replace(tzinfo=None):
            raise NbGraderFailed("another hand-in was collected; this one is looked at again")
        self._autograde(hand_in)
        score = self._score(hand_in)
        counts = self._does_count(hand_in, score)
        self._give_back(hand_in)
        if not counts:
            self._put_back_what_counts(hand_in)
        return self.attempts.add(hand_in, UNGRADED if score is None else GRADED, *(score or ()))

    def _collecting(self) -> Any:
        """nbgrader's way to collect the newest hand-ins of the course."""
        return self._api.exchange.Collect(
            coursedir=self._directory,
            authenticator=self._api.authenticator,
            parent=self._api,
            update=True,
        )

    def _autograde(self, hand_in: HandIn) -> None:
        graded = self._api.autograde(hand_in.assignment, hand_in.student)
        if not graded["success"] and not self._at("autograded", hand_in).is_dir():
            _check(graded)

    def _give_back(self, hand_in: HandIn) -> None:
        """Make the feedback page of what was graded, and release it."""
        which = hand_in.assignment, hand_in.student
        _check(self._api.generate_feedback(*which))
        _check(self._api.release_feedback(*which))

    def _score(self, hand_in: HandIn) -> tuple[float, float] | None:
        """What the gradebook has of it now, and the most that it could; None for no score yet."""
        with self._api.gradebook as gradebook:
            try:
                found = gradebook.find_submission(hand_in.assignment, hand_in.student)
            except MissingEntry:
                return None
            if undecided(found):
                return None
            late = sum(notebook.late_submission_penalty or 0 for notebook in found.notebooks)
            return found.score - late, found.max_score

    def _given_up(self, hand_in: HandIn) -> Attempt:
        """Let what counted before count; where nothing does, no page of earlier work stays."""
        if counting.read(Path(self._directory.root), hand_in.student, hand_in.assignment):
            with suppress(NbGraderFailed):  # the next hand-in tries it again
                self._put_back_what_counts(hand_in)
        elif not self._at("autograded", hand_in).is_dir():
            shutil.rmtree(self._at("feedback", hand_in), ignore_errors=True)
        return self._told(hand_in, UNGRADED, Text(_FAILED))

    def _does_count(self, hand_in: HandIn, score: tuple[float, float] | None) -> bool:
        """Whether a hand-in counts for now: it is the last, or the best, which is kept then."""
        where = Path(self._directory.root), hand_in.student, hand_in.assignment
        if self.counts == "last":
            counting.forget(*where)
            return True
        best = counting.read(*where)
        if score is None or (best is not None and score[0] < best.score):
            return best is None
        _replace(self._at("submitted", hand_in), counting.folder_of(*where))
        counting.write(*where, Best(hand_in.at.isoformat(), *score))
        return True

    def _put_back_what_counts(self, hand_in: HandIn) -> None:
        """Grade the best once more: it stands in the gradebook, and in nbgrader's folders."""
        root = Path(self._directory.root)
        kept = counting.folder_of(root, hand_in.student, hand_in.assignment)
        _replace(kept, self._at("submitted", hand_in))
        self._autograde(hand_in)
        self._give_back(hand_in)

    def _at(self, step: str, hand_in: HandIn) -> Path:
        folder = getattr(self._directory, f"{step}_directory")
        return Path(self._directory.format_path(folder, hand_in.student, hand_in.assignment))

    # ------------------------------------------------------------------------ what has no results

    def _told_to_wait(self, hand_in: HandIn) -> Attempt:
        """Say when the hand-in will be graded: the day's gradings are used up."""
        day = now().astimezone(self._zone).date() + timedelta(days=1)
        later = Text(
            _LATER,
            number=len(self._of_today(hand_in)) + 1,
            most=self.gradings_a_day,
            day=f"{day} 00:00 {datetime.now(self._zone).tzname()}",
        )
        return self._told(hand_in, WAITING, later)

    def _told(self, hand_in: HandIn, status: str, says: Text) -> Attempt:
        """Note what became of a hand-in, and release a page that says it.

        There is no page where the hand-in has not the secret that nbgrader names its page by.
        """
        beside = {name: hand_in.text_of(name) for name in ("timestamp.txt", SECRET)}
        if all(beside.values()):
            with tempfile.TemporaryDirectory() as name:
                page = Path(name, hand_in.student, hand_in.assignment)
                page.mkdir(parents=True)
                for told, text in beside.items():
                    (page / told).write_text(text)
                html = report.waiting(hand_in.assignment, says, STYLE)
                (page / f"{hand_in.assignment}.html").write_text(html)
                if not (released := capture_log(self._releasing(hand_in, name)))["success"]:
                    print(escaped(released["log"], keep="\n"), flush=True)
        return self.attempts.add(hand_in, status)

    def _releasing(self, hand_in: HandIn, folder: str) -> Any:
        """nbgrader's way to release the feedback that lies in a folder of its own."""
        names = CourseDirectory.class_trait_names(config=True)
        values = {each: getattr(self._directory, each) for each in names}
        values |= {
            "feedback_directory": folder,
            "assignment_id": hand_in.assignment,
            "student_id": hand_in.student,
        }
        return self._api.exchange.ReleaseFeedback(
            coursedir=CourseDirectory(**values),
            authenticator=self._api.authenticator,
            parent=self._api,
        )


def _check(result: dict[str, Any]) -> None:
    if not result["success"]:
        lines = (result.get("log") or result.get("error") or "nbgrader failed").strip().splitlines()
        raise NbGraderFailed("\n".join(lines[-5:]))


def _is_ordinary(student: str) -> bool:
    """Whether nbgrader's patterns and folders take a student's name for what it is."""
    plain = is_plain(student) and student == student.strip()
    return plain and not student.startswith(".") and not _GLOB & set(student) and "+" not in student


def _replace(source: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another."""
    new = target.with_name(f".{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(source, new, symlinks=True)
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
