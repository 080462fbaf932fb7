"""Grades many submissions, several at once: each worker has one after the other.

A worker that a submission has worn down is replaced, and that submission could not be graded; the
others are as if it had not been there.
"""

import logging
import queue
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from autograder.grading import grader
from autograder.grading.grader import Graded, Submission, Terms
from autograder.grading.worker import Worker, why_not
from autograder.submission.rebuild import restored


class Pool:
    """Workers that are ready to grade; to be used as a context.

    Args:
        assignments: all that will be graded.
        terms: for all submissions alike.
        jobs: how many workers; each needs a core, and 2 GB of memory beside submissions'.
        log: where an instructor reads of what went wrong.

    They are started at once, and waited for where they are first needed.
    """

    def __init__(
        self, assignments: Sequence[str], terms: Terms, jobs: int, log: logging.Logger
    ) -> None:
        self._terms, self._log = terms, log
        self._free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._workers = [Worker() for _ in range(jobs)]
        for worker in self._workers:
            worker.begin()  # before there are threads: so each can be a fork of this process
        self._threads = ThreadPoolExecutor(jobs)
        self._starts = [
            self._threads.submit(self._prepare, worker, assignments) for worker in self._workers
        ]

    def _prepare(self, worker: Worker, assignments: Sequence[str]) -> dict[str, dict[str, int]]:
        suites = grader.prepare_worker(worker, assignments, self._terms, self._log)
        self._free.put(worker)
        return suites

    @property
    def suites(self) -> dict[str, dict[str, int]]:
        """The points of each suite, by assignment and grade cell.

        Raises:
            SandboxUnavailable, SuiteError: nothing can be graded.
        """
        first, *_ = [start.result() for start in self._starts]
        return first

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Graded]:
        """What came of each submission, in their order, as soon as it is there.

        Raises:
            SandboxUnavailable, SuiteError: nothing can be graded.
        """
        assert self.suites  # all have started, or told why not
        yield from self._threads.map(self._grade, submissions)

    def _grade(self, submission: Submission) -> Graded:
        worker = self._free.get()
        try:
            return worker.call(grader.grade, submission, self._terms, log=self._log)
        except Exception as error:  # whatever it was: the grader's fault, and no student's
            why = why_not(error, self._log, f"Grading a submission of {submission.assignment}")
            nb, _ = restored([], submission.release)
            return grader.ungraded(nb, why, submission.notes)
        finally:
            self._free.put(worker)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()
