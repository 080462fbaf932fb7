"""What tells one hand-in from another: a digest of all that was taken of it."""

import hashlib
import os
import stat
from pathlib import Path

_PIECE = 2**20


def digest(*folders: Path) -> str:
    """The digest of what lies in clean folders, as hexadecimal digits.

    Each file's path, bytes and permission to be run count: all that a kernel can see of it, and
    all that it cannot. When and where it lies, and in which order a folder lists it, do not.

    Args:
        folders: they hold folders and regular files only; one that is not there is empty.

    Raises:
        OSError: a file cannot be read.
    """
    whole = hashlib.sha256()
    for folder in folders:
        found = {os.fsencode(path.relative_to(folder)): path for path in folder.rglob("*")}
        _frame(whole, len(found))
        for name in sorted(found):
            path = found[name]
            mode = path.lstat().st_mode
            _frame(whole, len(name))
            whole.update(name)
            _frame(whole, bool(mode & stat.S_IXUSR))
            content = hashlib.sha256()
            if stat.S_ISREG(mode):
                with path.open("rb") as file:
                    while piece := file.read(_PIECE):
                        content.update(piece)
            whole.update(b"f" if stat.S_ISREG(mode) else b"d")
            whole.update(content.digest())
    return whole.hexdigest()


def _frame(whole: "hashlib._Hash", number: int) -> None:
    """Say how much follows, in a fixed width: nothing can be read as something else."""
    whole.update(number.to_bytes(8, "big"))
