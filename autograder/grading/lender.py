"""Forks this process for others, and tells them how their forks end: see `service` and `nursery`.

It has imported all that a worker needs, has one thread that matters, and never has a submission: so
each fork of it begins as the others did, whatever one before it was given.
"""

import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import NoReturn

from autograder.grading import worker
from autograder.sandbox import template


class Lender:
    """The forks of this process that somebody has.

    Args:
        own: what this process has open, and a fork of it shall not have.

    Attributes:
        selector: what this process waits for: its data are functions to be called then.
    """

    def __init__(self, own: Callable[[], Iterable[socket.socket]]) -> None:
        self.selector = selectors.DefaultSelector()
        self._own = own
        self._lent: dict[int, tuple[int, socket.socket]] = {}  # number and control, by pidfd

    def __len__(self) -> int:
        return len(self._lent)

    def watch(self, fd: int, react: Callable[[], None]) -> None:
        """Have something called whenever there is something to read."""
        self.selector.register(fd, selectors.EVENT_READ, react)

    def turn(self, seconds: float | None) -> None:
        """Wait so long for what is watched, and do what is due."""
        for key, _ in self.selector.select(seconds):
            react: Callable[[], None] = key.data
            react()

    def lend(
        self, control: socket.socket, connection: int, settle: Callable[[], None] | None = None
    ) -> None:
        """Fork a worker.

        Args:
            control: gets its pidfd now, and later how it ended.
            connection: the worker's end of what is spoken with it.
            settle: what it does first.
        """
        number = template.fork()
        if number == 0:
            control.close()
            self._be_lent(connection, settle)
        pidfd = os.pidfd_open(number)
        self._lent[pidfd] = number, control
        self.watch(pidfd, partial(self._reap, pidfd))
        with suppress(OSError):
            socket.send_fds(control, [b"+"], [pidfd])

    def close(self) -> None:
        """Take back what is lent: whoever is in the middle of it does it again."""
        for pidfd, (number, _) in list(self._lent.items()):
            os.kill(number, signal.SIGTERM)
            self._reap(pidfd)
        self.selector.close()

    def _be_lent(self, connection: int, settle: Callable[[], None] | None) -> NoReturn:
        """Be somebody's worker; return never."""
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self.selector.close()
            for each in self._own():
                each.close()
            for pidfd, (_, control) in self._lent.items():
                os.close(pidfd)
                control.close()
            if settle is not None:
                settle()
            worker.serve(connection)
            status = 0
        finally:
            os._exit(status)

    def _reap(self, pidfd: int) -> None:
        """Tell who had a worker how it ended."""
        number, control = self._lent.pop(pidfd)
        self.selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(number, 0)
        with suppress(OSError):
            control.send(str(os.waitstatus_to_exitcode(status)).encode())
        control.close()
