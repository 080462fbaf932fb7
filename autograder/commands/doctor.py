"""Looks whether all is as it must be before grading, and says what mends what is not."""

import json
import logging
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial

from nbgrader.apps.baseapp import NbGrader

from autograder.commands import health, health_of_course
from autograder.commands.health import Finding
from autograder.commands.health_of_course import Course

Look = Callable[[], Iterator[Finding]]


def main(arguments: Namespace) -> int:
    """Print what is found; 0 where nothing is wrong, else 1."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    app = NbGrader()
    app.log_level = logging.CRITICAL
    app.initialize([])
    found = examine(Course(app.config))
    if arguments.json:
        told = [{"checked": name, **vars(each)} for name, all_ in found.items() for each in all_]
        print(json.dumps({"checked": list(found), "found": told}, indent=2))
    else:
        for name, findings in found.items():
            _print(name, findings)
    return int(any(finding.is_wrong for findings in found.values() for finding in findings))


def examine(course: Course) -> dict[str, list[Finding]]:
    """What is found, by what was looked at."""
    os.chdir(course.root)
    return {name: _found(name, look) for name, look in looks(course).items()}


def looks(course: Course) -> dict[str, Look]:
    """All that is looked at, by its name, in order."""
    return {
        "machine": health.machine,
        "packages": health.packages,
        "sandbox": health.the_sandbox,
        "memory": partial(health.memory, course.step.memory_bytes),
        "disk": partial(health.disk, course.root),
        "data": partial(health_of_course.data, course),
        "gradebook": partial(health_of_course.the_gradebook, course),
        "suites": partial(health_of_course.suites, course),
        "release": partial(health_of_course.release, course),
        "exchange": partial(health_of_course.exchange, course),
        "dates": partial(health_of_course.dates, course),
        "feedback": partial(health_of_course.feedback, course),
        "secrets": partial(health_of_course.secrets, course),
    }


def _found(name: str, look: Look) -> list[Finding]:
    """What a look finds; that it stumbles is a finding, too."""
    try:
        return list(look())
    except Exception as error:
        says = f"This could not be looked at: {type(error).__name__}: {error}"
        return [Finding(says.splitlines()[0], f"mend that, and run doctor again ({name})")]


def _print(name: str, findings: list[Finding]) -> None:
    if not findings:
        print(f"{name:10} ok")
    for finding in findings:
        print(f"{name:10} {'WRONG' if finding.is_wrong else 'note'}: {finding.says}")
        print(f"{'':10}   → {finding.mend}")
