"""What the formgrader's dialogs show: they print all that is logged while a button is at work."""

import logging
import textwrap
from typing import Any

import nbconvert
import nbgrader
from nbgrader.apps.api import NbGraderAPI

#: What a line of a dialog has room for, beside the level: it breaks none, it scrolls sideways.
_WIDTH = 72
_CHATTER = (*nbconvert.__path__, *nbgrader.__path__)


class Said(logging.Filter):
    """Leaves out each step that nbgrader and nbconvert take; their warnings stay, and all else.

    What stays is set in lines that a dialog has room for.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is for people; if so, its long lines are broken."""
        if record.levelno <= logging.INFO and record.pathname.startswith(_CHATTER):
            return False
        record.msg, record.args = _in_lines(record.getMessage()), None
        return True


def _in_lines(text: str) -> str:
    """A text with each of its lines broken where it is too long, and its indents kept."""
    lines = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        lines += textwrap.wrap(
            line,
            _WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines)


def keep_short(converter: Any) -> None:
    """Let the log of a converter be short, where it is for a dialog: run by nbgrader's API."""
    log: logging.Logger = converter.log
    if isinstance(converter.parent, NbGraderAPI) and not any(
        isinstance(each, Said) for each in log.filters
    ):
        log.addFilter(Said())
