"""What grading takes: seconds, and memory of the process that it runs in, by phase."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_RESET_PEAK = "5"  # to `clear_refs`: the peak is what there is now
_PROCESS = Path("/proc/self")
_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")


@dataclass(frozen=True)
class Spent:
    """What one phase took.

    Attributes:
        seconds: of the clock.
        peak_bytes: the most that the process had in memory meanwhile; 0 where the system does not
            tell.
    """

    seconds: float = 0.0
    peak_bytes: int = 0


class Phases:
    """Measures phases: one that begins within another interrupts it, the same may come again."""

    def __init__(self) -> None:
        self._spent: dict[str, Spent] = {}
        self._now = ""
        self._since = 0.0

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what happens meanwhile to the phase `name`."""
        outer = self._now
        self._turn_to(name)
        try:
            yield
        finally:
            self._turn_to(outer)

    @property
    def spent(self) -> dict[str, Spent]:
        """What each phase has taken so far, in the order in which they began."""
        return dict(self._spent)

    def _turn_to(self, name: str) -> None:
        now = time.monotonic()
        if self._now:
            before = self._spent[self._now]
            seconds = before.seconds + now - self._since
            self._spent[self._now] = Spent(seconds, max(before.peak_bytes, _peak()))
        if name:
            self._spent.setdefault(name, Spent())
            _forget_peak()
        self._now, self._since = name, now


def _peak() -> int:
    try:
        found = _PEAK.search((_PROCESS / "status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _forget_peak() -> None:
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    except OSError:  # then a peak is that of the process so far
        return
