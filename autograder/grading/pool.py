"""This machine's processes as a pool: each worker has one submission after the other.

A worker that a submission has worn down is replaced, and that submission has no answer; the others
are as if it had not been there.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

from autograder.errors import AutograderError
from autograder.grading import early, grader
from autograder.grading.grader import Graded, Submission, Terms
from autograder.grading.nursery import Nursery
from autograder.grading.parallel import cores, verdicts
from autograder.grading.worker import Budget, BudgetSpent, Worker

Answer = TypeVar("Answer")

#: Submissions under way for each worker: one that it has, and the next.
WINDOW = 2
#: How often busy workers are ended, and seconds for each thread to see that: it may just then have
#: begun another one.
_TRIES, _PATIENCE = 5, 2.0

_Answers = queue.SimpleQueue[tuple[int, Answer | Exception]]
_Task = tuple[int, Submission, _Answers[Answer]]


class Closed(AutograderError):
    """The pool was closed before the submission's turn had come."""


class WorkerPool(Generic[Answer]):
    """Workers that are ready to grade.

    Args:
        work: what is done with a submission: a function of a module, called in a worker.
        assignments: all that will be graded.
        terms: for all submissions alike.
        jobs: how many workers; each needs a core, and 2 GB of memory beside submissions'.
        log: where an instructor reads of what went wrong.
        budget: what a submission may use of a worker.

    They are started at once, and waited for where they are first needed.
    """

    def __init__(
        self,
        work: Callable[[Submission, Terms], Answer],
        assignments: Sequence[str],
        terms: Terms,
        jobs: int,
        log: logging.Logger,
        budget: Budget | None = None,
    ) -> None:
        self._work, self._terms, self._log = work, terms, log
        # The first one may be warm by now, or a warm one of the service's.
        self._first, self._nursery = early.first(), Nursery()
        others = (Worker(borrow=self._nursery.borrow) for _ in range(jobs - 1))
        self._workers = [self._first, *others]
        self._tasks: queue.SimpleQueue[_Task[Answer] | None] = queue.SimpleQueue()
        # Starting one anew keeps two cores busy: torch is imported in it and in its template.
        self._starting = threading.Semaphore(max(1, cores() // 2))
        self._busy: set[Worker] = set()
        self._closed = False
        for worker in self._workers:
            worker.budget = budget or worker.budget
        self._first.begin()  # before there are threads: so it can be a fork of this process
        self._starts: list[Future[dict[str, dict[str, int]]]] = [Future() for _ in self._workers]
        self._threads = [
            # Nobody waits for them at the end: a worker's last call may take minutes.
            threading.Thread(target=self._serve, args=(*each, tuple(assignments)), daemon=True)
            for each in zip(self._workers, self._starts, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def suites(self) -> dict[str, dict[str, int]]:
        """The points of each suite, by assignment and grade cell.

        Raises:
            SandboxUnavailable, SuiteError: nothing can be graded.
        """
        for start in as_completed(self._starts):
            if start.exception() is None:
                return start.result()
        return self._starts[0].result()  # none could be started: this one says why

    def outcomes(
        self, submissions: Iterable[Submission]
    ) -> Iterator[tuple[int, Answer | Exception]]:
        """What came of each submission; see `autograder.grading.parallel.AnyPool`."""
        assert self.suites  # all have started, or told why not
        answers: _Answers[Answer] = queue.SimpleQueue()
        coming, under_way = enumerate(submissions), 0
        while True:
            while under_way < WINDOW * len(self._workers) and (task := next(coming, None)):
                self._tasks.put((*task, answers))
                under_way += 1
            if not under_way:
                return
            yield answers.get()
            under_way -= 1

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        self._closed = True
        for _ in self._threads:
            self._tasks.put(None)
        for _ in range(_TRIES):
            for worker in list(self._busy):
                worker.end()
            for thread in self._threads:
                thread.join(_PATIENCE)
        self._nursery.close()

    def _serve(
        self,
        worker: Worker,
        start: "Future[dict[str, dict[str, int]]]",
        assignments: Sequence[str],
    ) -> None:
        """Give a worker its submissions, one after the other."""
        prepare = partial(grader.prepare_worker, worker, assignments, self._terms, self._log)
        self._busy.add(worker)
        try:
            if worker is not self._first:
                self._nursery.wait()
            with self._starting:
                if self._closed:
                    raise Closed
                try:
                    suites = prepare()
                except BudgetSpent:  # somebody has ended it: a new one may do
                    suites = prepare()
                if worker is self._first and len(self._workers) > 1:
                    self._nursery.begin(worker)
                    prepare()
        except Exception as error:
            worker.close()
            start.set_exception(error)
            return
        finally:
            if worker is self._first:
                self._nursery.settle()
        self._busy.discard(worker)
        start.set_result(suites)
        while task := self._tasks.get():
            place, submission, answers = task
            answers.put((place, self._outcome(worker, submission)))
        worker.close()

    def _outcome(self, worker: Worker, submission: Submission) -> Answer | Exception:
        self._busy.add(worker)
        try:
            if self._closed:
                return Closed()
            return worker.call(self._work, submission, self._terms, log=self._log)
        except Exception as error:
            return error
        finally:
            self._busy.discard(worker)


class Pool(WorkerPool[Graded]):
    """Workers that are ready to grade; to be used as a context."""

    def __init__(
        self, assignments: Sequence[str], terms: Terms, jobs: int, log: logging.Logger
    ) -> None:
        super().__init__(grader.grade, assignments, terms, jobs, log)

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Graded]:
        """What came of each submission, in their order; see `autograder.grading.parallel`.

        Raises:
            SandboxUnavailable, SuiteError: nothing can be graded.
        """
        return verdicts(self, submissions, self._log)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()
