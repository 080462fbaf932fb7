"""Folders for a process alone, gone with it; what a killed one has left goes with the next."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

#: A folder younger than this may not be locked yet; seconds.
_YOUNG = 60


class PrivateFolder:
    """A new, empty folder that only this user can read, locked as long as the process lives.

    Args:
        kind: the first part of its name.
        where: the folder that it is made in; by default where temporary files are.
    """

    def __init__(self, kind: str, where: str | None = None) -> None:
        prefix = f"autograder-{kind}-"
        _sweep(Path(where or tempfile.gettempdir()), prefix)
        self._folder = tempfile.TemporaryDirectory(prefix=prefix, dir=where)
        self.path = Path(self._folder.name)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Remove it, with all that is in it; a second time does nothing."""
        self._folder.cleanup()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _sweep(where: Path, prefix: str) -> None:
    """Remove such folders of processes that are gone."""
    for path in where.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # it is in use, another user's, or gone
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(folder)
                if status.st_uid == os.getuid() and status.st_mtime < time.time() - _YOUNG:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(folder)
