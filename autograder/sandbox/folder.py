"""The files that a submission brings, packed for its kernel."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

from autograder.sandbox.limits import SandboxError

_MOST_FILES = 10_000


def pack(folder: Path | None, most_bytes: int, besides: str = "") -> int:
    """The regular files below `folder` as a tar archive; the descriptor of a file without a name.

    Links, sockets, devices and pipes are left out, and no link is followed on the way. The caller
    closes the descriptor.
    """
    archive = os.memfd_create("submission")
    try:
        with os.fdopen(os.dup(archive), "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            if folder is not None:
                _add(tar, folder, most_bytes, besides)
        os.lseek(archive, 0, os.SEEK_SET)
    except BaseException:
        os.close(archive)
        raise
    return archive


def archive(folder: Path, most_bytes: int, besides: str = "") -> bytes:
    """What `pack` makes of a folder, as bytes: to be sent to another process or machine.

    Args:
        folder: it may hold anything.
        most_bytes: of all files together.
        besides: the name of a file in it that is left out.

    Raises:
        SandboxError: it has too many files, or too large ones.
    """
    with os.fdopen(pack(folder, most_bytes, besides), "rb") as file:
        return file.read()


def with_file(files: bytes, name: str, content: bytes) -> bytes:
    """An archive, which may be empty, and one file more."""
    whole = io.BytesIO(files)
    with tarfile.open(fileobj=whole, mode="a" if files else "w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def packed(files: bytes) -> int:
    """An archive as the descriptor of a file without a name; the caller closes it."""
    made = os.memfd_create("submission")
    with os.fdopen(os.dup(made), "wb") as file:
        file.write(files)
    os.lseek(made, 0, os.SEEK_SET)
    return made


def unpack(files: bytes, folder: Path) -> None:
    """Put the files of an archive into a folder; nothing of it leads out of there."""
    if files:
        with tarfile.open(fileobj=io.BytesIO(files)) as tar:
            tar.extractall(folder, filter="data")


def _add(tar: tarfile.TarFile, folder: Path, most_bytes: int, besides: str) -> None:
    total = count = 0
    for root, folders, files, root_fd in os.fwalk(folder, follow_symlinks=False):
        relative = os.path.relpath(root, folder)
        folders.sort()  # and so it goes down: the same files make the same archive
        for name in folders:
            status = os.stat(name, dir_fd=root_fd, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                member = tarfile.TarInfo(os.path.normpath(os.path.join(relative, name)))
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
                count += 1
        for name in sorted(files):
            if relative == "." and name == besides:
                continue
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root_fd)
            except OSError:
                continue  # a link, or a socket
            with os.fdopen(fd, "rb") as file:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    continue
                member = tarfile.TarInfo(os.path.normpath(os.path.join(relative, name)))
                member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
                member.size = status.st_size
                count += 1
                total += status.st_size
                if total > most_bytes or count > _MOST_FILES:
                    raise SandboxError(
                        f"The submission's folder has more than {most_bytes:,} bytes or "
                        f"{_MOST_FILES:,} files."
                    )
                tar.addfile(member, file)
