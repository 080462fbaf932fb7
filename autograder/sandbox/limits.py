"""What a student kernel may use, and what is raised when it cannot be given."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.errors import AutograderError

MIB = 2**20
GIB = 2**30


class SandboxError(AutograderError, RuntimeError):
    """A sandboxed kernel could not be started."""


class SandboxUnavailable(SandboxError):
    """This machine has no usable sandbox; the message says what to install or set."""


@dataclass(frozen=True)
class SandboxLimits:
    """Limits of one student kernel; past one, the kernel gets an error or is killed.

    Each is enforced by the system, not by the kernel's goodwill: none can be raised from inside,
    but for a small reserve of memory (256 MiB) and descriptors (64), a part of which is given
    whenever a cell ends for want of them, so that its error can be told and the next cell run.
    """

    memory_bytes: int = 4 * GIB
    """Memory of each process above the warm kernel's own: past it, Python raises `MemoryError`
    and torch `RuntimeError`. All processes together, with their page tables and what sockets and
    pipes can hold, may use a quarter more; past that the kernel is killed, and
    `SandboxProvisioner.exit_reason` is `"memory"`."""

    processes: int = 256
    """Processes and threads together, the kernel's own ten or so included."""

    file_bytes: int = 100 * MIB
    """Working folder and `/tmp` together; also the largest single file."""

    shared_memory_bytes: int = 256 * MIB
    """`/dev/shm`, through which the workers of a `DataLoader` pass their batches."""

    open_files: int = 1024
    """File descriptors of each process."""
