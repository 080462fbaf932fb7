"""In which encoding a text file was saved, where that can be told without doubt.

Jupyter writes UTF-8. Editors and old programs write other encodings: with a mark at the
beginning, with zero bytes in places that give them away, or with letters that only one of them has.
"""

import codecs
import re
from itertools import islice

from autograder.language import Explained

_MARKS = [  # UTF-32's begins like UTF-16's
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
]
#: The first two letters of a JSON object are ASCII: their zero bytes tell width and order.
_ZEROS = [
    (rb"[^\0]\0\0\0[^\0]\0\0\0", "utf-32-le", "UTF-32"),
    (rb"\0\0\0[^\0]\0\0\0[^\0]", "utf-32-be", "UTF-32"),
    (rb"[^\0]\0[^\0]\0", "utf-16-le", "UTF-16"),
    (rb"\0[^\0]\0[^\0]", "utf-16-be", "UTF-16"),
]
_HIGH = re.compile(rb"[\x80-\xff]+")
#: So many rows of letters are looked at, and of each so many bytes.
_SAMPLE = 100_000
_ROW = 64
#: What people write in Windows-1252 beside ASCII: letters, quotes, dashes, a few signs; not those
#: that are common letters in the older encodings of DOS and Mac, and in those of Eastern Europe;
#: nor the six of Iceland that are Turkish ones in the Turkish encoding.
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœ"
    "€…„‘’“”•–—™¡¿«»°±²µ·×÷§©®£¢½ºª´\xa0".encode("cp1252")
)
#: Signs that no word has in its middle, but which are letters in those encodings.
_IN_WORDS = re.compile(
    b"[a-z\xc0-\xff][" + "€„‘“”™¡¿«»§©®£¢".encode("cp1252") + b"][a-z\xc0-\xff]", re.I
)


class UnknownEncoding(Explained):
    """The letters of a file can be read in more than one way, or in none."""


def to_utf8(data: bytes) -> tuple[bytes, str]:
    """Turn a text file into UTF-8.

    Returns:
        the text in UTF-8, and the name of the encoding that it was in; empty where it was UTF-8.

    Raises:
        UnknownEncoding: it is not known for sure.
    """
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return _recoded(memoryview(data)[len(mark) :], codec, name)
    for zeros, codec, name in _ZEROS:
        if re.match(zeros, data, re.S):
            return _recoded(memoryview(data), codec, name)
    if _is_utf8(data):
        return data, ""
    return _legacy(data)


def _recoded(data: memoryview, codec: str, name: str) -> tuple[bytes, str]:
    if codec == "utf-8" and _is_utf8(data):
        return bytes(data), ""
    try:
        return str(data, codec).encode("utf-8"), name
    except UnicodeError:
        raise UnknownEncoding("it begins as {name}, but is not", name=name) from None


def _is_utf8(data: bytes | memoryview) -> bool:
    """Whether it can be decoded; piece by piece, since a text may take four times its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(view), 2**20):
            decoder.decode(view[start : start + 2**20])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(data: bytes) -> tuple[bytes, str]:
    """Tell Windows-1252 from GB18030 by how their letters stand.

    Western letters stand alone among ASCII ones. Chinese ones stand in rows, each of two bytes, the
    common ones with a lead in 0xB0 to 0xD7 and no ASCII byte in them: a row that is read in the
    wrong one of the two encodings still begins and ends where it does, so that code is the same,
    but for its words. Anything else is left to a person; so are pairs that may be syllables of
    Korean, no lead of which is above 0xC8, or kana of Japanese, with the leads 0xA4 and 0xA5.
    """
    rows = [found[0][:_ROW] for found in islice(_HIGH.finditer(data), _SAMPLE)]
    if sum(map(_is_utf8, rows)) >= 0.9 * len(rows):
        raise UnknownEncoding("some of its letters are damaged")
    alone = sum(len(row) <= 2 for row in rows)
    western = sum(all(byte in _WESTERN for byte in row) for row in rows)
    pairs = [row[at : at + 2] for row in rows for at in range(0, len(row), 2)]
    common = sum(
        len(pair) == 2 and (0xB0 <= pair[0] <= 0xD7 or 0xA1 <= pair[0] <= 0xA9) and pair[1] > 0xA0
        for pair in pairs
    )
    leads = {pair[0] for pair in pairs}
    if common >= 0.9 * len(pairs) and max(leads) > 0xC8 and not leads & {0xA4, 0xA5}:
        return _strictly(data, "gb18030", "GB18030")
    words = alone >= 0.9 * len(rows) and western == len(rows) and not _IN_WORDS.search(data)
    if words and common <= 0.2 * len(pairs):
        return _strictly(data, "cp1252", "Windows-1252")
    raise UnknownEncoding("which encoding its letters are in cannot be told")


def _strictly(data: bytes, codec: str, name: str) -> tuple[bytes, str]:
    try:
        return data.decode(codec).encode("utf-8"), name
    except UnicodeError:
        raise UnknownEncoding("it looks like {name}, but is not", name=name) from None
