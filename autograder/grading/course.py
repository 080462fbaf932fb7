"""What a course must be before anything is graded: cells, suites and data that belong together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.errors import AutograderError


class CourseError(AutograderError):
    """The course is not fit to grade with; every line of the text says one thing to do."""


def check(
    assignment: str,
    cells: Mapping[str, float],
    suites: Mapping[str, int],
    datasets: Sequence[str],
    course_data: Path,
) -> None:
    """Check that the release, the suites and the data of `assignment` belong together.

    Args:
        assignment: its name.
        cells: the points of each grade cell of the release, by `grade_id`.
        suites: the points of each suite, by the name of its grade cell.
        datasets: the folders of `course_data` that the notebook reads.
        course_data: the folder of the data that notebooks read.

    Raises:
        CourseError: a grade cell without its suite, a suite without its cell, points that do not
            add up, or data that is not there.
    """
    problems = _compare(assignment, cells, suites)
    for name in datasets:
        if not (course_data / name).is_dir():
            problems.append(
                f"The data is missing: {course_data / name}. Restore it from the repository, or"
                " write it again: python -m autograder.commands.course_data"
            )
    if problems:
        raise CourseError("\n".join(problems))


def _compare(assignment: str, cells: Mapping[str, float], suites: Mapping[str, int]) -> list[str]:
    folder = f"autograder/suites/{assignment}"
    problems = [
        f"Grade cell '{name}' has no suite: write {folder}/{name}.py"
        for name in sorted(cells.keys() - suites.keys())
    ]
    problems += [
        f"Suite {folder}/{name}.py has no grade cell '{name}' in the release: remove the suite, or"
        f" add the cell and run: nbgrader generate_assignment {assignment}"
        for name in sorted(suites.keys() - cells.keys())
    ]
    problems += [
        f"Grade cell '{name}' has {cells[name]:g} points, the tests of its suite {folder}/{name}.py"
        f" add up to {suites[name]}: make them equal"
        for name in sorted(cells.keys() & suites.keys())
        if cells[name] != suites[name]
    ]
    return problems
