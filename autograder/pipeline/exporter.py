"""Where nbgrader meets a submission first: the exporter that reads its file.

Its constructor runs before any submission is touched: there the course is checked, nbgrader is
given clean copies to work on instead of what was handed in, and a pool begins to grade them ahead
of their turns.
"""

import glob
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import find_all_files, rmtree
from traitlets import Integer

from autograder.errors import AutograderError
from autograder.grading import course, dependence, grader, heap, record
from autograder.grading.course import CourseError
from autograder.grading.dependence import Dependence
from autograder.grading.grader import Graded, Submission
from autograder.grading.parallel import AnyPool
from autograder.grading.record import Record
from autograder.grading.report import SUMMARY_ID
from autograder.grading.worker import BudgetSpent, why_not, worker
from autograder.language import Sentence, Text
from autograder.pipeline import gradebook
from autograder.pipeline.ahead import Ahead, Cleaning, Line
from autograder.pipeline.dialog import keep_short
from autograder.pipeline.events import Progress
from autograder.pipeline.grade import GradeNotebook
from autograder.pipeline.safe import SafeNotebook
from autograder.pipeline.settings import gathered, limit
from autograder.pipeline.trouble import Trouble, Turn, advice, refuse
from autograder.submission.cells import grade_cells
from autograder.submission.intake import Intake, Taken, students
from autograder.submission.limits import IntakeLimits, ReadLimits
from autograder.submission.read import NotANotebook, read_file
from autograder.submission.rebuild import restored
from autograder.suites import datasets
from autograder.text import PlainLog, escaped

#: No student's name: it comes after all of them in nbgrader's order, and is left out of the run.
LAST = "\U0010ffff"


class SubmissionExporter(NotebookExporter):
    """Reads submissions for `nbgrader autograde`; refuses the run where the course is not fit.

    Raises:
        NbGraderException: on construction, when the assignment cannot be graded at all; nbgrader
            ends with status 1, and the log says in lines what to do.
    """

    notebook_file_bytes = limit(IntakeLimits, "notebook_file_bytes")
    files = limit(IntakeLimits, "files")
    folder_bytes = limit(IntakeLimits, "folder_bytes")
    depth = limit(IntakeLimits, "depth")
    entries = limit(IntakeLimits, "entries")
    path_bytes = limit(IntakeLimits, "path_bytes")
    notebook_bytes = limit(ReadLimits, "notebook_bytes")
    cells = limit(ReadLimits, "cells")
    source_length = limit(ReadLimits, "source_length")
    values = limit(ReadLimits, "values")
    progress = Integer(
        -1, help="The descriptor of a pipe that is told what happens, a line of JSON each."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ungraded: list[str] = []
        self._line: Line | None = None
        self._ahead: Ahead | None = None
        self._now = ""
        self._saved: tuple[Path, dict[str, Any]] | None = None
        self._own_worker = False
        if self.parent is None or not hasattr(self.parent, "coursedir"):
            return
        if not any(isinstance(each, PlainLog) for each in self.log.filters):
            self.log.addFilter(PlainLog())
        self._converter: Any = self.parent
        keep_short(self._converter)
        self._directory = self._converter.coursedir
        self._assignment = self._directory.assignment_id
        self._progress = Progress(self.progress)
        heap.give_back_large_pieces()
        dependence.look_again()  # the formgrader's process lives on from run to run
        self._trouble = Trouble(self.log, self._ends)
        pool: AnyPool[Ahead] | None = None
        try:
            self._step = GradeNotebook(parent=self)
            if not self._directory.directory_structure.startswith("{nbgrader_step}" + os.sep):
                raise CourseError("`directory_structure` must be the one that nbgrader begins with")
            self._submitted = Path(self._directory.root, self._directory.submitted_directory)
            excluded = self._directory.student_id_exclude.split(",")
            handed_in = [
                student
                for student in students(
                    self._submitted, self._assignment, self._directory.student_id
                )
                if student not in excluded  # another process may be grading it right now
            ]
            self._step.seed_of(self._assignment, "", "")  # the secret is there, or is made now
            if workers := self._workers(len(handed_in)):
                pool = self._step.pool(self._assignment, workers, self._cleaning())
            self._release = gradebook.released(self._directory.db_url, self._assignment)
            if pool is not None:
                suites = self._step.suites(pool, self._assignment)
            else:
                suites = self._step.prepare(self._assignment)
            course.check(
                self._assignment,
                self._release.points,
                suites,
                datasets(self._assignment),
                self._step.data_folder(),
            )
            self._take_over(handed_in)
        except BaseException as error:
            why = advice(error)
            lines = [why] if why else str(error).splitlines()
            for line in lines:
                self.log.error(line)
            if isinstance(error, Exception):
                self._progress.tell("refused", why=lines or [type(error).__name__])
            if pool is not None:
                pool.close()
            if why or isinstance(error, AutograderError):
                raise NbGraderException("\n".join(lines)) from error
            raise
        self._progress.tell("begun", students=len(handed_in), workers=workers or 1)
        if pool is not None:
            self._line = Line(pool, self._coming(), self._answered, self.log)

    def _workers(self, students: int) -> int:
        """How many submissions are graded ahead of their turns at a time; 0 for none."""
        workers = min(self._step.workers, students)
        # One worker is ahead, too: nbgrader writes one while it grades the next.
        at_once = students > 1 or bool(self._step.scheduler)
        return workers if at_once and self._directory.notebook_id == "*" else 0

    def _cleaning(self) -> Cleaning | None:
        """The limits that `SafeNotebook` has, where nothing comes between it and `GradeNotebook`.

        What does is to see what it would see without a pool.
        """
        steps = [
            getattr(step, "__name__", step) for step in self._converter.autograde_preprocessors
        ]
        names = [str(step).rpartition(".")[2] for step in steps]
        if any(pair == (GradeNotebook.__name__, SafeNotebook.__name__) for pair in pairwise(names)):
            return SafeNotebook(parent=self).budget()
        return None

    # ------------------------------------------------------------------ before anything is graded

    def _take_over(self, handed_in: list[str]) -> None:
        """Replace what nbgrader has found by what is there, and its folder by the clean copies."""
        self._taken: Taken | None = None
        self._ignore = self._directory.ignore
        self._intake = self._new_intake()
        # Of this converter alone: the formgrader has one of them for all that it does.
        names = CourseDirectory.class_trait_names(config=True)
        values = {name: getattr(self._directory, name) for name in names}
        values["submitted_directory"] = str(self._intake.folder)
        excluded = self._directory.student_id_exclude.split(",")
        values["student_id_exclude"] = ",".join([*filter(None, excluded), LAST])
        turns: dict[str, Turn] = {}
        self._students: list[str] = []
        for student in handed_in:
            if why := self._intake.why_not(student):
                self._withdraw(student)
                self._ungraded.append(f"{escaped(student)}: {why}")
                self._fail(student, why)
            else:
                turns[str(self._intake.path(student))] = self._turn(partial(self._begin, student))
                self._students.append(student)
        turns[str(self._intake.path(LAST))] = self._turn(self._end)
        self._directory = CourseDirectory(parent=self._directory.parent, **values)
        self._converter.coursedir = self._directory
        self._converter.assignments = turns

    def _turn(self, begin: Callable[[], list[str]]) -> Turn:
        """A turn that ends the run where the machine has refused something.

        Raises:
            NbGraderException: in its turn; nbgrader ends with status 1.
        """

        def begun() -> list[str]:
            try:
                self._look_back()
                return begin()
            except Exception as error:
                if not (refused := refuse(self.log, error)):
                    raise
                self._ends(str(refused))
                raise refused from None

        return Turn(begun)

    def _ends(self, why: str) -> None:
        """Tell why nothing more is graded, and leave nothing running or lying about."""
        if self._line is not None:
            self._line.close()
        self._intake.close()
        self._progress.tell("refused", why=[why])

    def _new_intake(self) -> Intake:
        return Intake(
            self._submitted,
            self._assignment,
            self._ignore,
            source=self._source_folder(),
            limits=gathered(self, IntakeLimits),
        )

    def _source_folder(self) -> Path:
        folder = self._directory.source_directory
        return Path(self._directory.format_path(folder, ".", self._assignment))

    def _begin(self, student: str) -> list[str]:
        """Take a submission in; nbgrader finds its notebook in the clean copy."""
        self._taken = taken = self._intake.take(student)
        # nbgrader's own way to leave it out of what it copies fails at names like `[a]`.
        self._directory.ignore = [*self._ignore, glob.escape(str(taken.notebook))]
        done = self._graded_folder(student)
        why = self._why_grade(student, taken)
        if why is None:
            self._progress.tell("skipped", student=student)
            return [str(taken.notebook)]
        self._now = student
        if self._line is None:
            self._progress.tell("under_way", student=student)
        if done.is_dir() and not self._converter.force:
            if why:
                self.log.warning("Grading of %s %s; it is graded again", student, why)
            rmtree(str(done))
        return [str(taken.notebook)]

    def _look_back(self) -> None:
        """Tell what came of the submission before.

        Only now has nbgrader written it; where it met an error, or was interrupted, it has taken
        away again what there was.

        Raises:
            NbGraderException: the machine refused something: others would meet the same.
        """
        now, saved, self._now, self._saved = self._now, self._saved, "", None
        if saved is not None and saved[0].exists():
            self._progress.tell("saved", **saved[1])
        elif self._trouble.why:
            raise NbGraderException(self._trouble.why)
        elif now:
            self._fail(now, "nbgrader met an error, which its log tells")

    def _fail(self, student: str, why: str) -> None:
        self._progress.tell("failed", student=escaped(student), why=[why])

    def _end(self) -> list[str]:
        """Say what could not be graded.

        Raises:
            NbGraderException: something could not be; nbgrader ends with status 1.
        """
        if self._line is not None:
            self._line.close()
        self._intake.close()
        for line in self._ungraded:
            self.log.error("Could not be graded: %s", line)
        if self._ungraded:
            raise NbGraderException(f"{len(self._ungraded)} could not be graded (see above)")
        return []

    def _withdraw(self, student: str) -> None:
        """Take back what an earlier grading came to: nothing stands for what cannot be read."""
        for step in (self._directory.autograded_directory, self._directory.feedback_directory):
            folder = Path(self._directory.format_path(step, student, self._assignment))
            if folder.is_dir():
                rmtree(str(folder))
        gradebook.withdraw(self._directory.db_url, self._assignment, escaped(student))

    def _why_grade(self, student: str, taken: Taken) -> str | None:
        """Why this run will grade a submission, by nbgrader's rules and ours; None if it will not.

        An empty text where that needs no word: it is new, asked for, or cannot be read.
        """
        if not self._graded_folder(student).is_dir() or self._converter.force:
            return ""
        why = self._why_again(student, taken)
        return why if why or taken.ungraded else None

    def _why_again(self, student: str, taken: Taken) -> str:
        """Why a graded submission is graded again: its results do not stand, or not any more."""
        notebooks = list(self._graded_folder(student).glob("*.ipynb"))
        records = [record for path in notebooks if (record := _finished(path)) is not None]
        if not records or len(records) < len(notebooks):
            return "" if taken.ungraded else "had been cut off"
        seed = self._step.seed_of(self._assignment, student, taken.digest)
        now = {**vars(self._depends_on), "submission": taken.digest, "seed": seed}
        for each in records:
            before = vars(each.depends_on) if each.depends_on else {}
            seeds = {cell.seed for cell in each.cells}
            before = {**before, "seed": seeds.pop() if len(seeds) == 1 else ""}
            changed = [name for name in now if now[name] != before.get(name)]
            if changed:
                return f"depended on other {', '.join(changed)}"
        return ""

    @cached_property
    def _depends_on(self) -> Dependence:
        """What results follow from that are made now, but for the submission."""
        untouched, _ = restored([], self._release)
        return grader.dependence_of(self._assignment, untouched, "", self._step.terms())

    def _graded_folder(self, student: str) -> Path:
        return Path(
            self._directory.format_path(
                self._directory.autograded_directory, student, self._assignment
            )
        )

    # -------------------------------------------------------------- before nbgrader comes to them

    def _coming(self) -> Iterator[tuple[str, Submission | None]]:
        """All that this run will grade, in nbgrader's order; runs in the line's thread."""
        intake = self._new_intake()
        try:
            for student in sorted(self._students, key=lambda each: str(intake.path(each))):
                taken = intake.take(student)
                coming = None
                if self._why_grade(student, taken) is not None:
                    coming = self._submission(intake, student, taken)
                    with suppress(KeyboardInterrupt):  # nbgrader's thread will meet it, too
                        self._progress.tell("under_way", student=student)
                yield student, coming
        finally:
            intake.close()

    def _submission(self, intake: Intake, student: str, taken: Taken) -> Submission | None:
        """What nbgrader's steps would make of a submission's folder; None where nobody can say."""
        folder = taken.notebook.parent
        try:
            notebook = taken.notebook.read_bytes()
            self._lay_over(folder)
            return Submission(
                assignment=self._assignment,
                notebook=notebook,
                release=self._release,
                seed=self._step.seed_of(self._assignment, student, taken.digest),
                files=self._step.files(intake.for_kernel(folder), self._assignment),
                notes=taken.notes,
                ungraded=taken.ungraded,
                taken=taken.digest,
            )
        except Exception as error:
            self.log.debug("%s cannot be graded ahead: %s", student, error)
            return None

    def _lay_over(self, folder: Path) -> None:
        """Put the instructor's files over a student's, as nbgrader does."""
        source = self._source_folder()
        kept = self._converter.exclude_overwriting.get(self._assignment, ())
        for name in find_all_files(str(source), [*self._ignore, "*.ipynb"]):
            place = Path(name).relative_to(source)
            if str(place) not in kept:
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copy(name, target)

    def _answered(self, student: str, there: bool) -> None:
        """An answer has come, or there will be none; runs in the line's thread."""
        if there:
            with suppress(KeyboardInterrupt):  # nbgrader's thread will meet it, too
                self._progress.tell("answered", student=student)

    # ------------------------------------------------------------------------------ one submission

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Read a notebook: strictly where a student made it, plainly where nbgrader did.

        A file that is no notebook becomes an empty one, and a reason why it could not be graded.
        """
        path = Path(filename)
        if resources is None or self._taken is None:
            return super().from_filename(filename, resources, **kwargs)
        told = resources["nbgrader"]
        told["digest"] = self._taken.digest
        if path != self._taken.notebook:
            nb = nbformat.read(path, as_version=4)
            folder = self._intake.for_kernel(path.parent)
        else:
            folder = path.parent
            self._ahead = self._from_line(told["student"])
            if self._ahead is not None:
                nb = nbformat.reads(self._ahead.whole, as_version=4)
            else:
                told["release"] = self._release
                nb, told["notes"], told["ungraded"] = self._read(self._taken)
        if self._ahead is not None:
            told["ahead"] = self._ahead
        resources["metadata"] = {"name": path.stem, "path": str(folder)}
        text, resources = self.from_notebook_node(nb, resources, **kwargs)
        if path != self._taken.notebook:
            self._note(path, resources["nbgrader"])
        return text, resources

    def _note(self, path: Path, told: dict[str, Any]) -> None:
        """Note what is in the gradebook now, and what is left to a person."""
        student, why = told["student"], [str(each) for each in told.get("ungraded", ())]
        self._ungraded += [f"{student}: {each}" for each in why]
        graded: Graded | None = told.pop("graded", None)
        if graded is not None:
            tests = graded.tests.values()
            self._saved = (
                path,
                {
                    "student": student,
                    "score": sum(cell.earned for cell in graded.results.values()),
                    "max_score": sum(self._release.points.values()),
                    "seconds": round(graded.seconds, 3),
                    "misconceptions": [each.misconception for each in tests if each.misconception],
                    "why": why,
                },
            )
        else:
            self._now = ""

    def _from_line(self, student: str) -> Ahead | None:
        """What was graded ahead; where nothing was, this process's own worker is made ready."""
        if self._line is None:
            return None
        found = self._line.take(student)
        if found is None and not self._own_worker:
            self._step.prepare(self._assignment)
            self._own_worker = True
        return found

    def _read(self, taken: Taken) -> tuple[Any, list[Text], Sentence]:
        """The notebook, what is to be noted about it, and why it could not be graded, if so."""
        notes, why = list(taken.notes), taken.ungraded
        if not why:
            try:
                nb, more = worker.call(
                    read_file, taken.notebook, gathered(self, ReadLimits), log=self.log
                )
                return nb, [*notes, *more], ""
            except NotANotebook as error:
                why = Text("the file `{name}` {why}", name=taken.notebook.name, why=error.text)
            except BudgetSpent as error:
                name = taken.notebook.name
                why = Text("the file `{name}` cannot be read: {why}", name=name, why=error.text)
            except Exception as error:
                why = why_not(error, self.log, f"Reading {taken.notebook}")
        return nbformat.v4.new_notebook(), notes, why


def _finished(path: Path) -> Record | None:
    """The record of a graded notebook; None where results are missing that are written last."""
    try:
        nb = nbformat.from_dict(json.loads(path.read_bytes()))  # our own: nothing to be validated
        written = any(cell.get("id") == SUMMARY_ID for cell in nb.cells)
        shown = all(record.is_graded(nb.cells[place]) for place in grade_cells(nb).values())
        kept = record.read(nb)
        return kept if written and shown and not kept.ungraded else None
    except Exception:
        return None
