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
from contextlib import contextmanager
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
from autograder.grading import report
from autograder.language import Text
from autograder.pipeline.grade import GradeNotebook
from autograder.text import escaped, is_plain

#: The folder of the log, and of the best hand-ins where those count.
FOLDER = "attempts"
LOG = "attempts.jsonl"
#: How often a hand-in is tried that nbgrader could do nothing with.
_TRIES = 3
_GLOB = set("*?[]")

_LATER = (
    "This hand-in is number {number} of today, and {most} are graded in a day: it will be graded"
    " after {day}, unless you hand in a newer one. It counts like any other."
)


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
                yield self.attempts.add(hand_in, UNGRADED)
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
            return self.attempts.add(hand_in, UNGRADED) if tries >= _TRIES else None

    def _graded(self, hand_in: HandIn) -> Attempt:
        assignment, student = hand_in.assignment, hand_in.student
        with temp_attrs(self._directory, assignment_id=assignment, student_id=student):
            _check(capture_log(self._collecting()))
        stamp = self._directory.get_existing_timestamp(str(self._at("submitted", hand_in)))
        if stamp != hand_in.at.replace(tzinfo=None):
            raise NbGraderFailed("another hand-in was collected; this one is looked at again")
        self._grade(hand_in)
        attempt = self._noted(hand_in)
        if self.counts == "best":
            self._let_the_best_count(hand_in, attempt)
        return attempt

    def _collecting(self) -> Any:
        """nbgrader's way to collect the newest hand-ins of the course."""
        return self._api.exchange.Collect(
            coursedir=self._directory,
            authenticator=self._api.authenticator,
            parent=self._api,
            update=True,
        )

    def _grade(self, hand_in: HandIn) -> None:
        """Grade what was collected, and release the feedback."""
        which = hand_in.assignment, hand_in.student
        graded = self._api.autograde(*which)
        if not graded["success"] and not self._at("autograded", hand_in).is_dir():
            _check(graded)
        _check(self._api.generate_feedback(*which))
        _check(self._api.release_feedback(*which))

    def _noted(self, hand_in: HandIn) -> Attempt:
        """Note what the gradebook has of it now."""
        with self._api.gradebook as gradebook:
            try:
                found = gradebook.find_submission(hand_in.assignment, hand_in.student)
            except MissingEntry:
                return self.attempts.add(hand_in, UNGRADED)
            grades = [grade for notebook in found.notebooks for grade in notebook.grades]
            if any(grade.auto_score is None and grade.manual_score is None for grade in grades):
                return self.attempts.add(hand_in, UNGRADED)
            late = sum(notebook.late_submission_penalty or 0 for notebook in found.notebooks)
            return self.attempts.add(hand_in, GRADED, found.score - late, found.max_score)

    def _let_the_best_count(self, hand_in: HandIn, attempt: Attempt) -> None:
        """Keep this hand-in if it is the best so far, or put the best back in its place."""
        kept = self._folder / "best" / hand_in.student / hand_in.assignment
        submitted = self._at("submitted", hand_in)
        *before, _ = [
            each.score or 0.0 for each in self.attempts.graded(hand_in.student, hand_in.assignment)
        ] or [0.0]
        is_best = attempt.status == GRADED and (attempt.score or 0.0) >= max(before, default=0.0)
        if not is_best and kept.is_dir():
            _replace(kept, submitted)
            self._grade(hand_in)
        elif is_best:
            _replace(submitted, kept)

    def _at(self, step: str, hand_in: HandIn) -> Path:
        folder = getattr(self._directory, f"{step}_directory")
        return Path(self._directory.format_path(folder, hand_in.student, hand_in.assignment))

    # ------------------------------------------------------------------------- above the limit

    def _told_to_wait(self, hand_in: HandIn) -> Attempt:
        """Release a page that says when the hand-in will be graded."""
        day = now().astimezone(self._zone).date() + timedelta(days=1)
        sentence = Text(
            _LATER,
            number=len(self._of_today(hand_in)) + 1,
            most=self.gradings_a_day,
            day=f"{day} 00:00 {datetime.now(self._zone).tzname()}",
        )
        with tempfile.TemporaryDirectory() as name:
            page = Path(name, hand_in.student, hand_in.assignment)
            page.mkdir(parents=True)
            for told in ("timestamp.txt", "submission_secret.txt"):
                if not (hand_in.folder / told).is_file():
                    return self.attempts.add(hand_in, WAITING)
                shutil.copy(hand_in.folder / told, page)
            (page / f"{hand_in.assignment}.html").write_text(report.waiting(sentence))
            names = CourseDirectory.class_trait_names(config=True)
            values = {each: getattr(self._directory, each) for each in names}
            values |= {
                "feedback_directory": name,
                "assignment_id": hand_in.assignment,
                "student_id": hand_in.student,
            }
            release = self._api.exchange.ReleaseFeedback(
                coursedir=CourseDirectory(**values),
                authenticator=self._api.authenticator,
                parent=self._api,
            )
            _check(capture_log(release))
        return self.attempts.add(hand_in, WAITING)


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
