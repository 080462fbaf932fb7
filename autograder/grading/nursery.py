"""Where all workers of a pool come from: forks of one process, which never has a submission.

It is what would have been the first worker. So torch is imported once and kernels have one
template, however many workers there are; and whoever takes the place of one that a submission has
worn down is there at once, as new as the others were.
"""

import errno
import gc
import os
import socket
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from autograder.grading.lender import Lender
from autograder.grading.lent import Lent, received
from autograder.grading.worker import Parted, Worker

#: Seconds in which it has forked a worker, if it is well.
_PATIENCE = 30.0
#: Seconds in which it ends with its template, once nobody needs it.
_SOON = 5.0


class Nursery:
    """The process, and who asks it; may be used from several threads."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._asking = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: Parted | None = None

    def begin(self, first: Worker) -> None:
        """Make it of a worker that is ready, and has had no submission; where that can be."""
        if sys.platform != "linux":
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with suppress(OSError), theirs:
            self._process = first.part(_lend, theirs)
        self._socket, first.borrow = ours, self.borrow

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
        """End it, and the kernels' template; a second time does no harm."""
        with self._asking:
            if self._socket is not None:
                self._socket.close()
            parted, self._socket, self._process = self._process, None, None
        if parted is not None:
            process, connection = parted
            connection.close()
            process.join(_SOON)
            process.kill()
            process.join()


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
