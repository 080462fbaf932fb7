"""Stand-ins for earlier tasks, in the place of the notebook's own: sent along with probes."""

from collections.abc import Callable
from typing import Any


def with_stand_in(
    notebook: Any, name: str, stand_in: Any, ask: Callable[[], Any]
) -> tuple[Any, bool]:
    """What is asked with a stand-in for a task or, where that raises, with the student's own.

    Args:
        name: of the task, as the notebook has it.
        ask: runs the student's code that uses it.

    Returns:
        what `ask` gives, and whether the stand-in was there.
    """
    own = notebook._names.get(name)
    try:
        setattr(notebook, name, stand_in)
        return ask(), True
    except Exception:
        setattr(notebook, name, own)
        return ask(), False
