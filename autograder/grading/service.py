"""Keeps a grader warm, and lends forks of it: `python -m autograder serve`.

This process has imported what a worker needs, and has the template of the kernels. It never has a
submission: whoever asks for a worker (`autograder.grading.lent`) gets a fork of it, speaks with
that alone, and grades there as he would in a worker of his own. So what one submission does to its
worker, no other one meets, and nothing is told here but how a worker ended.

What is lent is never out of date: code on disk that is not what was imported ends the service,
which `Ended` tells, and data and limits are each borrower's own.
"""

import enum
import fcntl
import gc
import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from autograder import sandbox
from autograder.errors import AutograderError
from autograder.grading import dependence, grader
from autograder.grading.grader import Terms
from autograder.grading.lender import Lender
from autograder.grading.lent import REQUEST_BYTES, Folder, is_own
from autograder.sandbox import SandboxError, template
from autograder.sandbox.provisioner import view
from autograder.sandbox.template import Template, TemplateOptions

_BACKLOG = 64
_LOG = logging.getLogger(__name__)


class CannotServe(AutograderError):
    """There can be no service, or there is one already; the text says what to do."""


class Ended(enum.Enum):
    """Why a service came to its end by itself."""

    IDLE = enum.auto()
    OUTDATED = enum.auto()  # the code on disk is other, or the template is gone


def warm_up(assignments: Sequence[str], terms: Terms) -> list[Template]:
    """Import and start in this process what a worker needs; a suite that is broken is left out.

    Returns:
        the templates that kernels are forked from, on these terms.

    Raises:
        SandboxUnavailable, SandboxError: there is no sandbox here, or it does not start.
    """
    if terms.sandbox is not None:
        sandbox.warm_up(terms.course_data)
    for assignment in assignments:
        try:
            grader.prepare(assignment, terms)
        except SandboxError:
            raise
        except AutograderError as error:
            _LOG.warning("%s", error)
    gc.collect()
    gc.freeze()  # or each fork would get pages of its own, by being looked through
    if terms.sandbox is None:
        return []
    return [template.ready_template(TemplateOptions(view(terms.course_data)))]


class Service:
    """A service that is ready: to be made in a process that has imported all, and has one thread.

    Args:
        code: the digest of the code that has been imported (`dependence.of_code`).
        warm: the templates that kernels are forked from, as long as all is well.

    Raises:
        CannotServe: another one is up, or this process cannot be forked.
    """

    def __init__(self, code: str, warm: list[Template]) -> None:
        self._code, self._warm = code, warm
        self._waiting: set[socket.socket] = set()
        self._outdated = False
        self._since = time.monotonic()
        self._lender = Lender(lambda: (self._listener, *self._waiting))
        if len(os.listdir("/proc/self/task")) > 1:
            raise CannotServe("This process has threads, and cannot be forked.")
        with _alone() as folder:
            if is_up():
                raise CannotServe("A service is up already.")
            with suppress(FileNotFoundError):
                os.unlink(folder.door)
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._listener.bind(folder.door)
            self._listener.listen(_BACKLOG)
            self._door = os.stat(folder.door).st_ino
        self._listener.setblocking(False)
        self._lender.watch(self._listener.fileno(), self._greet)

    def serve(self, idle_seconds: float) -> Ended:
        """Lend workers until nobody has one, or wants one, for so long."""
        while not self._outdated:
            left = self._since + idle_seconds - time.monotonic()
            busy = bool(self._lender)
            if left <= 0 and not busy:
                return Ended.IDLE
            self._lender.turn(None if busy else left)
            if busy:
                self._since = time.monotonic()
        return Ended.OUTDATED

    def close(self) -> None:
        """Close the door, and take back what is lent: whoever is in the middle of it does it again.

        Nothing is left, on disk or of processes.
        """
        with suppress(OSError), _alone() as folder:
            if os.stat(folder.door).st_ino == self._door:
                os.unlink(folder.door)
                folder.path.rmdir()  # unless others' doors are there
        self._listener.close()
        self._lender.close()

    # -------------------------------------------------------------------------------- inner parts

    def _greet(self) -> None:
        """Let somebody in, who is then waited for like all others."""
        try:
            control, _ = self._listener.accept()
        except OSError:  # he has left again
            return
        if is_own(control):
            control.setblocking(False)
            self._waiting.add(control)
            self._lender.watch(control.fileno(), partial(self._hear, control))
        else:
            control.close()

    def _hear(self, control: socket.socket) -> None:
        """Lend a worker to who asks for one; a refusal is the end of the connection."""
        self._lender.selector.unregister(control.fileno())
        self._waiting.remove(control)
        fds: list[int] = []
        try:
            request, fds, _, _ = socket.recv_fds(control, REQUEST_BYTES, 1)
            told = json.loads(request)
            if len(fds) == 1 and self._is_what(told["code"]):
                settle = partial(_settle, told["cwd"], told["environ"])
                self._lender.lend(control, fds[0], settle)
                self._since = time.monotonic()
                return
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no request, or nobody there any more
        finally:
            for fd in fds:
                os.close(fd)
        control.close()

    def _is_what(self, code: str) -> bool:
        """Whether what is lent here would be of that code."""
        if not all(each.alive for each in self._warm) or dependence.of_code() != self._code:
            self._outdated = True
        return not self._outdated and code == self._code


def _settle(cwd: str, environ: dict[str, str]) -> None:
    """Be where a borrower is."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)


def is_up() -> bool:
    """Whether somebody answers at the door."""
    with Folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as visitor:
        visitor.settimeout(1)
        try:
            visitor.connect(folder.door)
        except TimeoutError:  # it is, and has no time
            return True
        except OSError:
            return False
    return True


@contextmanager
def _alone() -> Iterator[Folder]:
    """The folder of the door, while nobody else opens or closes one in it."""
    while True:
        with Folder(make=True) as folder:
            fcntl.flock(folder.fd, fcntl.LOCK_EX)
            if not os.fstat(folder.fd).st_nlink:
                continue  # whoever ended meanwhile has taken it away
            yield folder
            return


def place() -> Path:
    """The folder that the service's door is in.

    Raises:
        NotPrivate: it cannot be used.
    """
    with Folder(make=True) as folder:
        return folder.path
