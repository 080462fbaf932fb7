"""Keeps a grader warm for `check`, the formgrader and all other commands of this installation.

It runs in the foreground, in a second terminal or as a unit of systemd's, and writes nothing but
the door in the user's own folder for such things.
"""

import logging
import os
import signal
import sys
from argparse import Namespace
from typing import Any

from autograder.errors import AutograderError
from autograder.grading import dependence
from autograder.suites import SUITES


def main(arguments: Namespace) -> int:
    """Serve until interrupted, or not needed for long; 2 where there can be no service."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # A process that has threads cannot be forked, and numpy's begin when it is imported.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        outdated = _serve(arguments.idle * 60)
    except KeyboardInterrupt:
        return 0
    except AutograderError as error:
        print(error, file=sys.stderr)
        return 2
    if outdated:
        print("The code on disk is other now: beginning again.", flush=True)
        os.execv(sys.executable, sys.orig_argv)
    return 0


def _serve(idle_seconds: float) -> bool:
    """Serve; whether this ended because the code on disk has changed."""
    from autograder.grading import service

    code = dependence.of_code()
    folder = service.place()
    if service.is_up():
        raise service.CannotServe(f"A service is up already (its door is in {folder}).")
    from autograder.commands.on_the_spot import Course

    assignments = sorted({path.parent.name for path in SUITES.glob("*/test_*.py")})
    warm = service.warm_up(assignments, Course().terms)
    if dependence.of_code() != code:
        return True
    serving = service.Service(code, warm)
    try:
        print(f"Ready, in {folder}. End with Ctrl-C.", flush=True)
        return serving.serve(idle_seconds) is service.Ended.OUTDATED
    finally:
        serving.close()


def _interrupt(*told: Any) -> None:
    raise KeyboardInterrupt
