"""Runs the wrong solutions of the corpora on fresh inputs, again and again, without a kernel.

    python -m tests.draws ASSIGNMENT TIMES [SHARE]

Each wrong solution (or each SHARE-th) is graded TIMES times with the suites that it loses points
in, each time with inputs of another seed. One line of JSON for each tells what it came to otherwise
than the corpus says, and how often; an empty list where nothing did.
"""

import json
import logging
import os
import signal
import sys
from collections import Counter
from functools import partial
from types import CodeType

import torch
from nbformat import NotebookNode

from autograder import ROOT
from autograder.commands.corpora import Entry, build, load
from autograder.exercise.student import Student
from autograder.grading.session import run
from autograder.kernel.same_process import SameProcess
from tests.confined import confined
from tests.examples import names_of

#: A probe that takes longer is interrupted, as it would be in the student kernel.
PROBE_SECONDS = 20


class Impatient(SameProcess):
    """Interrupts a probe that takes too long, as the grader would."""

    def probe(self, code: CodeType, inputs: bytes, watch: bool) -> str:
        signal.setitimer(signal.ITIMER_REAL, PROBE_SECONDS)
        try:
            return super().probe(code, inputs, watch)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def strays(entry: Entry, times: int) -> list[str]:
    """What a wrong solution comes to otherwise than it should, on inputs of so many seeds."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    nb = build(entry)
    order = sorted({name.partition(".")[0] for name in entry.loses})
    student = _student(nb, order)
    found: Counter[str] = Counter()
    for turn in range(1 if order == ["test_model"] else times):
        came = _otherwise(entry, order, student, turn)
        if came and turn:  # what its classes keep from earlier turns is no verdict
            student = _student(nb, order)
            came = _otherwise(entry, order, student, turn)
        found.update(came)
    return [f"{count} of {times} times {what}" for what, count in found.items()]


def _student(nb: NotebookNode, order: list[str]) -> Student:
    kernel = Impatient(nb)
    # The functions' own, so that a probe may put something in their place.
    kernel.names = names_of(nb, trained="test_model" in order)
    return Student(kernel, tuple(cell.source for cell in nb.cells if cell.cell_type == "code"))


def _otherwise(entry: Entry, order: list[str], student: Student, turn: int) -> list[str]:
    """In what one turn comes to something else than the corpus says."""
    log = logging.getLogger(__name__)
    results = run(entry.assignment, order, lambda _: None, student, f"{turn:032x}", log)
    found = []
    for name, test in (
        (f"{cell.grade_id}.{test.id}", test) for cell in results.values() for test in cell.tests
    ):
        wanted = entry.loses.get(name)
        came = test.misconception or "" if test.earned < test.points else None
        if came is not None and not entry.may_earn(name, test.earned):
            found.append(f"{name}: earns {test.earned}")
        if came != wanted:
            found.append(f"{name}: {_told(came)}, not {_told(wanted)}")
    return found


def _told(verdict: str | None) -> str:
    return "passes" if verdict is None else f"[{verdict}]" if verdict else "fails without a name"


def main() -> None:
    assignment, times, share = sys.argv[1], int(sys.argv[2]), int((*sys.argv, "1")[3])
    torch.set_num_threads(1)  # a forked process has no other threads
    os.environ |= {"COURSE_DATA": str(ROOT / "course_data"), "MPLBACKEND": "agg"}
    import matplotlib.pyplot
    import torchvision  # noqa: F401  so that no process has to import it anew

    matplotlib.pyplot.close()
    logging.disable()
    for entry in [entry for entry in load(assignment) if entry.loses][::share]:
        came = confined(partial(strays, entry, times), 120 + 5 * times, 600)
        ended = came if came is not None else ["It came to no end."]
        print(json.dumps({"entry": entry.name, "strays": ended}), flush=True)


if __name__ == "__main__":
    main()
