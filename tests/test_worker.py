"""The worker ends what needs too much, says why, and is there again for the next call."""

import faulthandler
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_core.utils import ensure_event_loop, run_sync

from autograder import ROOT
from autograder.grading.worker import Budget, BudgetSpent, Worker

LOG = logging.getLogger("tests.worker")


class Odd(Exception):
    """An error that pickle cannot make again: it wants two arguments, and gives one."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def pid() -> int:
    return os.getpid()


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def sums() -> None:
    while True:
        sum(range(1000))


def takes(size: int) -> int:
    return len(bytearray(size))


def is_odd() -> None:
    raise Odd("one", "two")


def fails() -> None:
    raise ValueError("these words")


def ends(how: int) -> None:
    faulthandler.disable()
    os.kill(os.getpid(), how)


def says(text: str) -> None:
    logging.getLogger("autograder.anywhere").warning(text)


def limits() -> dict[int, tuple[int, int]]:
    return {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_DATA)}


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other processes find the functions above."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    made.budget = Budget(seconds=60, processor_seconds=1, memory_bytes=2**28)
    made.prepare((pid, ()), log=LOG)
    yield made
    made.close()


def test_calls_are_answered_by_one_other_process(worker: Worker) -> None:
    first = worker.call(pid, log=LOG)
    assert first != os.getpid()
    assert worker.call(pid, log=LOG) == first


def test_an_error_is_raised_here_with_its_words(worker: Worker) -> None:
    with pytest.raises(ValueError, match="these words") as caught:
        worker.call(fails, log=LOG)
    assert "in fails" in "".join(caught.value.__notes__)
    with pytest.raises(RuntimeError, match="Odd: one"):
        worker.call(is_odd, log=LOG)


def test_what_is_logged_there_is_logged_here(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.call(says, "100 % of it", log=LOG)
    assert caplog.messages == ["100 % of it"]


def test_processor_time_ends_a_call_and_the_next_one_gets_a_new_process(worker: Worker) -> None:
    before = worker.call(pid, log=LOG)
    with pytest.raises(BudgetSpent, match="more than 1 s of the grader's time"):
        worker.call(sums, log=LOG)
    assert worker.call(pid, log=LOG) != before


def test_the_clock_ends_a_call_that_waits(worker: Worker) -> None:
    with pytest.raises(BudgetSpent, match="longer than 1 s"):
        worker.call(time.sleep, 1000, log=LOG, seconds=1)


def test_memory_ends_a_call(worker: Worker) -> None:
    assert worker.call(takes, 2**26, log=LOG) == 2**26
    with pytest.raises(BudgetSpent, match="more than 256 MiB of the grader's memory"):
        worker.call(takes, 2**29, log=LOG)


@pytest.mark.parametrize(("how", "says"), [(signal.SIGABRT, "memory"), (signal.SIGSEGV, "died")])
def test_a_process_that_dies_is_told_from_one_that_answers(
    worker: Worker, how: int, says: str
) -> None:
    with pytest.raises(BudgetSpent, match=says):
        worker.call(ends, how, log=LOG)
    assert worker.call(takes, 1, log=LOG) == 1


def test_what_a_worker_begins_with_is_done_again_in_a_new_one(worker: Worker) -> None:
    worker.prepare((os.putenv, ("BEGUN", "yes")), (pid, ()), log=LOG)
    with pytest.raises(BudgetSpent):
        worker.call(ends, signal.SIGKILL, log=LOG)
    assert worker.call(subprocess.getoutput, "echo $BEGUN", log=LOG) == "yes"


def test_a_process_ends_where_what_it_has_read_is_not_what_it_was(worker: Worker) -> None:
    (first,) = worker.prepare((pid, ()), log=LOG, made_of={"code": "one"})
    assert worker.prepare((pid, ()), log=LOG, made_of={"code": "one", "data": "one"}) == [first]
    assert worker.prepare((pid, ()), log=LOG, made_of={"code": "one"}) == [first]
    (second,) = worker.prepare((pid, ()), log=LOG, made_of={"code": "one", "data": "two"})
    assert second != first
    (third,) = worker.prepare((pid, ()), log=LOG, made_of={"code": "two"})
    assert third != second


def test_a_process_that_is_asked_to_end_does_its_work_again(worker: Worker) -> None:
    first = worker.call(pid, log=LOG)
    threading.Timer(0.5, os.kill, [first, signal.SIGTERM]).start()
    assert worker.call(pid_after, 1.0, log=LOG) != first


def test_what_is_begun_early_is_done_first_and_nobody_hears_of_it() -> None:
    worker = Worker()
    worker.begin((os.putenv, ("EARLY", "yes")), (fails, ()), (says, ("early",)))
    assert worker.prepare((pid, ()), log=LOG) == [worker.call(pid, log=LOG)]
    assert worker.call(subprocess.getoutput, "echo $EARLY", log=LOG) == "yes"
    worker.close()


def test_limits_are_the_calls_and_leave_the_hard_ones(worker: Worker) -> None:
    for soft, hard in worker.call(limits, log=LOG).values():
        assert soft > 0
        assert hard == resource.RLIM_INFINITY


def test_nothing_is_left_where_nbgraders_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import logging, time; from autograder.grading.worker import Worker\n"
        "from tests import test_worker\n"
        "made = Worker(); log = logging.getLogger()\n"
        "print(made.prepare((test_worker.pid, ()), log=log)[0], flush=True)\n"
        "made.call(time.sleep, 1000, log=log)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    other = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    other.wait(20)
    assert not other.is_running()


async def nothing() -> str:
    return "nothing"


def waits() -> str:
    """What a kernel's manager does at each of its steps."""
    return run_sync(nothing)()


def test_a_server_that_waits_for_it_lends_it_no_loop() -> None:
    async def serve() -> str:
        worker = Worker()
        try:
            return worker.call(waits, log=LOG)
        finally:
            worker.close()

    loop = ensure_event_loop()  # as a Jupyter server gets its loop
    assert loop.run_until_complete(serve()) == "nothing"
