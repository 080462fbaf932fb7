"""Whether JSON that a student's process wrote is small once it is decoded, seen without decoding.

Three bytes of it can become sixty of memory, and lists inside lists calls inside calls.
"""

import re

#: Lists, objects, items and texts together.
MAX_VALUES = 10**6

_STRING = re.compile(rb'"[^"]*+(?:"|\Z)')


def is_modest(text: bytes) -> bool:
    """Whether a piece of JSON holds no more than about `MAX_VALUES` values, in linear time.

    What is in its strings does not count.
    """
    if len(text) < MAX_VALUES or _values_in(text) + text.count(b'"') < MAX_VALUES:
        return True
    bare = text.replace(rb"\\", b"").replace(rb"\"", b"")
    # Each string is a piece of memory here, too: first their number.
    return bare.count(b'"') <= 2 * MAX_VALUES and _values_in(_STRING.sub(b"", bare)) < MAX_VALUES


def _values_in(text: bytes) -> int:
    return sum(map(text.count, (b",", b"[", b"{")))
