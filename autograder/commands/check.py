"""Grades one notebook on the spot: nothing is written, and the gradebook is not even opened.

Where the service is up (`python -m autograder serve`), a worker of its does all of it, and this
process imports little; otherwise it is done from here, in a worker of its own.
"""

import logging
import sys
from argparse import Namespace
from dataclasses import dataclass
from multiprocessing.connection import Connection

from autograder.errors import AutograderError
from autograder.grading import lent
from autograder.grading.worker import Budget, BudgetSpent, Process, Worker

#: The exit status of what could not be graded.
UNGRADED = 2

_LOG = logging.getLogger(__name__)


class NotUp(AutograderError):
    """There is no service that would do."""


@dataclass(frozen=True)
class Said:
    """What a check came to: what is printed for people and programs, and the exit status.

    Attributes:
        status: 0 at full marks, 1 below, 2 where it could not be graded.
    """

    status: int
    out: str = ""
    errors: str = ""


def main(arguments: Namespace) -> int:
    """Grade a notebook; 0 at full marks, 1 below, 2 where it could not be graded."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    notebook = sys.stdin.buffer.read() if arguments.notebook == "-" else b""
    try:
        said = _lent(arguments, notebook)
    except (NotUp, BudgetSpent):  # what needs too much is told by who can say it
        said = _alone(arguments, notebook)
    print(said.errors, end="", file=sys.stderr)
    print(said.out, end="")
    return said.status


def _lent(arguments: Namespace, notebook: bytes) -> Said:
    """What a worker of the service's says.

    Raises:
        NotUp: there is none.
        BudgetSpent: it died of it, or ended on the way.
    """
    worker = Worker(_refused, lent.borrow)
    try:
        worker.prepare(log=_LOG)
        worker.budget = worker.call(_budget, log=_LOG)
        return worker.call(_check, arguments, notebook, log=_LOG)
    finally:
        worker.close()


def _alone(arguments: Namespace, notebook: bytes) -> Said:
    """What a worker of our own says, which begins before all else."""
    from autograder.grading import early

    early.begin()
    return _check(arguments, notebook)


def _refused(theirs: Connection) -> Process:
    raise NotUp("no service is up")


# Imported where they are called: it takes a second.


def _budget() -> Budget:
    from autograder.commands import on_the_spot

    return on_the_spot.budget()


def _check(arguments: Namespace, notebook: bytes) -> Said:
    from autograder.commands import on_the_spot

    return on_the_spot.check(arguments, notebook)
