"""The processes of a run and their memory, as Linux tells them."""

import os
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Process:
    """A process, told from a later one of the same number by when it began.

    It is the same one under another name, and with the parent that it has once its own is gone.

    Attributes:
        parent: the number of the process that started it.
        name: of its program, fifteen characters at most.
        began: in ticks since the machine's start.
    """

    pid: int
    parent: int = field(compare=False)
    name: str = field(compare=False)
    began: int


def find(pid: int) -> Process | None:
    """The process of a number; None where there is none, or only what its parent has to collect."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    return None if fields[0] == "Z" else Process(pid, int(fields[1]), name, int(fields[19]))


def family(root: int) -> list[Process]:
    """A process and all below it, parents before their children."""
    numbers = (int(path.name) for path in _PROC.glob("[0-9]*"))
    found = [each for each in map(find, numbers) if each]
    members = [each for each in found if each.pid == root]
    for member in members:  # it grows meanwhile
        members += [each for each in found if each.parent == member.pid]
    return members


def memory(pid: int) -> int:
    """The proportional set size of a process in bytes; 0 for one that is gone."""
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    sizes = (int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return 1024 * next(sizes, 0)


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used itself; 0 for one that is gone."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def abandoned_memory(before: set[str]) -> list[str]:
    """Names of shared memory that is new since `before`, and that no living process has."""
    held: set[str] = set()
    for path in _PROC.glob("[0-9]*/maps"):
        try:
            held.update(
                line.split()[-1] for line in path.read_text().splitlines() if "/shm/" in line
            )
        except OSError:
            continue
    new = {path for path in SHARED_MEMORY.iterdir() if path.name not in before}
    return sorted(path.name for path in new if str(path) not in held)
