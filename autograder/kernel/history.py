"""What a submission has done to its kernels so far, and what follows: decisions, no kernel.

A kernel may be ended by the cell that runs, by a probe, or by something that an earlier cell has
left running. The next kernel replays the cells that ran, without the one that is to blame.
"""

#: Seconds that what a cell has left running may take longer in a replay.
SLOWER = 0.5


class History:
    """The cells that ran, when they began, and how often a kernel was ended.

    Args:
        endings: how often a kernel may be ended: after one more, nothing runs any more.
    """

    def __init__(self, endings: int) -> None:
        self._most = endings
        self._ran: list[int] = []
        self._begun: dict[int, float] = {}
        self._endings = 0
        self._failures = 0

    # ------------------------------------------------------------------------------ what happened

    def begins(self, cell: int, now: float) -> None:
        """A cell begins to run, for the first time or in a replay."""
        self._begun[cell] = now

    def ended_well(self, cell: int) -> None:
        """A cell came to its end, and the kernel with it: it is to be replayed."""
        self._ran.append(cell)

    def kernel_ended(self) -> None:
        """A kernel was ended, by a cell or by a probe."""
        self._endings += 1

    def replay_failed(self) -> None:
        """A kernel did not start, or a replay broke off, for no reason of a cell's."""
        self._failures += 1

    def leave_out(self, cell: int | None) -> None:
        """A cell is to blame: no replay runs it again."""
        if cell in self._ran:
            self._ran.remove(cell)

    def replay_begins(self) -> list[int]:
        """The cells to run in the new kernel, in order."""
        self._begun.clear()
        return list(self._ran)

    # --------------------------------------------------------------------------- what follows of it

    @property
    def last(self) -> int:
        """The cell that began last in this kernel; 0 where none has."""
        return max(self._begun, default=0)

    @property
    def may_end_another(self) -> bool:
        """Whether somebody may try once more what has just ended a kernel."""
        return self._endings < self._most

    @property
    def may_go_on(self) -> bool:
        """Whether a new kernel may start."""
        return max(self._endings, self._failures) <= self._most

    def replace_begins(self) -> None:
        """A kernel is to be replaced: attempts that fail are counted from here."""
        self._failures = 0

    def ages(self, now: float, blamed: int | None) -> dict[int, float]:
        """How long ago each cell began: so long it may take until what it left running acts.

        Where a cell is known to be to blame, all others have been waited for already.
        """
        if blamed is not None:
            return {}
        return {cell: now - begun for cell, begun in self._begun.items()}

    def wait_after(
        self, cell: int, ages: dict[int, float], now: float, running: set[str], before: set[str]
    ) -> float | None:
        """How long to see, after a cell of a replay, whether what it left running ends the kernel.

        Args:
            cell: has just run.
            ages: see `ages`, at the end of the last kernel.
            now: in seconds, of the clock that `begins` was told.
            running: names of what runs in the kernel now, beside its cells.
            before: the same before the cell ran.

        Returns:
            seconds; None where it need not be looked at, since it left nothing new running.
        """
        if cell not in ages or running <= before:
            return None
        return max(0.0, self._begun[cell] + ages[cell] + SLOWER - now)
