"""A worker that is begun before anybody asks for it: while a command still imports what it needs.

Most of a start is two processes that import torch: a worker, and the template of its kernels. They
need nothing of nbgrader's, which takes a second to import; so where a command is ours from its
first line on, they begin before that.
"""

import atexit
from pathlib import Path

from autograder import sandbox
from autograder.grading import grader, lent
from autograder.grading.worker import Worker

_begun: list[Worker] = []


def begin() -> None:
    """Begin one in this process, which has imported next to nothing.

    The course's data is guessed to be where a course has it that says nothing else: if it is not,
    the template is started in vain, and another one in its turn.
    """
    data = Path("course_data").absolute()
    worker = Worker(borrow=lent.borrow)
    worker.begin(
        (sandbox.warm_up, (data if data.is_dir() else None,)),
        (grader.import_torch, ()),
    )
    atexit.register(_end, worker)
    _begun.append(worker)


def _end(worker: Worker) -> None:
    """End it at once: it may still be importing, for work that has turned out not to be there."""
    worker.end()
    worker.close()


def first() -> Worker:
    """The one that was begun, which has one owner only; or else a new one."""
    return _begun.pop() if _begun else Worker(borrow=lent.borrow)
