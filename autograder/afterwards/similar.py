"""Finds solutions that are more alike than a task makes them: for a person to judge, no more.

Fingerprints are copydetect's: of code without its names, comments and spaces, by winnowing, less
those of what was handed out. In a short task everybody's solution looks alike, so being alike is
not enough. A pair is shown where both hold:

* the two share several *rare* fingerprints: such as few others of the class have;
* they are far more alike than two solutions of this task usually are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from copydetect.utils import (
    filter_code,
    find_fingerprint_overlap,
    get_copied_slices,
    get_document_fingerprints,
    highlight_overlap,
)
from numpy.typing import NDArray

#: Letters of code without names that make a fingerprint, and how many of these one is chosen from.
_LETTERS, _WINDOW = 16, 4
#: A fingerprint is rare where at most this share of the class has it, or these two alone.
_RARE_SHARE, _RARE_LEAST = 0.03, 2
#: How many rare ones two solutions must share.
_SHARED_LEAST = 4
#: How far from what is usual towards being the same: halfway.
_FAR = 0.5
#: The most pairs that are told of a task; the rest is counted.
_MOST = 20


@dataclass(frozen=True)
class Pair:
    """Two solutions of a task.

    Attributes:
        students: the two.
        similarity: the share of fingerprints that they have in common, of all that they have.
        rare: how many of these few others have.
        codes: what each wrote, as HTML: what both have is marked.
    """

    students: tuple[str, str]
    similarity: float
    rare: int
    codes: tuple[str, str]


@dataclass(frozen=True)
class Similar:
    """What is alike among the solutions of a task.

    Attributes:
        task: the name of the solution's cell.
        solutions: how many were compared.
        usual: the median similarity of two of them.
        pairs: those far above that, the rarest likeness first.
        more: how many such pairs are left out.
    """

    task: str
    solutions: int
    usual: float
    pairs: tuple[Pair, ...]
    more: int


class _Fingerprints:
    """The fingerprints of one text, with the places that they are of."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.filtered, self._offsets = filter_code(code, "", "python")
        self.hashes, self.places = get_document_fingerprints(self.filtered, _LETTERS, _WINDOW)

    def marked(self, other: "_Fingerprints") -> str:
        """The code as HTML, with what the other has, too, marked."""
        mine, _ = find_fingerprint_overlap(self.hashes, other.hashes, self.places, other.places)
        slices = get_copied_slices(mine, _LETTERS)
        nearest = np.searchsorted(self._offsets[:, 0], slices).clip(0, len(self._offsets) - 1)
        slices = (slices + self._offsets[nearest, 1]).clip(0, len(self.code))
        html: str
        html, _ = highlight_overlap(self.code, slices, "<mark>", "</mark>", escape_html=True)
        return html


def find(solutions: Mapping[str, Mapping[str, str]], released: Mapping[str, str]) -> list[Similar]:
    """What is unusually alike in a class.

    Args:
        solutions: the code of each task, by student and task.
        released: what was handed out of each task.

    Returns:
        the tasks that have such pairs, in the order of `released`.
    """
    found = []
    for task, given in released.items():
        written = {
            student: code
            for student, tasks in solutions.items()
            if (code := tasks.get(task, given)).strip() != given.strip()
        }
        similar = _of_task(task, written, given)
        if similar.pairs:
            found.append(similar)
    return found


def _of_task(task: str, written: Mapping[str, str], given: str) -> Similar:
    students = sorted(written)
    handed_out = _Fingerprints(given).hashes
    of = [_Fingerprints(written[student]) for student in students]
    for each in of:
        each.hashes -= handed_out
    has = _table([each.hashes for each in of])
    rare = has[:, has.sum(axis=0) <= max(_RARE_LEAST, _RARE_SHARE * len(students))]
    # Counts of what two have in common are products of rows; as float32, which is exact here.
    common, common_rare = has @ has.T, rare @ rare.T
    sizes = np.array([len(each.hashes) for each in of], np.float32)
    either = sizes[:, None] + sizes[None, :] - common
    alike = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    one, two = np.triu_indices(len(students), 1)
    usual = float(np.median(alike[one, two])) if len(one) else 0.0
    unusual = (common_rare[one, two] >= _SHARED_LEAST) & (
        alike[one, two] >= usual + _FAR * (1 - usual)
    )
    chosen = np.flatnonzero(unusual)
    order = np.lexsort((-alike[one, two][chosen], -common_rare[one, two][chosen]))
    pairs = [
        Pair(
            students=(students[first], students[second]),
            similarity=float(alike[first, second]),
            rare=int(common_rare[first, second]),
            codes=(of[first].marked(of[second]), of[second].marked(of[first])),
        )
        for first, second in zip(
            one[chosen[order[:_MOST]]], two[chosen[order[:_MOST]]], strict=True
        )
    ]
    return Similar(task, len(students), usual, tuple(pairs), len(chosen) - len(pairs))


def _table(fingerprints: Sequence[set[int]]) -> NDArray[np.float32]:
    """A row for each solution, a column for each fingerprint that two have: 1 where it is there."""
    counts = Counter(value for each in fingerprints for value in each)
    columns = {value: place for place, value in enumerate(v for v in counts if counts[v] > 1)}
    table = np.zeros((len(fingerprints), len(columns)), np.float32)
    for row, each in enumerate(fingerprints):
        table[row, [columns[value] for value in each if value in columns]] = 1
    return table
