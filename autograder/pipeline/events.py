"""What a run of nbgrader is at, told as it happens: a line of JSON each, for whoever started it.

The words of each kind are those of `Happened`; `autograder.commands.grade` reads them.
"""

import json
import os
import threading
from typing import Any, Literal, get_args

#: What is told: who is to be graded, each submission's way, why the run was refused.
Happened = Literal["begun", "under_way", "answered", "skipped", "saved", "failed", "refused"]
KINDS: tuple[Happened, ...] = get_args(Happened)


class Progress:
    """Tells what happens.

    Args:
        descriptor: of a pipe; below 0 for nobody who listens.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def tell(self, kind: Happened, **words: Any) -> None:
        """Tell one thing.

        Raises:
            KeyboardInterrupt: whoever started this run is gone: it ends like at the keyboard.
        """
        if self._descriptor < 0:
            return
        line = json.dumps({"kind": kind, **words}) + "\n"
        try:
            with self._lock:
                left = memoryview(line.encode())
                while left:
                    left = left[os.write(self._descriptor, left) :]
        except OSError:
            raise KeyboardInterrupt from None
