"""Finds solutions that are more alike than a task makes them: for a person to judge, no more.

Fingerprints are copydetect's: of code without its names, comments and spaces, less those of what
was handed out. In a short task everybody's solution looks alike, so being alike is
not enough: what counts are *rare* fingerprints, such as few others of the class have. Two are shown
who share several of these, and most that they have.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from copydetect.utils import (
    filter_code,
    find_fingerprint_overlap,
    get_copied_slices,
    get_document_fingerprints,
    highlight_overlap,
)
from numpy.typing import NDArray

from autograder.grading.worker import BudgetSpent

#: Letters of code without names that make a fingerprint. Each is taken: winnowing would choose by
#: the hash, which Python draws anew in each process, and say something else each time.
_LETTERS, _WINDOW = 16, 1
#: A fingerprint is rare where at most this share of the class has it, or these two alone.
_RARE_SHARE, _RARE_LEAST = 0.03, 2
#: How many rare ones two solutions must share, and which share of all rare ones that they have.
_SHARED_LEAST, _SHARED_SHARE = 16, 0.6
#: The most groups that are told of a task; the rest is counted.
_MOST = 20


@dataclass(frozen=True)
class Group:
    """Students whose solutions of a task are unusually alike, each with some other's.

    Attributes:
        students: two or more.
        least, most: of the pairs that are unusually alike, the share of fingerprints that both
            have, of all that one of them has.
        closest: the two who share the most that few others have.
        rare: how many such fingerprints they share.
        codes: what these two wrote, as HTML: what both have is marked.
    """

    students: tuple[str, ...]
    least: float
    most: float
    closest: tuple[str, str]
    rare: int
    codes: tuple[str, str]


@dataclass(frozen=True)
class Similar:
    """What is alike among the solutions of a task.

    Attributes:
        task: the name of the solution's cell.
        solutions: how many were compared.
        usual: the median similarity of two of them.
        groups: those who share what few others have, the rarest likeness first.
        more: how many such groups are left out.
    """

    task: str
    solutions: int
    usual: float
    groups: tuple[Group, ...]
    more: int


#: Code without names, comments and spaces, and how far its letters have moved.
Filtered = tuple[str, NDArray[np.int64]]
#: Filters the codes of one student.
Filter = Callable[[Sequence[str]], list[Filtered]]


def filtered(codes: Sequence[str]) -> list[Filtered]:
    """Codes without names, comments and spaces.

    There is always some text that this takes hours for: what nobody has read is for a worker.
    """
    return [filter_code(code, "", "python") for code in codes]


class _Fingerprints:
    """The fingerprints of one text, with the places that they are of."""

    def __init__(self, code: str, filtered: Filtered) -> None:
        self.code = code
        plain, self._offsets = filtered
        self.hashes, self.places = get_document_fingerprints(plain, _LETTERS, _WINDOW)

    def marked(self, other: "_Fingerprints") -> str:
        """The code as HTML, with what the other has, too, marked."""
        mine, _ = find_fingerprint_overlap(self.hashes, other.hashes, self.places, other.places)
        slices = get_copied_slices(mine, _LETTERS)
        nearest = np.searchsorted(self._offsets[:, 0], slices).clip(0, len(self._offsets) - 1)
        slices = (slices + self._offsets[nearest, 1]).clip(0, len(self.code))
        html: str
        html, _ = highlight_overlap(self.code, slices, "<mark>", "</mark>", escape_html=True)
        return html


def find(
    solutions: Mapping[str, Mapping[str, str]],
    released: Mapping[str, str],
    read: Filter = filtered,
) -> tuple[list[Similar], list[str]]:
    """What is unusually alike in a class.

    Args:
        solutions: the code of each task, by student and task.
        released: what was handed out of each task.
        read: filters codes, within bounds where nobody has read them.

    Returns:
        the tasks that have such solutions, in the order of `released`; and the students who are
        left out, since their codes went beyond the bounds.
    """
    handed_out = {task: _Fingerprints(*each) for task, each in _filtered(released, filtered)}
    written: dict[str, dict[str, _Fingerprints]] = {task: {} for task in released}
    left_out = []
    for student, codes in sorted(solutions.items()):
        own = {
            task: code
            for task, code in codes.items()
            if task in released and code.strip() != released[task].strip()
        }
        try:
            for task, each in _filtered(own, read):
                written[task][student] = made = _Fingerprints(*each)
                made.hashes -= handed_out[task].hashes
        except BudgetSpent:
            left_out.append(student)
    similar = [_of_task(task, of_task) for task, of_task in written.items()]
    return [each for each in similar if each.groups], left_out


def _filtered(codes: Mapping[str, str], read: Filter) -> Iterable[tuple[str, tuple[str, Filtered]]]:
    """Each code, by its task, with what is left of it."""
    return zip(codes, zip(codes.values(), read(list(codes.values())), strict=True), strict=True)


def _of_task(task: str, written: Mapping[str, _Fingerprints]) -> Similar:
    students, of = list(written), list(written.values())
    has = _table([each.hashes for each in of])
    sizes = np.array([len(each.hashes) for each in of], np.float32)
    counts = Counter(value for each in of for value in each.hashes)
    few = max(_RARE_LEAST, _RARE_SHARE * len(students))
    rare = has[:, has.sum(axis=0) <= few]
    rare_sizes = np.array(
        [sum(counts[value] <= few for value in each.hashes) for each in of], np.float32
    )
    # Counts of what two have in common are products of rows; as float32, which is exact here.
    common_rare = rare @ rare.T
    alike, alike_in_rare = _share(has @ has.T, sizes), _share(common_rare, rare_sizes)
    one, two = np.triu_indices(len(students), 1)
    usual = float(np.median(alike[one, two])) if len(one) else 0.0
    unusual = (common_rare >= _SHARED_LEAST) & (alike_in_rare >= _SHARED_SHARE)
    one, two = one[unusual[one, two]], two[unusual[one, two]]
    links = sorted(
        _Link(-int(common_rare[first, second]), -float(alike[first, second]), first, second)
        for first, second in zip(one.tolist(), two.tolist(), strict=True)
    )
    groups = _groups(links)
    shown = [_group(group, students, of) for group in groups[:_MOST]]
    return Similar(task, len(students), usual, tuple(shown), len(groups) - len(shown))


class _Link(NamedTuple):
    """Two that are unusually alike; the rarest likeness sorts first."""

    minus_rare: int
    minus_alike: float
    one: int
    two: int


def _groups(links: Sequence[_Link]) -> list[list[_Link]]:
    """The links of those that hang together, in the order of each group's first."""
    of: dict[int, list[_Link]] = {}
    for link in links:
        mine, other = of.get(link.one, []), of.get(link.two, [])
        joined = mine if mine is other else [*mine, *other]
        joined.append(link)
        for each in joined:
            of[each.one] = of[each.two] = joined
    found = {id(group): sorted(group) for group in of.values()}
    return sorted(found.values())


def _group(links: Sequence[_Link], students: Sequence[str], of: Sequence["_Fingerprints"]) -> Group:
    first, *_ = links
    members = sorted({place for link in links for place in (link.one, link.two)})
    one, two = of[first.one], of[first.two]
    return Group(
        students=tuple(students[place] for place in members),
        least=min(-link.minus_alike for link in links),
        most=max(-link.minus_alike for link in links),
        closest=(students[first.one], students[first.two]),
        rare=-first.minus_rare,
        codes=(one.marked(two), two.marked(one)),
    )


def _share(common: NDArray[np.float32], sizes: NDArray[np.float32]) -> NDArray[np.float32]:
    """What two have in common, as a share of all that one of them has."""
    either = sizes[:, None] + sizes[None, :] - common
    share = np.zeros_like(common)
    np.divide(common, either, out=share, where=either > 0)
    return share


def _table(fingerprints: Sequence[set[int]]) -> NDArray[np.float32]:
    """A row for each solution, a column for each fingerprint that two have: 1 where it is there."""
    counts = Counter(value for each in fingerprints for value in each)
    columns = {value: place for place, value in enumerate(v for v in counts if counts[v] > 1)}
    table = np.zeros((len(fingerprints), len(columns)), np.float32)
    for row, each in enumerate(fingerprints):
        table[row, [columns[value] for value in each if value in columns]] = 1
    return table
