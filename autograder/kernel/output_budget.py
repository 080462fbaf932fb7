"""How much the cells of a submission may show: counted by message, cut where it is enough."""

import json
from typing import Any

#: What one output costs beside its text, and how many cells of a submission may show all they may.
OVERHEAD = 200
FULL_CELLS = 10


class OutputBudget:
    """The output of one submission: of the cell that is running, and of those before it.

    Args:
        cell_bytes: the most that one cell may show; all of them may show ten times that.
    """

    def __init__(self, cell_bytes: int) -> None:
        self._cell_bytes = cell_bytes
        self._sizes: dict[int, int] = {}
        self._shown = 0
        self._displays: dict[str, int] = {}

    @property
    def room(self) -> int:
        """What the cell that is running may show."""
        return max(0, min(self._cell_bytes, FULL_CELLS * self._cell_bytes - self._shown))

    def begin(self, cell: int) -> None:
        """A cell begins to run, perhaps once more: it has not said anything."""
        self._sizes[cell] = 0

    def admits(self, cell: int, kind: str, content: dict[str, Any], goes_on: bool = False) -> bool:
        """Whether there is room for an output; what there is room for of a text is left of it.

        Args:
            cell: that it belongs to.
            kind: stream, display_data, execute_result or error.
            content: of the message; a stream's text is cut in place.
            goes_on: whether a stream's text is put to one that is there already.
        """
        spent, room = self._sizes.get(cell, 0), self.room
        if spent > room:
            return False
        if kind == "stream":
            overhead = 0 if goes_on else OVERHEAD
            self._sizes[cell] = spent + len(content["text"]) + overhead
            content["text"] = content["text"][: room - spent + 1]
            return True
        self._sizes[cell] = spent + OVERHEAD + len(json.dumps(content))
        return self._sizes[cell] <= room

    def admits_update(self, content: dict[str, Any]) -> bool:
        """Whether there is room for what a display is to show now, beside what the others do."""
        name = (content.get("transient") or {}).get("display_id", "")
        others = sum(self._displays.values()) - self._displays.get(name, 0)
        size = OVERHEAD + len(json.dumps(content))
        if others + size > FULL_CELLS * self._cell_bytes:
            return False
        self._displays[name] = size
        return True

    def clear(self, cell: int) -> None:
        """The outputs of a cell are taken away."""
        self._sizes[cell] = 0

    def end(self, cell: int) -> str:
        """A cell has run; the note that its output was cut, where it was: that is no error."""
        size, room = self._sizes.pop(cell, 0), self.room
        self._shown += min(size, room)
        return f"Output beyond {room // 2**10} KiB was cut here." if size > room else ""
