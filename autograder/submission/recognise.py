"""Tells which cell of a submission is which of the release's, also where the marks are gone.

nbgrader marks cells by a `grade_id` in their metadata. Copied into a fresh notebook, or saved by an
editor that drops what it does not know, cells lose it: then they are known by what is in them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from nbformat import NotebookNode

from autograder.submission.cells import grade_id

#: What a cell binds at its outermost level, by the look of its lines: it may be no valid Python.
_BINDS = re.compile(
    r"^(?:(?:async[ ]+def|def|class)[ ]+(\w+)|((?:\w+[ ]*,[ ]*)*\w+)[ ]*(?::[^=\n]*)?=(?!=))", re.M
)


class Recorded(Protocol):
    """What has to be known of a cell of the release."""

    @property
    def grade_id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def cell_type(self) -> str: ...
    @property
    def solution(self) -> bool: ...


def bound_names(source: str) -> list[str]:
    """The names that code defines or assigns at its outermost level, in order."""
    found = _BINDS.findall(source)
    return [name for made, assigned in found for name in re.findall(r"\w+", made or assigned)]


@lru_cache(maxsize=2_100)  # asked again and again of the cells of one notebook
def binds(source: str) -> frozenset[str]:
    """The names of `bound_names`, each once."""
    return frozenset(bound_names(source))


def asked_for(cell: Recorded) -> frozenset[str]:
    """The names that a solution cell is to bind: those of its stub, else its own."""
    return binds(cell.source) or frozenset([cell.grade_id])


def plain(source: str) -> str:
    """Source without what editors change: white space at the ends of lines, and empty lines."""
    return "\n".join(line.rstrip() for line in source.split("\n") if line.strip())


def recognise(
    cells: Sequence[NotebookNode], release: Sequence[Recorded]
) -> tuple[dict[int, str], list[str], list[str]]:
    """Find the cells of the release among those of a submission.

    Where several are marked alike, the last one is meant. A cell without a mark is a locked one
    if it has its text, and a solution if it binds the name that is asked for.

    Returns:
        the `grade_id` of each place that was recognised; those that had lost their mark; and those
        whose marks had been exchanged.
    """
    known = {each.grade_id: each for each in release}
    by_case = {name.casefold(): name for name in known}
    found: dict[str, int] = {}
    for place, cell in enumerate(cells):
        mark = grade_id(cell)
        name = mark if mark in known else by_case.get((mark or "").casefold())
        if name is not None:
            found[name] = place
    exchanged = _exchanged(cells, known, found)
    taken = set(found.values())
    free = [
        place
        for place, cell in enumerate(cells)
        if place not in taken and grade_id(cell) not in known
    ]
    lost = _by_text(cells, known, found, free) + _by_name(cells, known, found, free)
    order = [each.grade_id for each in release]
    return {place: name for name, place in found.items()}, sorted(lost, key=order.index), exchanged


def _by_text(
    cells: Sequence[NotebookNode],
    known: Mapping[str, Recorded],
    found: dict[str, int],
    free: list[int],
) -> list[str]:
    texts = {
        plain(each.source): name
        for name, each in known.items()
        if name not in found and not each.solution and each.source.strip()
    }
    lost = []
    for place in list(free) if texts else ():
        name = texts.pop(plain(cells[place].source), None)
        if name is not None:
            found[name] = place
            free.remove(place)
            lost.append(name)
    return lost


def _by_name(
    cells: Sequence[NotebookNode],
    known: Mapping[str, Recorded],
    found: dict[str, int],
    free: Iterable[int],
) -> list[str]:
    """Solutions by what they bind, where they stand between the cells that they belong between.

    A cell that binds several is none of them: it stays where it is, and so do those elsewhere.
    """
    names = list(known)
    missing = {
        name: (asked_for(each), _between(name, names, found))
        for name, each in known.items()
        if each.solution and each.cell_type == "code" and name not in found
    }
    lost: list[str] = []
    for place in free if missing else ():
        bound = binds(cells[place].source)
        meant = [name for name, (wanted, _) in missing.items() if wanted <= bound]
        if len(meant) == 1 and place in missing[meant[0]][1]:
            found[meant[0]] = place  # of several, the last one
            lost += [meant[0]] * (meant[0] not in lost)
    return lost


def _between(name: str, names: list[str], found: Mapping[str, int]) -> range:
    """The places between the cells that come before and after a cell in the release."""
    place = names.index(name)
    before = (found[each] for each in names[:place] if each in found)
    after = (found[each] for each in names[place:] if each in found)
    return range(max(before, default=-1) + 1, min(after, default=10**9))


def _exchanged(
    cells: Sequence[NotebookNode], known: Mapping[str, Recorded], found: dict[str, int]
) -> list[str]:
    """Give solutions back to their tasks where each holds what another one is to bind."""
    solutions = {
        name: place
        for name, place in found.items()
        if known[name].solution and known[name].cell_type == "code"
    }
    wrong: dict[str, str] = {}  # what a cell is marked as: what it is
    for name, place in solutions.items():
        bound = binds(cells[place].source)
        if not bound or asked_for(known[name]) <= bound:
            continue
        meant = [other for other in solutions if asked_for(known[other]) <= bound]
        if len(meant) == 1:
            wrong[name] = meant[0]
    if set(wrong) != set(wrong.values()):
        return []
    for name, meant_name in wrong.items():
        found[meant_name] = solutions[name]
    return sorted(wrong)
