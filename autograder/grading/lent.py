"""A worker from the service of this machine, where one is up: `python -m autograder serve`.

The service holds a warm grader, and lends forks of it (`autograder.grading.service`). Who asks it
is served by a process of his own, whose first call is as quick as its second; where there is no
service, or another one than would do, he has to start one himself, and nothing is said.

Both sides are of one user, whom the operating system names, and of one installation: the door is in
a folder of that user's alone, under the name of the package's folder, and what is asked for is a
grader of exactly the code that is on disk now.
"""

import errno
import hashlib
import json
import os
import select
import signal
import socket
import stat
import struct
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from autograder.errors import AutograderError
from autograder.grading import dependence
from autograder.suites import SUITES

#: Seconds in which a service that is well has answered, and has told how a process ended.
_PATIENCE = 1.0
#: The most that a request may hold: where it is made, and the variables of its environment.
REQUEST_BYTES = 2**17


class NotPrivate(AutograderError):
    """The folder of the service's door is not this user's alone; the text says what to do."""


class Folder:
    """The folder of the door: of this user, and closed to all others. To be used as a context.

    Args:
        make: whether it is made, where it is not there.

    Raises:
        NotPrivate: it is somebody else's, or others may enter it.
        OSError: it is not there, or no folder.
    """

    def __init__(self, make: bool = False) -> None:
        given = os.environ.get("XDG_RUNTIME_DIR")
        name = "autograder" if given else f"autograder-{os.geteuid()}"
        self.path = Path(given or tempfile.gettempdir(), name)
        if make:
            with suppress(FileExistsError):
                self.path.mkdir(0o700)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = os.fstat(self.fd)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(self.fd)
            raise NotPrivate(
                f"{self.path} is not your own, or others may enter it, so no service can be there:"
                " remove it, or set XDG_RUNTIME_DIR to a folder of yours."
            )

    @property
    def door(self) -> str:
        """The address of the door: through the descriptor, so that it is in this very folder."""
        # One installation has one service: what others lend has other code.
        whose = f"{SUITES.parent}\0{sys.prefix}"
        name = hashlib.sha256(whose.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return f"/proc/self/fd/{self.fd}/{name}"

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *told: object) -> None:
        os.close(self.fd)


def is_own(peer: socket.socket) -> bool:
    """Whether this user is on the other side, too."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(user == os.geteuid())


class Lent:
    """A process of the service's, as `multiprocessing` would have it.

    Args:
        pidfd: of the process; it is closed with this.
        control: where the service tells how it ended.
    """

    def __init__(self, pidfd: int, control: socket.socket) -> None:
        self._pidfd, self._control = pidfd, control
        self._status: int | None = None
        self.pid = self._number()

    def _number(self) -> int:
        """Its number where we are: it may have another one where the service is."""
        told = Path(f"/proc/self/fdinfo/{self._pidfd}").read_text()
        number = int(told.partition("\nPid:")[2].split()[0])
        if number <= 0:
            raise ProcessLookupError(errno.ESRCH, "the process is of another world")
        return number

    @property
    def exitcode(self) -> int | None:
        """How it ended; as if it had been killed where nobody can say it."""
        if self._status is None and not self.is_alive():
            self._status = -signal.SIGKILL
            with suppress(OSError, ValueError):
                self._status = int(self._control.recv(16))
        return self._status

    def is_alive(self) -> bool:
        """Whether it runs."""
        return not self._has_ended(0)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, so many seconds at most."""
        self._has_ended(timeout)

    def kill(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _has_ended(self, timeout: float | None) -> bool:
        ending = select.poll()
        ending.register(self._pidfd, select.POLLIN)
        return bool(ending.poll(None if timeout is None else timeout * 1000))

    def __del__(self) -> None:
        """Leave no descriptor behind."""
        os.close(self._pidfd)
        self._control.close()


def borrow() -> tuple[Lent, Connection] | None:
    """A warm worker, and the connection to it; None where there is none to be had."""
    if sys.platform != "linux":
        return None
    try:
        return _borrowed()
    except (OSError, NotPrivate):
        return None


def _borrowed() -> tuple[Lent, Connection]:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(_PATIENCE)
    # Not those of a worker that is started instead: this service may come to itself much later.
    ours, theirs = socket.socketpair()
    try:
        with theirs, Folder() as folder:
            control.connect(folder.door)
            if not is_own(control):
                raise PermissionError(errno.EPERM, "the service is somebody else's")
            where = {"cwd": os.getcwd(), "environ": dict(os.environ)}
            request = json.dumps({"code": dependence.of_code(), **where}).encode()
            if len(request) > REQUEST_BYTES:
                raise OSError(errno.EMSGSIZE, "the environment is too large")
            socket.send_fds(control, [request], [theirs.fileno()])
        return received(control, ours)
    except BaseException:
        ours.close()
        control.close()
        raise


def received(control: socket.socket, ours: socket.socket) -> tuple[Lent, Connection]:
    """A worker that has been asked for, once it is there, and the connection to it.

    Args:
        control: where it was asked for; its timeout counts.
        ours: our end of what is spoken with it.

    Raises:
        OSError: it does not come, or is refused.
    """
    _, fds, _, _ = socket.recv_fds(control, 1, 1)
    if not fds:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody lends a worker")
    return Lent(fds[0], control), Connection(ours.detach())
