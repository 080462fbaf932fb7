"""Texts that students or their code made, before they are shown; and files made of text."""

import logging
import os
import shutil
import unicodedata
from contextlib import suppress
from pathlib import Path


def printable(text: str) -> str:
    """A text without what no file can hold, and what a terminal or a page would obey."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def escaped(text: str, keep: str = "") -> str:
    r"""A text with everything that a terminal would obey written out: `\x1b`, `\n`, `\u202e`.

    Args:
        text: any text, lone surrogates included.
        keep: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        c if is_plain(c) or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def is_plain(text: str) -> bool:
    """Whether all characters can be shown, spaces of any width among them."""
    return text.isprintable() or all(
        c.isprintable() or unicodedata.category(c) == "Zs" for c in text
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file of text, or leave what is there: it is put in its place once it is complete.

    Raises:
        OSError: it could not be written; nothing of it is left.
    """
    if path.exists() and not path.is_file():  # a device, a pipe: there is nothing to replace
        path.write_text(text, encoding="utf-8", newline="")
        return
    target = path.resolve()
    if target.exists():
        target.open("r+b").close()  # what may not be written is not to be replaced either
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, new)
        new.replace(target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


class PlainLog(logging.Filter):
    """Writes out, in whatever is logged, what a terminal would obey; lines stay lines.

    nbgrader indents all lines of a message but its first: none of them looks like a new message.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is always let through."""
        try:
            record.msg, record.args = escaped(record.getMessage(), keep="\n\t"), ()
        except (TypeError, ValueError):  # a message that does not fit its arguments
            record.msg, record.args = escaped(f"{record.msg} {record.args}"), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = escaped(record.exc_text, keep="\n\t")
        return True
