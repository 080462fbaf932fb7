"""Texts of submissions in a terminal: what it would obey is written out. Files of it are whole."""

import io
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from tornado.log import LogFormatter

from autograder.text import PlainLog, escaped, is_plain, write_whole

LIES = "\x1b[2J\x1b]0;title\x07\r\x9b31m\u202eabc\u2028\udcff\x00"


@pytest.fixture
def logged() -> Callable[[Callable[[logging.Logger], None]], str]:
    """What comes of logging, as nbgrader formats it."""

    def log(call: Callable[[logging.Logger], None]) -> str:
        out = io.StringIO()
        logger = logging.Logger("app")
        logger.addFilter(PlainLog())
        handler = logging.StreamHandler(out)
        handler.setFormatter(LogFormatter(fmt="[app | %(levelname)s] %(message)s"))
        handler.addFilter(PlainLog())  # both, as in a course: twice is once
        logger.addHandler(handler)
        call(logger)
        return out.getvalue()

    return log


def raises(log: logging.Logger) -> None:
    try:
        raise ValueError(LIES)
    except ValueError:
        log.exception("it failed")


@pytest.mark.parametrize(
    "call",
    [
        lambda log: log.info("Copying %s -> %s", LIES, LIES),
        lambda log: log.info(LIES),
        lambda log: log.info("%(name)s", {"name": LIES}),
        lambda log: log.info("too few %s %s", LIES),
        lambda log: log.info("%s", ValueError(LIES)),
        raises,
    ],
)
def test_nothing_is_logged_that_a_terminal_obeys(
    logged: Callable[[Callable[[logging.Logger], None]], str],
    call: Callable[[logging.Logger], None],
) -> None:
    text = logged(call)
    assert all(is_plain(line) for line in text.split("\n"))
    assert "\\x1b[2J" in text


def test_no_line_is_forged(logged: Callable[[Callable[[logging.Logger], None]], str]) -> None:
    text = logged(lambda log: log.info("Copying %s", "a\n[app | ERROR] lies\r[app | ERROR] lies"))
    assert [line[0] for line in text.splitlines()] == ["[", " "]


def test_plain_text_stays_as_it_is() -> None:
    for text in ("größe 模型 😀", "a\u202fb\xa0c", "\\x1b"):
        assert is_plain(text)
        assert escaped(text) == text
    assert escaped("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert not is_plain("\u200b")
    assert escaped(LIES).encode()


def test_a_file_is_written_whole_or_left_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "grades.csv"
    write_whole(target, "a\r\n")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to("grades.csv")
    write_whole(tmp_path / "link", "b\r\n")
    assert target.read_bytes() == b"b\r\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(UnicodeEncodeError):  # in the midst of it
        write_whole(target, "c" * 100_000 + "\udcff")
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, "d")
    assert target.read_bytes() == b"b\r\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grades.csv", "link"]
