"""A process beside nbgrader's that does whatever a submission could wear down.

Reading, restoring, running, grading and cleaning a submission happen here, one call after the
other. nbgrader's process keeps the gradebook and the clock: a call that needs more time or memory
than it may is ended from outside, with the process; the next call gets a new one. Both sides are
the grader's: what student code sends is checked in here, and none of it is unpickled.
"""

import asyncio
import atexit
import logging
import multiprocessing
import os
import pickle
import resource
import select
import signal
import socket
import stat
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any, Protocol, TypeVar

from autograder.grading import lent
from autograder.grading.lent import Lent
from autograder.kernel.protocol import Limits
from autograder.language import Explained, Text
from autograder.sandbox import template

Answer = TypeVar("Answer")

#: A function of a module, and its arguments.
Step = tuple[Callable[..., Any], tuple[Any, ...]]

_LINUX = sys.platform == "linux"
#: The most that a call may give back: notebooks with pictures in them are some megabytes.
MAX_ANSWER = 2**29
#: Seconds for what each worker begins with: it imports torch.
_START_SECONDS = 300.0

#: Whether this process is a worker: `_serve` says so, and who it speaks with.
_is_worker = False
_boss: Connection | None = None


@dataclass(frozen=True)
class GraderLimits:
    """What a submission may use of the grader itself, beside its kernel's limits."""

    grader_seconds: int = field(
        default=60, metadata={"help": "The grader's own processor time for one submission."}
    )
    grader_bytes: int = field(
        default=2**30, metadata={"help": "The grader's own memory for one submission."}
    )


class BudgetSpent(Explained):
    """A call needed more time or memory than it may, or its process died; the text says which."""


class TakenBack(BudgetSpent):
    """The process was asked to end, which is no call's fault: it is made again in another one."""


@dataclass(frozen=True)
class Budget:
    """What one call may use.

    Attributes:
        seconds: of the clock, student kernels' time included.
        processor_seconds: of the worker's own work.
        memory_bytes: of the worker, above what it has when it is ready.
    """

    seconds: float
    processor_seconds: int
    memory_bytes: int

    @classmethod
    def of(cls, limits: Limits, grader: GraderLimits) -> "Budget":
        """The budget of a call that may do all there is to do for one submission."""
        return cls(
            # As much again may be given back to it (`autograder.kernel.fair_time`).
            seconds=2 * limits.submission_seconds + grader.grader_seconds,
            processor_seconds=grader.grader_seconds,
            memory_bytes=grader.grader_bytes,
        )


class Process(Protocol):
    """A started process, as `multiprocessing` has it."""

    @property
    def pid(self) -> int | None:
        """Its number."""

    @property
    def exitcode(self) -> int | None:
        """How it ended: below 0 by which signal; None while it runs."""

    def is_alive(self) -> bool:
        """Whether it runs."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, so many seconds at most."""

    def kill(self) -> None:
        """End it."""


def fork(theirs: Connection) -> Process:
    """Start a worker as a fork of this process, where that is safe, or anew.

    Forked, it has nbgrader's modules at once: two seconds of importing. In a server that is not
    safe: there may be other threads, and it would take over the loop that serves, and hold on to
    the connections.
    """
    alone = _LINUX and len(os.listdir("/proc/self/task")) == 1 and not _is_serving()
    context: Any = multiprocessing.get_context("fork" if alone else "spawn")
    process: BaseProcess = context.Process(target=_serve, args=(theirs,), name="worker")
    process.start()
    return process


class Worker:
    """The process, started when it is first needed, and again where it was ended.

    Not to be called from two threads at once, but for `end`. In a process that is a worker itself,
    nothing is started: what is called is done there, within the budget that this one has.

    Args:
        launch: starts the process, which gets its end of a connection.
        borrow: gives one that is warm already, if there is any (`autograder.grading.lent`).

    Attributes:
        borrow: the same; it may be set anew, and is asked whenever a process is needed.
    """

    def __init__(
        self,
        launch: Callable[[Connection], Process] = fork,
        borrow: Callable[[], tuple[Lent, Connection] | None] | None = None,
    ) -> None:
        self.budget = Budget.of(Limits(), GraderLimits())
        self._begin_process, self.borrow = launch, borrow
        self._process: Process | None = None
        self._connection: Connection | None = None
        self._start: tuple[Step, ...] = ()
        self._made_of: dict[str, str] = {}
        self._unheard = 0  # answers to come that nobody waits for
        self._data_bytes = 0
        self._owner = os.getpid()

    def begin(self, *steps: Step) -> None:
        """Start the process, if it has not been.

        Args:
            steps: functions with their arguments, which it calls meanwhile. Nobody hears what comes
                of them: what goes wrong goes wrong again, where they are called in earnest.
        """
        if _is_worker:
            return
        if not self._alive:
            self._launch()
        assert self._connection is not None
        for step in steps:
            self._connection.send(step)
            self._unheard += 1

    def prepare(
        self, *steps: Step, log: logging.Logger, made_of: Mapping[str, str] | None = None
    ) -> list[Any]:
        """Call what every worker has to begin with, now and after each new start.

        Args:
            steps: functions with their arguments, one after the other; the first ones soon, where
                they start something that goes on beside the later ones.
            log: gets what is logged over there.
            made_of: digests by name of what the process keeps, once it has read it: where one is
                not what it was, a new process is started.

        Returns:
            what each gave back.

        Raises:
            whatever a function raises.
            BudgetSpent: the process died of it.
        """
        if _is_worker:
            return [function(*arguments) for function, arguments in steps]
        made_of = made_of or {}
        if any(self._made_of.get(name, digest) != digest for name, digest in made_of.items()):
            self.close()
        self._start = steps
        self.begin()
        self._made_of |= made_of
        answers = [self._ask(*step, _START_SECONDS, log) for step in steps]
        self._data_bytes = self._memory()
        return answers

    def call(
        self,
        function: Callable[..., Answer],
        *arguments: Any,
        log: logging.Logger,
        seconds: float | None = None,
    ) -> Answer:
        """Call a function of a module, within the budget.

        Args:
            function: found by its name; arguments and answer travel by pickle.
            log: gets what is logged over there.
            seconds: of the clock, where it is to be less than the budget's.

        Raises:
            BudgetSpent: it needed too much, or its process died.
            whatever the function raises.
        """
        if _is_worker:
            return function(*arguments)
        try:
            return self._call(function, arguments, log, seconds)
        except TakenBack:
            return self._call(function, arguments, log, seconds)

    def _call(
        self,
        function: Callable[..., Answer],
        arguments: tuple[Any, ...],
        log: logging.Logger,
        seconds: float | None,
    ) -> Answer:
        if not self._alive or self._memory() > self._data_bytes + self.budget.memory_bytes / 2:
            # What earlier submissions have left behind is not this one's.
            self.close()
            self.prepare(*self._start, log=log)
        self._limit(self._process_seconds() + self.budget.processor_seconds)
        try:
            return self._ask(function, arguments, seconds or self.budget.seconds, log)
        except (MemoryError, RuntimeError, OSError) as error:
            if not _wants_memory(error):
                raise
            self.close()
            raise BudgetSpent(self._too_large()) from None

    def split(
        self, function: Callable[[socket.socket], None], log: logging.Logger
    ) -> socket.socket:
        """Have a fork made of the process, as it is now, that calls a function and ends.

        Args:
            function: gets one end of a pair of sockets of whole messages. That it is closed on the
                other side is the sign to end.

        Returns:
            the other end.

        Raises:
            BudgetSpent: the process has died.
            OSError: it cannot be forked.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _ends.add(ours)
        try:
            with theirs:
                self._ask(_split, (function,), _START_SECONDS, log, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        return ours

    def close(self) -> None:
        """End the process, and with it its kernels."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is None or connection is None or self._owner != os.getpid():
            return
        connection.close()
        process.join(5)
        if process.exitcode is None:
            process.kill()
            process.join()

    def end(self) -> None:
        """End the process at once, from any thread: whoever waits for an answer is told so."""
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()

    # -------------------------------------------------------------------------------- inner parts

    @property
    def _alive(self) -> bool:
        return self._process is not None and self._owner == os.getpid() and self._process.is_alive()

    def _launch(self) -> None:
        self._made_of, self._unheard = {}, 0
        self._owner = os.getpid()
        if self.borrow is not None and (found := self.borrow()):
            self._process, self._connection = found
            _ends.add(self._connection)
            return
        ours, theirs = multiprocessing.Pipe()
        _ends.add(ours)
        with theirs:
            self._process = self._begin_process(theirs)
        self._connection = ours

    def _ask(
        self,
        function: Callable[..., Answer],
        arguments: tuple[Any, ...],
        seconds: float,
        log: logging.Logger,
        descriptor: int | None = None,
    ) -> Answer:
        assert self._connection is not None
        assert self._process is not None
        deadline = time.monotonic() + seconds
        try:
            self._connection.send((function, arguments))
            if descriptor is not None:
                send_handle(self._connection, descriptor, self._process.pid)
            while self._connection.poll(max(0.0, deadline - time.monotonic())):
                kind, *told = pickle.loads(self._connection.recv_bytes(MAX_ANSWER))
                if kind == "log":
                    log.log(*told)
                elif self._unheard:
                    self._unheard -= 1
                elif kind == "error":
                    raise told[0]
                else:
                    answer: Answer = told[0]
                    return answer
        except (EOFError, ConnectionError):
            raise self._why_ended() from None
        except BaseException as error:
            if not isinstance(error, Exception):  # an interrupt from the keyboard: now, not later
                self._kill()
            raise
        self._kill()
        raise BudgetSpent("it took longer than {seconds:.0f} s", seconds=seconds)

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self.close()

    def _why_ended(self) -> BudgetSpent:
        assert self._process is not None
        self._process.join(5)
        status = self._process.exitcode
        self._kill()
        if status == -signal.SIGXCPU:
            most = self.budget.processor_seconds
            return BudgetSpent("it needed more than {most} s of the grader's time", most=most)
        if status == -signal.SIGABRT:  # so ends a library that gets no memory
            return BudgetSpent(self._too_large())
        kind = TakenBack if status == -signal.SIGTERM else BudgetSpent
        return kind("the grader's process died of it (status {status})", status=status)

    def _too_large(self) -> Text:
        most = self.budget.memory_bytes // 2**20
        return Text("it needed more than {most} MiB of the grader's memory", most=most)

    def _limit(self, processor_seconds: float) -> None:
        """Let the operating system end the process beyond the budget."""
        assert self._process is not None
        if not _LINUX:
            return
        pid = self._process.pid or 0
        most = {
            resource.RLIMIT_CPU: int(processor_seconds) + 1,
            resource.RLIMIT_DATA: self._data_bytes + self.budget.memory_bytes,
        }
        for kind, soft in most.items():
            _, hard = resource.prlimit(pid, kind)
            resource.prlimit(pid, kind, (soft, hard))

    def _memory(self) -> int:
        """The worker's own memory in bytes, as RLIMIT_DATA counts it."""
        assert self._process is not None
        if not _LINUX:
            return 0
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.partition("VmData:")[2].split()[0]) * 1024

    def _process_seconds(self) -> float:
        assert self._process is not None
        if not _LINUX:
            return 0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_serving() -> bool:
    """Whether this runs within an event loop, as in the formgrader's server."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def why_not(error: Exception, log: logging.Logger, doing: str) -> Text:
    """Say in a line why a call came to nothing; what was not foreseen is logged as a whole."""
    if isinstance(error, BudgetSpent):
        return error.text
    log.error("%s failed", doing, exc_info=error)
    return Text("the grader failed with {type}", type=type(error).__name__)


def _wants_memory(error: Exception) -> bool:
    """Whether an error is Python's, torch's or the system's word for too little memory."""
    words = ("can't allocate memory", "can't start new thread", "Cannot allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


#: The ends of nbgrader's process. A forked one closes its copies, or would never see them closed.
_ends: weakref.WeakSet[Connection | socket.socket] = weakref.WeakSet()


def _close_ends() -> None:
    for end in list(_ends):
        end.close()


os.register_at_fork(after_in_child=_close_ends)

#: The worker of this process: borrowed or started when it is first needed, ended with it.
worker = Worker(borrow=lent.borrow)
atexit.register(worker.close)


# ------------------------------------------------------------------------------------- the process


class _ToTheOtherSide(logging.Handler):
    """Sends what is logged to nbgrader's process."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record as text."""
        self._connection.send(("log", record.levelno, "%s", self.format(record)))


def serve(descriptor: int) -> None:
    """Be a worker, at the end of a connection that was inherited: see `cluster` and `service`."""
    _serve(Connection(descriptor))


def _serve(connection: Connection) -> None:
    global _is_worker, _boss
    _is_worker, _boss = True, connection
    os.setsid()  # a Ctrl-C in the terminal is for nbgrader's process alone
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(connection.fileno(),), daemon=True).start()
    log = logging.getLogger("autograder")
    log.handlers = [_ToTheOtherSide(connection)]
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        _answer(connection)
    finally:
        template.close_templates()


def _answer(connection: Connection) -> None:
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("value", function(*arguments))
            whole = pickle.dumps(answer)
        except Exception as error:
            whole = pickle.dumps(("error", _to_travel(error)))
        connection.send_bytes(whole)
        del function, arguments, whole


def _split(function: Callable[[socket.socket], None]) -> None:
    """Have a fork of this worker call a function; see `Worker.split`."""
    assert _boss is not None
    descriptor = recv_handle(_boss)
    if template.fork() == 0:
        try:
            _boss.close()
            _close_pipes()
            function(socket.socket(fileno=descriptor))
        finally:
            os._exit(0)
    template.outlive()  # what ends this worker is not to end the kernels of others
    os.close(descriptor)


def _close_pipes() -> None:
    """Close those of the process that this is a fork of: by one, others learn of its end."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if int(name) > 2 and stat.S_ISFIFO(os.fstat(int(name)).st_mode):
                os.close(int(name))


def _to_travel(error: Exception) -> Exception:
    """The error as it can be sent, with the place where it happened; the frames stay here."""
    error.add_note("".join(traceback.format_exception(error)))
    error.__cause__ = error.__context__ = error.__traceback__ = None
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with(fd: int) -> None:
    """End this process soon after nbgrader's end of the connection is closed."""
    waiting = select.poll()
    waiting.register(fd, 0)
    waiting.poll()
    time.sleep(2)  # who waits for the next call ends by himself, and takes leave of his kernels
    os._exit(1)
