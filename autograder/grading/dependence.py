"""What a result depends on, as digests: where all are the same, so would the result be."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from autograder.submission.digest import digest
from autograder.suites import SUITES, datasets

_PACKAGE = SUITES.parent
_CODE = ("*.py", "*.j2", "*.ini")
#: What a page looks like follows from these, and no result does.
_LOOKS = ("*.css", "*.json")
#: What computes: another version of it may give other numbers.
_VERSIONS = ("autograder", "torch", "torchvision", "numpy", "ipykernel", "pytest")


@dataclass(frozen=True)
class Dependence:
    """Digests of all that a result follows from, as hexadecimal digits.

    Attributes:
        submission: all that was handed in.
        release: the locked cells that it was made whole with.
        suites: the code of the assignment's suites.
        data: the data that notebook and suites read, the held-out part included.
        limits: what the submission might use.
        package: the grader's own code, and the versions of what it computes with.
    """

    submission: str
    release: str
    suites: str
    data: str
    limits: str
    package: str


def of_text(*texts: str) -> str:
    """The digest of some texts."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()


@cache
def of_suites(assignment: str) -> str:
    """The digest of the suites of an assignment."""
    return _of_code(SUITES / assignment)


@cache
def of_data(assignment: str, course_data: Path | None) -> str:
    """The digest of the data sets that an assignment declares, as they are now."""
    roots = [root for root in (course_data, _PACKAGE / "holdout") if root is not None]
    return digest(*(root / name for name in datasets(assignment) for root in roots))


@cache
def of_package() -> str:
    """The digest of the grader's code without any suites, and of the versions that it runs with."""
    return of_text(_of_code(_PACKAGE, besides=SUITES), *_versions())


def of_code() -> str:
    """The digest of all code that is on disk now, suites included: what a new process would run."""
    return of_text(_of_code(_PACKAGE, kinds=(*_CODE, *_LOOKS)), *_versions())


def read_once(assignment: str, course_data: Path | None) -> dict[str, str]:
    """Digests by name of what a process that grades an assignment reads once, and keeps."""
    return {"code": of_code(), f"data of {assignment}": of_data(assignment, course_data)}


def look_again() -> None:
    """Forget what was found on disk: in a process that lives long, it may be other by now."""
    for of_something in (of_suites, of_data, of_package):
        of_something.cache_clear()


def _versions() -> list[str]:
    return [f"{name} {version(name)}" for name in _VERSIONS]


def _of_code(folder: Path, besides: Path | None = None, kinds: tuple[str, ...] = _CODE) -> str:
    paths = {path for pattern in kinds for path in folder.rglob(pattern)}
    if besides is not None:
        paths = {path for path in paths if not path.is_relative_to(besides)}
    return of_text(
        *(
            text
            for path in sorted(paths)
            for text in (str(path.relative_to(folder)), path.read_text(encoding="utf-8"))
        )
    )
