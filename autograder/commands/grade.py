"""Grades an assignment as `nbgrader autograde` does, with progress and a summary.

It is one nbgrader process, which grades many submissions at once (`autograder.pipeline.ahead`) and
tells what happens through a pipe (`autograder.pipeline.events`). All that libraries say goes to
nbgrader's log, which is kept where `--log` says.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from autograder.commands.grading_run import InLines, Live, Run, Shown, Verbatim

#: `nbgrader`, where a worker begins before nbgrader is imported.
NBGRADER: Sequence[str | Path] = (
    sys.executable,
    "-c",
    "from autograder.grading import early; early.begin();"
    " import nbgrader.apps.nbgraderapp as nbgrader; raise SystemExit(nbgrader.main())",
)
#: The exit status of what was stopped from the keyboard, as shells have it.
STOPPED = 130

#: Errors of nbgrader's log that are shown where it ended without another word.
_LAST = 3
_ENTRY = re.compile(r"^\[\w+ \| (\w+)\] ", re.MULTILINE)


def main(arguments: Namespace) -> int:
    """Grade an assignment as the command line says."""
    options = list(arguments.options)
    if arguments.workers:
        options.append(f"--GradeNotebook.workers={arguments.workers}")
    if arguments.scheduler:
        options.append(f"--GradeNotebook.scheduler={arguments.scheduler}")
    if arguments.allow_insecure:
        options.append("--GradeNotebook.allow_insecure=True")
    return run(arguments.assignment, options, arguments.json, arguments.log)


def run(
    assignment: str, options: Sequence[str] = (), as_json: bool = False, log: Path | None = None
) -> int:
    """Run `nbgrader autograde ASSIGNMENT` in the current folder.

    Args:
        assignment: its name.
        options: more of nbgrader's options.
        as_json: whether each thing that happens is printed as a line of JSON.
        log: the file that nbgrader's log goes to; None to forget it.

    Returns:
        0 where everything is graded, 1 where something needs a person, 130 where it was stopped.
    """
    graded = Run(assignment)
    people: Shown = Live(graded) if sys.stdout.isatty() else InLines(graded)
    shown = Verbatim() if as_json else people
    try:
        if log:
            log.touch()
    except OSError as error:
        print(f"The log cannot be written to {log}: {error.strerror}", file=sys.stderr)
        return 1
    with log.open("w+b") if log else tempfile.TemporaryFile("w+b") as file, shown:
        words = [*map(str, NBGRADER), "autograde", assignment, *options]
        status, stopped = _nbgrader(words, file, graded, shown)
        if stopped:
            status = STOPPED
        elif status and not graded.needs_a_person and not graded.refused:
            file.seek(0)
            said = errors(file.read().decode(errors="replace"))
            graded.refused = said or [f"nbgrader ended with status {status}"]
    if graded.needs_a_person:
        status = status or 1
    shown.summary(graded.summary(status, stopped))
    return status


def _nbgrader(words: Sequence[str], log: IO[bytes], graded: Run, shown: Shown) -> tuple[int, bool]:
    """Run nbgrader, and pass on what it tells.

    Returns:
        its exit status, and whether it was stopped from the keyboard.
    """
    ours, theirs = os.pipe()
    try:
        process = subprocess.Popen(
            [*words, f"--SubmissionExporter.progress={theirs}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs],
            # What is typed at the terminal reaches it through this process alone, once.
            process_group=0,
        )
    finally:
        os.close(theirs)
    stopped = False
    with os.fdopen(ours, "rb") as told:
        events = _events(told)
        while True:
            try:
                for event in events:
                    graded.note(event)
                    shown.note(event)
                return process.wait(), stopped
            except KeyboardInterrupt:
                process.send_signal(signal.SIGKILL if stopped else signal.SIGINT)
                stopped = True
                events = _events(told)  # an interrupt ends a generator


def _events(told: IO[bytes]) -> Iterator[dict[str, Any]]:
    while line := told.readline():
        yield json.loads(line)


def errors(log: str) -> list[str]:
    """The last errors of nbgrader's log, without tracebacks."""
    _, *entries = _ENTRY.split(log)
    levels, texts = entries[::2], entries[1::2]
    told = [
        " ".join(text.split())
        for level, text in zip(levels, texts, strict=True)
        if level in ("ERROR", "CRITICAL") and "Traceback (most recent call last)" not in text
    ]
    return told[-_LAST:]
