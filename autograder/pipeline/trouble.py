"""What the machine refuses in the midst of a run: no room on a disk, a gradebook that is locked.

nbgrader takes an error for that of the submission it is at. It logs a traceback and goes on with
the next one, which meets the same; and of any trouble with the gradebook it says that it should be
upgraded. Here such an error is told once, in a line that says what to do, and the run ends.
Commands that do one thing alone (an export, a report) tell it in the same words.
"""

import errno
import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nbgrader.converters.base import NbGraderException
from sqlalchemy.exc import DBAPIError

from autograder.errors import UNWRITABLE, AutograderError
from autograder.pipeline.gradebook import PATIENCE

#: And what it says of a disk that is broken or gone, and of what belongs to another user.
_UNUSABLE = frozenset((errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM))

#: What to do then, where a run goes on with what is left, and where there is nothing to go on with.
_GO_ON = "then call the same command again: it goes on with what is left"
AGAIN = "then call the same command again"

#: By the beginning of SQLite's own name of the error.
_SQLITE = {
    "SQLITE_BUSY": f"The gradebook has been locked for {PATIENCE} s by another program: end that"
    " one (another run, a formgrader, a backup)",
    "SQLITE_LOCKED": "The gradebook is locked by another program: end that one",
    "SQLITE_READONLY": "The gradebook cannot be written: make its file and folder writable",
    "SQLITE_FULL": "There is no room left for the gradebook: make room on its disk",
    "SQLITE_CANTOPEN": "The gradebook cannot be opened: make its file and folder writable, and see"
    " whether its disk is full",
    "SQLITE_IOERR": "The gradebook cannot be read or written: see whether its disk is full or"
    " broken",
    "SQLITE_CORRUPT": "The gradebook is damaged: put back its last backup",
    "SQLITE_NOTADB": "The gradebook is no gradebook any more: put back its last backup",
}

#: Where nbgrader logs what its gradebook meets, beside the command's own log.
_GRADEBOOK_LOG = logging.getLogger("tornado.application")


def advice(error: BaseException | None, then: str = _GO_ON) -> str:
    """What to do about an error that is the machine's, in a line; empty for any other error.

    Args:
        then: the end of that line.
    """
    for each in _with_causes(error):
        if isinstance(each, OSError) and each.errno in UNWRITABLE | _UNUSABLE:
            return f"{_of_a_file(each)}, {then}"
        if isinstance(each, DBAPIError) and (told := _of_the_gradebook(each)):
            return f"{told}; {then}"
    return ""


def told(error: Exception) -> str:
    """The line that a command which does one thing ends with; empty where a traceback must tell."""
    return str(error) if isinstance(error, AutograderError) else advice(error, AGAIN)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """nbgrader raises an error of its own, at times, where it has met one of the gradebook's."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_a_file(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in _UNUSABLE or error.errno == errno.EROFS:
        what = error.filename or "A file"
        return f"{what} cannot be used, {error.strerror}: see to that"
    return f"There is no room left on the disk{where}: make room"


def _of_the_gradebook(error: DBAPIError) -> str:
    if isinstance(error.orig, sqlite3.Error):
        name = getattr(error.orig, "sqlite_errorname", "")
        return next((says for kind, says in _SQLITE.items() if name.startswith(kind)), "")
    if error.connection_invalidated or "connection" in str(error.orig):
        first = str(error.orig).strip().partition("\n")[0]
        return f"The gradebook's server does not answer ({first}): see to it"
    return ""


class Turn:
    """What nbgrader looks over for notebooks: that happens when their submission's turn comes.

    Args:
        begin: is called then, and says which notebooks there are; NbGraderException ends the run.
    """

    def __init__(self, begin: Callable[[], list[str]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[str]:
        return iter(self._begin())


def refuse(log: logging.Logger, error: Exception) -> NbGraderException | None:
    """Log what to do about an error that is the machine's; what to raise then, None for others."""
    if not (why := advice(error)):
        return None
    log.error(why)
    return NbGraderException(why)


@contextmanager
def refusing(log: logging.Logger) -> Iterator[None]:
    """End nbgrader's command with a line, in place of a traceback, where the machine is to blame.

    Raises:
        NbGraderException: it is; any other error goes on as it is.
    """
    try:
        yield
    except Exception as error:
        if refused := refuse(log, error):
            raise refused from None
        raise


class Trouble(logging.Filter):
    """Sees what nbgrader logs of errors, and says those of the machine in a line, once.

    Args:
        log: of nbgrader's command.
        tell: is told that line.

    Attributes:
        why: the line; empty as long as there is no trouble.
    """

    def __init__(self, log: logging.Logger, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.why = ""
        self._tell = tell
        for each in (log, _GRADEBOOK_LOG):
            for earlier in [found for found in each.filters if isinstance(found, Trouble)]:
                each.removeFilter(earlier)  # of an earlier run in this process
            each.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace nbgrader's first word about such an error, and drop the others."""
        of_the_gradebook = record.name == _GRADEBOOK_LOG.name
        if not of_the_gradebook and record.funcName != "convert_notebooks":
            return True
        if record.levelno < logging.ERROR:
            return True
        if self.why:
            return False
        if not (why := advice(sys.exc_info()[1])):
            return True
        if of_the_gradebook:
            return False
        self.why = why
        record.msg, record.args = why, ()
        self._tell(why)
        return True
