"""What cost points, in lines: for a log or a terminal."""

from collections.abc import Iterable, Iterator

from autograder.grading.results import CellResult


def lost_points(results: Iterable[CellResult]) -> Iterator[str]:
    """A line for each reason: how many points it cost, where, and what it is."""
    found: dict[str, list[tuple[str, int]]] = {}
    for cell in results:
        for test in cell.tests:
            if test.earned < test.points and not cell.ungraded:
                cost = test.points - test.earned
                found.setdefault(str(test.message), []).append((cell.task, cost))
    for reason, items in found.items():
        tasks = ", ".join(dict.fromkeys(task for task, _ in items))
        yield f"{-sum(cost for _, cost in items):4d} {tasks}: {reason}"
