"""How soon feedback comes: two students hand in thirty times in a minute.

    python -m tests.watch_load [HAND_INS [SECONDS]]

Runs `python -m autograder watch` on a course folder of its own, and prints the seconds from each
hand-in to its feedback.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.commands.hand_ins import GRADED, Attempt
from autograder.commands.watch import FOLDER, LOG
from autograder.commands.workspace import Workspace
from tests.exchange import Exchange

ASSIGNMENT = "parameters"


def main() -> None:
    """Hand in, wait for all feedback, and print how long it took."""
    hand_ins, seconds = map(int, (sys.argv[1:] + ["30", "60"][len(sys.argv) - 1 :])[:2])
    nb = nbformat.read(ROOT / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", 4)
    with tempfile.TemporaryDirectory(prefix="watch-") as name:
        course = Workspace.make(Path(name, "course"), [ASSIGNMENT])
        exchange = Exchange(Path(name), course, ASSIGNMENT)
        with (course.folder / "nbgrader_config.py").open("a") as file:
            file.write(f"\nc.Watch.gradings_a_day = {hand_ins}\n")
        command = [sys.executable, "-m", "autograder", "watch"]
        watch = subprocess.Popen(command, cwd=course.folder, stdout=subprocess.PIPE, text=True)
        assert watch.stdout is not None
        print(watch.stdout.readline(), end="")
        threading.Thread(target=lambda: list(map(print, watch.stdout)), daemon=True).start()
        try:
            exchange.submit("first", ASSIGNMENT, nb)  # the kernels' template is warm afterwards
            _wait_for(course, 1)
            for number, student in zip(range(hand_ins), itertools.cycle(["ann", "ben"])):
                exchange.submit(student, ASSIGNMENT, nb)
                print(f"hand-in {number + 1} by {student}", flush=True)
                time.sleep(seconds / hand_ins)
            told = _wait_for(course, 1 + hand_ins)[1:]
        finally:
            watch.terminate()
            watch.wait()
    took = sorted(each.seconds for each in told if each.status == GRADED)
    print(f"{len(took)} graded of {hand_ins}; seconds from submit to feedback:")
    print(f"median {statistics.median(took):.2f}, least {took[0]:.2f}, most {took[-1]:.2f}")


def _wait_for(course: Workspace, count: int) -> list[Attempt]:
    while True:
        log = course.folder / FOLDER / LOG
        lines = log.read_text().splitlines() if log.exists() else []
        if len(lines) >= count:
            return [Attempt(**json.loads(line)) for line in lines]
        time.sleep(0.2)


if __name__ == "__main__":
    main()
