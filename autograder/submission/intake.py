"""Takes in what a student handed in: once, into a clean copy that everything after it reads.

A submission's folder is opened part by part, by descriptors that follow no link. What is taken
are regular files, within limits of number, depth, size and names; what is not is noted. Nothing
in the folder is changed.
"""

import errno
import fnmatch
import os
import re
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.errors import UNWRITABLE
from autograder.language import Explained, Sentence, Text
from autograder.submission.digest import digest
from autograder.submission.limits import IntakeLimits
from autograder.submission.private import PrivateFolder
from autograder.text import escaped, is_plain

#: Where nbgrader's exchange writes when something was handed in.
STAMP = "timestamp.txt"
MAX_STAMP = 1_024
#: Notes about single files; more of them are counted only.
MAX_NOTES = 20

_ANYTHING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_PIECE = 2**20
#: What nbgrader's regular expressions of paths take for itself.
_PLAIN_PATH = re.compile(r"[\w/.,=@%~ -]+")
#: What may be a time stamp, before nbgrader's reader sees it: that opens files named as time zones.
_STAMP = re.compile(r"(?!.*(?:\.\.| /))[\w:.,+/ -]+", re.A)


TOO_LARGE = "larger than {most} MiB"


class Unfit(Explained):
    """What makes a file or folder unfit to be taken; the text goes on after "it is"."""


@dataclass(frozen=True)
class Taken:
    """What was taken of one submission.

    Attributes:
        notebook: the copy of its notebook; an empty file where there was none to take.
        ungraded: why there was none, in one line; empty where there was.
        notes: what was left alone, in the student's words.
        digest: of all that was taken.
    """

    notebook: Path
    ungraded: Sentence
    notes: tuple[Text, ...]
    digest: str


class Intake:
    """The clean copy of one submission after the other, in a private folder.

    Args:
        submitted: the folder with a folder for each student.
        assignment: its name.
        ignore: globs of names that are passed over.
        source: the instructor's files of the assignment, which nbgrader puts over the students'.
        limits: what is taken.

    Attributes:
        folder: stands for `submitted/`, with the submission that was taken last.
    """

    def __init__(
        self,
        submitted: Path,
        assignment: str,
        ignore: Sequence[str] = (),
        source: Path | None = None,
        limits: IntakeLimits | None = None,
    ) -> None:
        self._limits = limits or IntakeLimits()
        self._submitted, self._assignment, self._ignore = submitted, assignment, ignore
        self._source = source
        self._private = PrivateFolder("submitted", _temporary())
        self.folder = self._private.path / "submitted"
        #: Other notebooks lie apart: nbgrader would take them for the assignment's.
        self._others = self._private.path / "others"

    def close(self) -> None:
        """Remove all copies."""
        self._private.remove()

    def path(self, student: str) -> Path:
        """Where a student's submission lies once it is taken."""
        return self.folder / student / self._assignment

    def why_not(self, student: str) -> str:
        """Why nothing at all can be taken of a submission; empty where something can."""
        if not is_plain(student):
            return "its folder has a name that cannot be printed; rename it"
        try:
            with self._opened(student):
                return ""
        except Unfit as unfit:
            return f"its folder is {unfit}"

    def take(self, student: str) -> Taken:
        """Copy a submission, and forget the one before it.

        Raises:
            OSError: there is no room for the copy.
        """
        for old in (self.folder, self._others):
            shutil.rmtree(old, ignore_errors=True)
        target = self.path(student)
        target.mkdir(parents=True)
        copy = _Copy(
            target, self._others, self._assignment, self._ignore, self._source, self._limits
        )
        try:
            with self._opened(student) as folder:
                ungraded = copy.notebook(folder)
                copy.time_stamp(folder)
                copy.what_lies_beside(folder)
        except Unfit as unfit:
            ungraded = Text("its folder is {why}", why=unfit.text)
        except OSError as error:
            ungraded = Text("its folder is {why}", why=_told(error))
        name = target / f"{self._assignment}.ipynb"
        name.touch(0o600)
        return Taken(name, ungraded, tuple(copy.notes()), digest(target, self._others))

    def for_kernel(self, graded: Path) -> Path:
        """The folder that a kernel gets copies of: the `graded` one, and the other notebooks."""
        if not self._others.exists():
            return graded
        shutil.copytree(graded, self._others, symlinks=True, dirs_exist_ok=True)
        return self._others

    @contextmanager
    def _opened(self, student: str) -> Iterator[int]:
        with (
            _opened(os.open(self._submitted, os.O_RDONLY | os.O_DIRECTORY)) as submitted,
            _folder(submitted, student, self._assignment) as folder,
        ):
            yield folder


def students(submitted: Path, assignment: str, pattern: str = "*") -> list[str]:
    """Who handed in something for an assignment; names of hidden files are not among them.

    Args:
        submitted: the folder with a folder for each student.
        assignment: its name.
        pattern: a glob that the names must match, or the name itself.
    """
    found = []
    with os.scandir(submitted) as entries:
        for entry in entries:
            if not (fnmatch.fnmatchcase(entry.name, pattern) or entry.name == pattern):
                continue
            if entry.is_dir(follow_symlinks=False):
                try:
                    os.lstat(os.path.join(entry.path, assignment))
                except FileNotFoundError:
                    continue
                except OSError:
                    pass  # listed: nobody knows what lies there
            elif entry.name.startswith("."):
                continue
            found.append(entry.name)
    return sorted(found)


# --------------------------------------------------------------------------------- one submission


class _Copy:
    """The copy of one submission in the making."""

    def __init__(
        self,
        target: Path,
        others: Path,
        assignment: str,
        ignore: Sequence[str],
        source: Path | None,
        limits: IntakeLimits,
    ) -> None:
        self._target, self._others, self._source = target, others, source
        self._limits = limits
        self._name = f"{assignment}.ipynb"
        self._page = f"{assignment}.html"
        self._ignore = ignore
        self._refused: list[tuple[str, Text]] = []
        self._more = Text("")

    def notebook(self, folder: int) -> Sentence:
        """Take the notebook; return why it cannot be, or an empty text."""
        try:
            most = self._limits.notebook_file_bytes
            _copy(folder, self._name, self._target / self._name, most)
        except FileNotFoundError:
            found = [
                name for name in _listed(folder, self._limits.entries) if name.endswith(".ipynb")
            ]
            listed = ", ".join(f"`{escaped(name)}`" for name in found[:5])
            return Text(
                "there is no notebook named `{name}` (found: {listed})",
                name=self._name,
                listed=listed or Text("none"),
            )
        except Unfit as unfit:
            return Text("the file `{name}` is {why}", name=self._name, why=unfit.text)
        return ""

    def time_stamp(self, folder: int) -> None:
        """Take the time stamp where nbgrader can read it."""
        try:
            _copy(folder, STAMP, self._target / STAMP, MAX_STAMP)
            if not _is_time_stamp((self._target / STAMP).read_bytes()):
                (self._target / STAMP).unlink()
                raise Unfit("no time stamp that nbgrader can read")
        except FileNotFoundError:
            pass
        except Unfit as unfit:
            self._refused.append((STAMP, unfit.text))

    def what_lies_beside(self, folder: int) -> None:
        """Take the other files, the nearest first, as far as the limits go."""
        waiting: deque[tuple[str, ...]] = deque([()])
        count, left = 0, self._limits.folder_bytes
        while waiting:
            where = waiting.popleft()
            try:
                with _folder(folder, *where) as here:
                    for name in _names(here, self._limits.entries):
                        if self._is_passed_over(where, name):
                            continue
                        count += 1
                        if count > self._limits.files:
                            self._more = Text(
                                "There are more than {most} files and folders beside the notebook;"
                                " those beyond were not used.",
                                most=self._limits.files,
                            )
                            return
                        left -= self._entry(here, (*where, name), left, waiting)
            except Unfit as unfit:
                self._refused.append(("/".join(where) or ".", unfit.text))
            except OSError as error:
                self._refused.append(("/".join(where) or ".", _told(error)))

    def _entry(
        self, here: int, path: tuple[str, ...], left: int, waiting: deque[tuple[str, ...]]
    ) -> int:
        """Take one file, or let a folder wait for its turn; return the bytes that it took."""
        name = path[-1]
        try:
            if path[0] == self._page:
                raise Unfit("under the name of its feedback")
            if not is_plain(name):
                raise Unfit("under a name that cannot be printed")
            if len(os.fsencode("/".join(path))) > self._limits.path_bytes:
                raise Unfit("under a path that is too long")
            is_folder = stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
            given = self._source.joinpath(*path) if self._source else None
            if given is not None and given.exists() and given.is_dir() != is_folder:
                raise Unfit("under a name of the assignment's own")
            if is_folder:
                if len(path) > self._limits.depth:
                    raise Unfit("deeper than {depth} folders", depth=self._limits.depth)
                waiting.append(path)
                return 0
            base = self._others if name.endswith(".ipynb") else self._target
            return _copy(here, name, base.joinpath(*path), self._limits.folder_bytes, left)
        except Unfit as unfit:
            why = unfit.text
        except OSError as error:
            why = _told(error)
        self._refused.append(("/".join(path), why))
        return 0

    def _is_passed_over(self, where: tuple[str, ...], name: str) -> bool:
        own = not where and name in (self._name, STAMP)
        return own or any(fnmatch.fnmatchcase(name, each) for each in self._ignore)

    def notes(self) -> Iterator[Text]:
        """Say in the student's words what was left alone."""
        for name, why in self._refused[:MAX_NOTES]:
            yield Text("The file `{name}` was not used: it is {why}.", name=escaped(name), why=why)
        if more := self._refused[MAX_NOTES:]:
            yield Text("{count} more files were not used, for such reasons.", count=len(more))
        if self._more:
            yield self._more


def _is_time_stamp(data: bytes) -> bool:
    try:
        text = data.decode("ascii").strip()
        return _STAMP.fullmatch(text) is not None and parse_utc(text) is not None
    except Exception:  # nbgrader's reader of dates raises many kinds
        return False


# --------------------------------------------------------------------- files that nobody may trust


def _copy(folder: int, name: str, target: Path, limit: int, left: int | None = None) -> int:
    """Copy a regular file that has no other name; return its bytes.

    Args:
        folder: a descriptor of the folder that it lies in.
        name: its name there.
        target: where to; folders are made.
        limit: bytes that such a file may have.
        left: bytes that are left for this one.

    Raises:
        Unfit: it is something else, too large, or changes meanwhile.
        FileNotFoundError: it is not there.
    """
    try:
        # What is no regular file is not even opened, unless it is swapped in this very moment.
        _check(os.stat(name, dir_fd=folder, follow_symlinks=False), limit, left)
        with _opened(os.open(name, _ANYTHING, dir_fd=folder)) as source:
            before = os.fstat(source)
            _check(before, limit, left)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                _write(source, before, target)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
            return before.st_size
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unfit(_told(error)) from None


def _write(source: int, before: os.stat_result, target: Path) -> None:
    mode = 0o700 if before.st_mode & stat.S_IXUSR else 0o600
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(target, flags, mode), "wb") as file:
        # One byte more than there was shows whether it grew.
        left = before.st_size + 1
        while left and (piece := os.read(source, min(left, _PIECE))):
            file.write(piece)
            left -= len(piece)
    after = os.fstat(source)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if left != 1 or not same:
        raise Unfit("a file that changed while it was read")


def _check(status: os.stat_result, limit: int, left: int | None) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise Unfit("a symbolic link")
    if stat.S_ISDIR(status.st_mode):
        raise Unfit("a folder, no regular file")
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("no regular file")
    if status.st_nlink > 1:
        raise Unfit("a hard link")
    if status.st_size > limit:
        raise Unfit(
            "larger than {most} MiB" if limit >= 2**20 else "too large", most=limit // 2**20
        )
    if left is not None and status.st_size > left:
        raise Unfit("more than the {most} MiB that may lie beside a notebook", most=limit // 2**20)


def _told(error: OSError) -> Text:
    """Why something cannot be taken.

    Raises:
        OSError: it was the copy that could not be written: no submission's fault.
    """
    if error.errno in UNWRITABLE:
        raise error
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Text("a symbolic link, or no regular file")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Text("not readable")
    if error.errno == errno.ENOENT:
        return Text("gone")
    return Text("a file that cannot be read ({why})", why=error.strerror)


def _listed(folder: int, most: int) -> list[str]:
    try:
        return _names(folder, most)
    except (Unfit, OSError):
        return []


def _names(folder: int, most: int) -> list[str]:
    """The names in a folder, in order.

    Raises:
        Unfit: there are too many.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, most + 1)]
    if len(names) > most:
        raise Unfit("a folder of more than {most:,} files", most=most)
    return sorted(names)


@contextmanager
def _folder(descriptor: int, *path: str) -> Iterator[int]:
    """A descriptor of the folder that lies there, closed at the end.

    Raises:
        Unfit: a part of the path is a link, or no folder, or cannot be read.
    """
    here = os.dup(descriptor)
    try:
        for name in path:
            if stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                raise Unfit("a symbolic link, which is not followed")
            inner = os.open(name, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
    except OSError as error:
        os.close(here)
        why = Text("no folder") if error.errno == errno.ENOTDIR else _told(error)
        raise Unfit(why) from None
    except BaseException:
        os.close(here)
        raise
    with _opened(here):
        yield here


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _temporary() -> str:
    """A folder for temporary files whose path nbgrader's regular expressions take for itself."""
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if _PLAIN_PATH.fullmatch(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise OSError(f"TMPDIR is {tempfile.gettempdir()!r}: nbgrader needs a path of plain letters")
