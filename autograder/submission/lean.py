"""A notebook's JSON without what grading throws away: outputs first of all.

Outputs can be larger than all memory once they are read; here they are passed over as text, at the
speed of a regular expression, and never become objects.
"""

import json
import re

from autograder.language import Explained

#: Brackets of the JSON that are looked at one by one: a second for a million.
MAX_BRACKETS = 5 * 10**6

#: What is kept of the notebook, of a worksheet (in old formats), and of a cell.
_NOTEBOOK = {"nbformat", "cells", "worksheets"}
_WORKSHEET = {"cells"}
_CELL = {"cell_type", "source", "input", "level", "metadata", "attachments"}

_SPACE = rb"[ \t\r\n]*+"
_GAP = re.compile(_SPACE)
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_KEY = re.compile(_SPACE + rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE, re.S)
_NEXT = re.compile(_SPACE + rb"([,\]}])" + _SPACE)
_ATOM = re.compile(rb"(?:" + _STRING + rb"|[^\[\]{},\"\s]++)", re.S)
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+", re.S)


#: What may be left of a text that ends too early: nothing, or a string that was begun.
_CUT_OFF = re.compile(_SPACE + rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:\\|"\s*+:?\s*+)?)?\Z', re.S)


class NotLean(Explained):
    """This is no JSON of a notebook that can be made lean; the text goes on after "it"."""


def lean(data: bytes) -> bytes:
    """Cut the outputs, the notebook's metadata, and all other keys that are not read.

    Args:
        data: JSON in UTF-8, or whatever else a file holds.

    Raises:
        NotLean: it is not a notebook's JSON, or holds too many brackets.
    """
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._brackets = 0
        self._kept: list[bytes] = []

    def read(self) -> bytes:
        end = self._object(self._past_space(0), _NOTEBOOK)
        if self._data[end:].strip(b" \t\r\n"):
            raise self._broken(end)
        return b"".join(self._kept)

    def _object(self, at: int, keys: set[str]) -> int:
        """Keep of the object that begins at `at` only those keys; return where it ends."""
        if self._data[at : at + 1] != b"{":
            return self._keep(at)  # whoever reads it says what is wrong with it
        self._kept.append(b"{")
        first, at = True, at + 1
        end = self._past_space(at)
        if self._data[end : end + 1] == b"}":
            self._kept.append(b"}")
            return end + 1
        while True:
            found = _KEY.match(self._data, at)
            if found is None:
                raise self._broken(at)
            name = _name(found[1])
            if name in keys:
                self._kept += [b"" if first else b",", found[1], b":"]
                first = False
                at = self._member(name, found.end())
            else:
                at = self._past(found.end())
            at, mark = self._after(at)
            if mark == b"}":
                self._kept.append(b"}")
                return at
            if mark != b",":
                raise self._broken(at)

    def _member(self, name: str, at: int) -> int:
        if name == "cells":
            return self._array(at, _CELL)
        if name == "worksheets":
            return self._array(at, _WORKSHEET)
        return self._keep(at)

    def _array(self, at: int, keys: set[str]) -> int:
        if self._data[at : at + 1] != b"[":
            return self._keep(at)
        self._kept.append(b"[")
        at = self._past_space(at + 1)
        if self._data[at : at + 1] == b"]":
            self._kept.append(b"]")
            return at + 1
        while True:
            at, mark = self._after(self._object(at, keys))
            self._kept.append(mark)
            if mark == b"]":
                return at
            if mark != b",":
                raise self._broken(at)

    def _keep(self, at: int) -> int:
        end = self._past(at)
        self._kept.append(self._data[at:end])
        return end

    def _past(self, at: int) -> int:
        """Where the value that begins at `at` ends."""
        if self._data[at : at + 1] not in (b"[", b"{"):
            atom = _ATOM.match(self._data, at)
            if atom is None:
                raise self._broken(at)
            return atom.end()
        depth = 0
        while True:
            self._brackets += 1
            if self._brackets > MAX_BRACKETS:
                raise NotLean("holds more values than a notebook can have")
            depth += 1 if self._data[at] in b"[{" else -1
            at += 1
            if not depth:
                return at
            found = _TO_BRACKET.match(self._data, at)
            assert found is not None
            at = found.end()
            if self._data[at : at + 1] not in (b"[", b"{", b"]", b"}"):
                raise self._broken(at)

    def _past_space(self, at: int) -> int:
        found = _GAP.match(self._data, at)
        assert found is not None  # it may be empty
        return found.end()

    def _after(self, at: int) -> tuple[int, bytes]:
        found = _NEXT.match(self._data, at)
        if found is None:
            raise self._broken(at)
        return found.end(), found[1]

    def _broken(self, at: int) -> NotLean:
        if _CUT_OFF.match(self._data, at):
            return NotLean("is cut off: the file ends in the middle")
        line = self._data.count(b"\n", 0, at) + 1
        return NotLean(f"is broken in its line {line}: it is not JSON, as Jupyter saves notebooks")


def _name(key: bytes) -> str:
    try:
        return str(json.loads(key))
    except ValueError:
        return ""
