"""What a machine must have so that submissions can be graded on it, for `doctor`."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from autograder import sandbox
from autograder.sandbox import SandboxUnavailable

_INSTALL = "make install"
#: A worker with its template; what a submission may take comes on top.
_WORKER_BYTES = 2 * 2**30
_DISK_BYTES = 2**30


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        says: what is wrong, in a line.
        mend: the command that mends it, or what to do.
        is_wrong: whether grading, or keeping secrets, suffers; else it is only to be known.
    """

    says: str
    mend: str
    is_wrong: bool = True


def machine() -> Iterator[Finding]:
    """Linux, and a Python that is new enough."""
    if sys.platform != "linux":
        yield Finding(
            f"This is {platform.system()}: student kernels run in a sandbox that only Linux has.",
            "Grade on Linux: a virtual machine, WSL 2 or a container will do.",
        )
    if not shutil.which("make"):
        yield Finding("There is no `make`.", "apt-get install make", is_wrong=False)


def packages() -> Iterator[Finding]:
    """Every dependency, in a version that is asked for."""
    for line in requires("autograder") or ():
        asked = Requirement(line)
        if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(asked.name)
        except PackageNotFoundError:
            yield Finding(f"The package {asked.name} is not installed.", _INSTALL)
            continue
        if not asked.specifier.contains(there, prereleases=True):
            yield Finding(f"{asked.name} is {there}; {asked.specifier} is asked for.", _INSTALL)
    if not Path(sys.executable).with_name("nbgrader").exists():
        yield Finding("The command `nbgrader` is not beside this Python.", _INSTALL)


def the_sandbox() -> Iterator[Finding]:
    """Whether a kernel can be shut in."""
    try:
        sandbox.check()
    except SandboxUnavailable as error:
        first, _, rest = str(error).partition(". ")
        yield Finding(f"No sandbox: {first}.", rest or "see docs/threat-model.md")


def memory(submission_bytes: int) -> Iterator[Finding]:
    """Room for one worker, and for what a submission may take.

    Args:
        submission_bytes: the limit of one submission.
    """
    info = Path("/proc/meminfo")
    if not info.exists():
        return
    fields = dict(line.split(":") for line in info.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    told = f"{free / 2**30:.1f} GiB of memory are free"
    if free < _WORKER_BYTES:
        yield Finding(f"{told}; grading needs 2 GiB for each worker.", "End other programs.")
    elif free < _WORKER_BYTES + submission_bytes:
        yield Finding(
            f"{told}: less than a worker and the limit of one submission"
            f" ({submission_bytes / 2**30:.0f} GiB).",
            "Lower c.GradeNotebook.memory_bytes in nbgrader_config.py, or end other programs.",
            is_wrong=False,
        )


def disk(root: Path) -> Iterator[Finding]:
    """Room where the course lies, and where submissions are unpacked."""
    for folder in {root, Path(tempfile.gettempdir())}:
        free = shutil.disk_usage(folder).free
        if free < _DISK_BYTES:
            yield Finding(
                f"{free / 2**20:.0f} MiB are free in {folder}; a GiB should be.",
                f"Make room: du -xh {folder} | sort -h | tail",
            )
        if not os.access(folder, os.W_OK):
            yield Finding(f"{folder} cannot be written to.", f"chmod u+w {folder}")
