"""What the formgrader's dialogs show: they print all that is logged while a button is at work."""

import logging
from typing import Any

import nbconvert
import nbgrader
from nbgrader.apps.api import NbGraderAPI

_CHATTER = (*nbconvert.__path__, *nbgrader.__path__)


class Said(logging.Filter):
    """Leaves out each step that nbgrader and nbconvert take; their warnings stay, and all else."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is for people."""
        return record.levelno > logging.INFO or not record.pathname.startswith(_CHATTER)


def keep_short(converter: Any) -> None:
    """Let the log of a converter be short, where it is for a dialog: run by nbgrader's API."""
    log: logging.Logger = converter.log
    if isinstance(converter.parent, NbGraderAPI) and not any(
        isinstance(each, Said) for each in log.filters
    ):
        log.addFilter(Said())
