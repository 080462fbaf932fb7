"""What is graded before nbgrader comes to it: a line of submissions through a pool.

nbgrader takes one submission after the other; a pool has several under way meanwhile, and puts
down what came of each. When its turn comes, nbgrader's steps find the answer there, and only write
it. They take it for what it is, a guess at what they would do: it counts where it was made from the
very same notebook, files and seed, and otherwise they grade as they would without a pool.
"""

import atexit
import hashlib
import logging
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import nbformat

from autograder.grading import grader, record
from autograder.grading.grader import Graded, Submission, Terms, Whole
from autograder.grading.parallel import AnyPool
from autograder.grading.record import Record
from autograder.grading.spent import Phases
from autograder.pipeline import safe
from autograder.submission.private import PrivateFolder

#: What the outputs of a cell and of a submission may hold, and seconds to make them safe in.
Cleaning = tuple[int, int, int]


@dataclass(frozen=True)
class Ahead:
    """What came of a submission ahead of its turn.

    Attributes:
        whole: the notebook as it was made whole, as text, with its record: what was run.
        origin: tells what else it was made from.
        graded: what came of it.
    """

    whole: str
    origin: str
    graded: Graded

    def is_of(self, whole: Whole) -> bool:
        """Whether this is what grading `whole` would come to."""
        same = self.origin == _origin(whole.seed, whole.digest, whole.files)
        return same and nbformat.v4.reads(self.whole) == whole.notebook  # no need to validate it

    def __deepcopy__(self, memo: object) -> "Ahead":
        """Itself: nbconvert copies all that goes with a notebook before each of its ways."""
        return self


def grade(submission: Submission, terms: Terms, cleaning: Cleaning | None = None) -> Ahead:
    """Do in one go what nbgrader's steps do one by one; called in a worker.

    Args:
        submission: what was handed in.
        terms: for all submissions alike.
        cleaning: the limits of what is made safe; None to leave that to nbgrader's step.

    Raises:
        whatever goes wrong: then nothing is known, and nbgrader's steps are to find out.
    """
    phases = Phases()
    nb, notes, why = grader.made_whole(submission, terms, phases)
    record.write(nb, Record(tuple(notes), why))
    text = grader.text(nb)
    whole = Whole(
        assignment=submission.assignment,
        notebook=nbformat.reads(text, as_version=4),
        seed=submission.seed,
        digest=submission.digest,
        files=submission.files,
    )
    if why:
        graded = grader.ungraded(whole.notebook, why)
    else:
        graded = grader.run(whole, terms, phases=phases)
    if cleaning is not None:
        clean = safe.clean(graded.notebook, *cleaning)
        graded = replace(graded, notebook=clean, safe=True)
    return Ahead(text, _origin(whole.seed, whole.digest, whole.files), graded)


def _origin(seed: str, digest: str, files: bytes) -> str:
    return f"{seed} {digest} {hashlib.sha256(files).hexdigest()}"


class Line:
    """Submissions on their way through a pool, and the answers that wait for nbgrader.

    Args:
        pool: it is closed with the line.
        coming: students in nbgrader's order, each with what was handed in, or with None where
            there is nothing to be graded.
        answered: is told, by the student's name, of each that there is an answer or will be none.
        log: where an instructor reads of what went wrong.

    Answers wait in files: nbgrader may be busy with one submission while hundreds are graded.
    """

    def __init__(
        self,
        pool: AnyPool[Ahead],
        coming: Iterator[tuple[str, Submission | None]],
        answered: Callable[[str, bool], None],
        log: logging.Logger,
    ) -> None:
        self._pool, self._coming, self._answered, self._log = pool, coming, answered, log
        self._folder = PrivateFolder("graded")
        self._students: list[str] = []
        self._answers: dict[str, Path | None] = {}
        self._numbers = count()
        self._ended = False
        self._news = threading.Condition()
        atexit.register(self.close)
        threading.Thread(target=self._run, daemon=True).start()

    def take(self, student: str) -> Ahead | None:
        """The answer for a student, once it is there; None where there will be none."""
        try:
            with self._news:
                self._news.wait_for(lambda: student in self._answers or self._ended)
                path = self._answers.pop(student, None)
        except BaseException:  # an interrupt from the keyboard: now, not later
            self.close()
            raise
        if path is None:
            return None
        answer: Ahead = pickle.loads(path.read_bytes())
        path.unlink()
        return answer

    def close(self) -> None:
        """End the pool, and forget what was not taken; a second time does no harm."""
        self._pool.close()
        with self._news:
            self._ended = True
            self._news.notify_all()
        self._folder.remove()
        atexit.unregister(self.close)  # last: this may be interrupted

    def _run(self) -> None:
        """Feed the pool, and put down its answers; ends with the last one, or with an error."""
        try:
            for place, outcome in self._pool.outcomes(self._submissions()):
                self._put(self._students[place], outcome)
        except Exception as error:
            self._log.warning("What is left is graded one by one: %s", error)
            self._pool.close()  # it would hold cores and memory for nothing
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _submissions(self) -> Iterator[Submission]:
        for student, submission in self._coming:
            if submission is None:
                self._put(student, None)
            else:
                self._students.append(student)
                yield submission

    def _put(self, student: str, outcome: Ahead | Exception | None) -> None:
        path = None
        if isinstance(outcome, Ahead):
            path = self._folder.path / str(next(self._numbers))
            path.write_bytes(pickle.dumps(outcome))
        with self._news:
            self._answers[student] = path
            self._news.notify_all()
        self._answered(student, path is not None)
