"""Does work with wrong solutions in a process of its own: they may loop, or ask for all memory."""

import contextlib
import json
import os
import resource
import select
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

BYTES = 4 * 2**30


def confined(work: Callable[[], T], cpu_seconds: int, seconds: float) -> T | None:
    """What `work` returns, as far as JSON can tell it; None where it comes to no end.

    Args:
        work: is called in a forked process, in an empty folder.
        cpu_seconds: the processor time that it may take.
        seconds: the time that it may take.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            answer = _alone(work, cpu_seconds)
            with os.fdopen(writing, "w") as pipe:
                json.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    received = b"".join(_until(reading, time.monotonic() + seconds))
    os.close(reading)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(received) if received else None


def _alone(work: Callable[[], T], cpu_seconds: int) -> T:
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        answer = work()
        os.chdir("/")
    return answer


def _until(reading: int, deadline: float) -> Iterator[bytes]:
    while select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
        data = os.read(reading, 2**20)
        if not data:
            return
        yield data
