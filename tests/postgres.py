"""A real PostgreSQL server of the system's, with data of its own, reached by a socket alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Who may run a server where the tests run as root, which may not.
_USERS = ("postgres", "nobody")


def programs() -> Path:
    """The folder of PostgreSQL's programs: the newest that is installed.

    Raises:
        FileNotFoundError: there is none.
    """
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    folders.sort(key=lambda path: [int(part) for part in path.parent.name.split(".")])
    if shutil.which("pg_config"):
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.insert(0, Path(told.stdout.strip()))
    servers = [
        folder
        for folder in folders
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres"))
    ]
    if not servers:
        raise FileNotFoundError("No PostgreSQL server is installed: apt-get install postgresql")
    return servers[-1]


def _user() -> str | None:
    if os.getuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in _USERS if name in names)


@contextmanager
def running() -> Iterator[str]:
    """A server whose database is empty; gives its address for SQLAlchemy."""
    user, bin_ = _user(), programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))  # a socket's path is short
    try:
        if user is not None:
            shutil.chown(folder, user)

        def run(*words: str) -> None:
            name, *more = words
            subprocess.run(
                [bin_ / name, *more], user=user, cwd=folder, check=True, capture_output=True
            )

        data, where = str(folder / "data"), f"-k {folder} -h ''"
        run("initdb", "-D", data, "-U", "grader", "-A", "trust", "--no-sync", "-E", "UTF8")
        run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-o", where, "-w", "start")
        try:
            yield f"postgresql+psycopg://grader@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)
