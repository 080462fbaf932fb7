"""Grades an assignment again after a correction: first to see what would change, then for good.

What would change is seen by plain nbgrader in a course folder that lasts as long as that: it has
the config, the submissions and the release of this one, and a gradebook of its own. So a dry run
comes to what `--apply` comes to, and changes nothing.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory

from autograder.afterwards import graded
from autograder.afterwards.regrade import Change, Verdict, compare, in_lines
from autograder.commands.workspace import Workspace
from autograder.errors import AutograderError
from autograder.grading import grader, history, record
from autograder.grading.dependence import Dependence
from autograder.grading.record import Record
from autograder.pipeline import gradebook
from autograder.pipeline.grade import GradeNotebook
from autograder.pipeline.trouble import told
from autograder.submission.intake import students
from autograder.submission.rebuild import Release, restored
from autograder.text import escaped

_CONFIG = "nbgrader_config.py"
#: What one word of a command line may hold, with room to spare.
_LONGEST = 100_000


class CannotRegrade(AutograderError):
    """There is nothing to grade again, or it came to nothing; the text says what to do."""


def main(arguments: Namespace) -> int:
    """Say what would change, or change it.

    Returns:
        0 where nothing is left to change, 1 where something is, 2 where nobody can say.
    """
    try:
        course = _Course(arguments.assignment)
        changes = course.changes()
        changed = _told(changes)
        if not arguments.apply:
            if changed:
                print("Nothing has been changed. To change it, add: --apply")
            return int(bool(changed))
        left = course.apply(changed)
    except Exception as error:
        if not (why := told(error)):
            raise
        print(why, file=sys.stderr)
        return 2
    for student in left:
        print(f"{escaped(student)}: it came to something else; look at it", file=sys.stderr)
    print(f"{len(changed) - len(left)} graded again")
    return int(bool(left))


def _told(changes: Sequence[Change]) -> list[Change]:
    """Print what changes; return what can be applied."""
    for change in changes:
        if change.verdict is not Verdict.SAME:
            print("\n".join(escaped(line) for line in in_lines(change)))
    by = {verdict: [each for each in changes if each.verdict is verdict] for verdict in Verdict}
    stays = sum(each.other_suites for each in by[Verdict.SAME])
    print(
        f"{len(changes)} compared: {len(by[Verdict.CHANGED])} would change,"
        f" {len(by[Verdict.SAME])} would not ({stays} of these were graded by other suites than"
        " there are now)"
    )
    if by[Verdict.LOST]:
        print(f"{len(by[Verdict.LOST])} could not be graded any more: what stands is left alone")
    return by[Verdict.CHANGED]


class _Course:
    """The course of the current folder, as its `nbgrader_config.py` has it."""

    def __init__(self, assignment: str) -> None:
        app = NbGrader()
        app.log_level = logging.ERROR
        app.initialize([])
        self._assignment = assignment
        self._directory = CourseDirectory(config=app.config)
        self._step = GradeNotebook(config=app.config)
        self._root = Path(self._directory.root).absolute()

    def changes(self) -> list[Change]:
        """What grading all again comes to, of those who have been graded.

        Raises:
            CannotRegrade: nobody has been, or grading fails.
            CourseError: the assignment was never released.
        """
        stands = self._records(self._root)
        if not stands:
            raise CannotRegrade(
                f"Nothing of '{self._assignment}' has been graded in {self._root}. Run this in the"
                f" course's folder, after: nbgrader autograde {self._assignment}"
            )
        with self._shadow(stands) as shadow:
            now = self._records(shadow)
        return [
            compare(student, before, now[student])
            for student, before in stands.items()
            if student in now
        ]

    def apply(self, changes: Sequence[Change]) -> list[str]:
        """Grade those again for good, by plain nbgrader, and renew the feedback that there is.

        A person's points and comments stay in the gradebook, as nbgrader keeps them.

        Returns:
            who has other points now than the dry run said.

        Raises:
            CannotRegrade: a feedback page could not be made.
        """
        chosen = [change.student for change in changes]
        paged = [student for student in chosen if self._page(student).is_file()]
        before = self._records(self._root)
        for student in chosen:
            self._remember(student, before[student])
        for options in self._only(chosen):
            self._grade(self._root, "--force", *options)
        for options in self._only(paged):
            words = ("generate_feedback", self._assignment, "--force", *options)
            done = Workspace(self._root).nbgrader(*words, check=False)
            if done.returncode:
                raise CannotRegrade(
                    f"All were graded again, but not all feedback is new:\n{done.stderr[-2000:]}"
                )
        now = self._records(self._root)
        return [
            change.student
            for change in changes
            if change.student not in now
            or compare(change.student, before[change.student], now[change.student]) != change
        ]

    # --------------------------------------------------------------------------------- inner parts

    @contextmanager
    def _shadow(self, stands: Iterable[str]) -> Iterator[Path]:
        """A course folder in which these students' work has just been graded again.

        Raises:
            CannotRegrade: the run came to nothing.
        """
        with tempfile.TemporaryDirectory(prefix="regrade-") as name:
            folder = Path(name)
            if (self._root / _CONFIG).exists():
                shutil.copy(self._root / _CONFIG, folder)
            for each in (
                self._directory.submitted_directory,
                self._directory.source_directory,
                self._step.course_data,
                self._step.secret_file,
            ):
                if not Path(each).is_absolute() and (self._root / each).exists():
                    (folder / each).symlink_to(self._root / each)
            db_url = f"sqlite:///{folder / 'gradebook.db'}"
            release = gradebook.released(self._directory.db_url, self._assignment)
            gradebook.write_release(db_url, self._assignment, release)
            # So the exporter grades those alone whose results follow from something else now.
            for student in stands:
                place = Path(self._directory.autograded_directory, student, self._assignment)
                shutil.copytree(self._root / place, folder / place, symlinks=True)
            # Over whatever the config says: nothing of this course is written to.
            where = (f"--CourseDirectory.root={folder}", f"--CourseDirectory.db_url={db_url}")
            self._grade(folder, *where)
            now = self._depends_on(release)
            for each in self._records(folder).values():
                if each.depends_on and replace(each.depends_on, submission="") != now:
                    raise CannotRegrade("Not all could be graded again: see above.")
            yield folder

    def _depends_on(self, release: Release) -> Dependence:
        """What results follow from that are made now, but for the submission."""
        data = Path(self._root, self._step.course_data)
        terms = replace(self._step.terms(), course_data=data if data.is_dir() else None)
        untouched, _ = restored([], release)
        return grader.dependence_of(self._assignment, untouched, "", terms)

    def _grade(self, folder: Path, *options: str) -> None:
        """Run `grade` in a course folder; its progress is shown beside what is printed here.

        Raises:
            CannotRegrade: it was stopped, or the course is not fit to grade with.
        """
        words = [sys.executable, "-m", "autograder", "grade", self._assignment, *options]
        status = subprocess.run(words, cwd=folder, stdout=sys.stderr).returncode
        if status not in (0, 1):  # 1: something needs a person, as it may have before
            raise CannotRegrade("Grading again was stopped.")

    def _records(self, root: Path) -> dict[str, Record]:
        """The records of the graded notebooks in a course's folder, by student."""
        folder = root / self._directory.autograded_directory
        found = {}
        for student in students(folder, self._assignment) if folder.is_dir() else ():
            path = folder / student / self._assignment / f"{self._assignment}.ipynb"
            if path.is_file():
                found[student] = record.read(graded.read(path))
        return found

    def _page(self, student: str) -> Path:
        folder = Path(self._root, self._directory.feedback_directory)
        return folder / student / self._assignment / f"{self._assignment}.html"

    def _remember(self, student: str, before: Record) -> None:
        """Have the grade that stands in the history: from before there was one, it may not be."""
        path = history.path_of(self._root, student, self._assignment)
        known = [grading.depends_on for grading in history.read(path)]
        if before.depends_on is not None and before.depends_on not in known:
            history.add(path, before.cells, before.depends_on)

    def _only(self, whom: Sequence[str]) -> Iterable[list[str]]:
        """nbgrader's options for these students alone, for each time that it is to be run."""
        if not whom:
            return []
        folders = (self._directory.submitted_directory, self._directory.autograded_directory)
        everybody = {
            student
            for folder in folders
            if (self._root / folder).is_dir()
            for student in students(self._root / folder, self._assignment)
        }
        others = sorted(everybody - set(whom))
        excluded = ",".join(filter(None, [self._directory.student_id_exclude, *others]))
        if any("," in student for student in others) or len(excluded) > _LONGEST:
            return [[f"--CourseDirectory.student_id={student}"] for student in whom]
        return [[f"--CourseDirectory.student_id_exclude={excluded}"]]
