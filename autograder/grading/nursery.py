"""Where all workers of a pool but the first come from: forks of one process.

That process is a fork of the first worker, made before it has had a submission. So torch is
imported once and kernels have one template, however many workers there are; and whoever takes the
place of one that a submission has worn down is there at once, as new as the others were.
"""

import errno
import gc
import logging
import os
import socket
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from autograder.grading.lender import Lender
from autograder.grading.lent import Lent, received
from autograder.grading.worker import BudgetSpent, Worker

#: Seconds in which it has forked a worker, if it is well.
_PATIENCE = 30.0


class Nursery:
    """The process, and who asks it; may be used from several threads."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._asking = threading.Lock()
        self._socket: socket.socket | None = None

    def begin(self, first: Worker, log: logging.Logger) -> None:
        """Make it of a worker that is ready, and has had no submission; where that can be.

        Whoever takes its place comes from here, too.
        """
        if sys.platform != "linux":
            return
        with suppress(BudgetSpent, OSError):
            self._socket = first.split(_lend, log)
            first.borrow = self.borrow

    def settle(self) -> None:
        """Let nobody wait any more: it has begun, or never will."""
        self._begun.set()

    def wait(self) -> None:
        """Wait until it has begun, or will not."""
        self._begun.wait()

    def borrow(self) -> tuple[Lent, Connection] | None:
        """A worker that is ready, and the connection to it; None where there is none to be had."""
        control, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.settimeout(_PATIENCE)
        ours, theirs = socket.socketpair()
        try:
            with told, theirs, self._asking:
                if self._socket is None:
                    raise ConnectionRefusedError(errno.ECONNREFUSED, "there is no nursery")
                socket.send_fds(self._socket, [b"+"], [told.fileno(), theirs.fileno()])
            return received(control, ours)
        except OSError:
            control.close()
            ours.close()
            return None

    def close(self) -> None:
        """End it; its workers go on with what they do."""
        with self._asking:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


def _lend(boss: socket.socket) -> None:
    """Lend workers to who is at the other end, until that is closed."""
    gc.freeze()  # or each fork would get pages of its own, by being looked through
    lender = Lender(lambda: [boss])
    wanted = True

    def hear() -> None:
        nonlocal wanted
        asked, ends, _, _ = socket.recv_fds(boss, 1, 2)
        wanted = bool(asked)
        if wanted:
            control, connection = ends
            lender.lend(socket.socket(fileno=control), connection)
            os.close(connection)

    lender.watch(boss.fileno(), hear)
    while wanted:  # afterwards, what is lent ends with its own connection
        lender.turn(None)
