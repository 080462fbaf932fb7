"""Time that a kernel was kept waiting by others is not its own.

Limits are seconds of the clock: so nothing can sleep for ever. But where other submissions, or
other programs, have the processors, those seconds pass without the kernel's doing. It gets them
back, as far as the system tells that it could have run and did not.
"""

import time
from collections.abc import Callable

from autograder.sandbox.usage import Usage

#: Less is not worth another look.
_LEAST = 0.05


class FairTime:
    """Gives back to each request of a kernel what others took from it.

    Args:
        usage: what the kernel has had so far; None where that is not known.
        most: the seconds that are given back at most, for all requests together.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        usage: Callable[[], Usage | None],
        most: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._usage, self._left, self._clock = usage, most, clock
        self.given = 0.0
        self.begin()

    def begin(self) -> None:
        """A request begins."""
        self._began, self._before, self._granted = self._clock(), self._usage(), 0.0

    def grace(self) -> float:
        """The seconds that the request gets back, beyond those that it had back already.

        One that keeps more than one processor busy takes time from itself, and has none back for
        that.
        """
        now = self._usage()
        if now is None or self._before is None:
            return 0.0
        passed = self._clock() - self._began
        waited = now.kept_waiting - self._before.kept_waiting
        lost = min(waited, passed - (now.used - self._before.used))
        more = min(lost - self._granted, self._left)
        if more < _LEAST:
            return 0.0
        self._granted += more
        self._left -= more
        self.given += more
        return more
