"""The command `grade`, with a stand-in for nbgrader that says what it is told to."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Started = Callable[..., "subprocess.Popen[str]"]

STAND_IN = """\
#!{python}
import json, os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
descriptor = int(sys.argv[-1].partition("--SubmissionExporter.progress=")[2])
for event in {events}:
    if event == "forever":
        time.sleep(1000)
    os.write(descriptor, (json.dumps(event) + "\\n").encode())
print("a library's warning", sys.argv[1:-1])
print("[AutogradeApp | ERROR] The gradebook cannot be opened", file=sys.stderr)
sys.exit({status})
"""
RUN = """\
import sys
from autograder.__main__ import main
from autograder.commands import grade
grade.NBGRADER = [sys.argv[1]]
sys.exit(main(["grade", "a", *sys.argv[2:]]))
"""
BEGUN = {"kind": "begun", "students": 3, "workers": 2}
SAVED = {"score": 5, "max_score": 8, "seconds": 1, "misconceptions": ["doubled"], "why": []}
ANN = {"kind": "saved", "student": "ann", **SAVED}
BEA = {"kind": "saved", "student": "bea", **SAVED, "why": ["the file is empty"]}
CYD = {"kind": "skipped", "student": "cyd"}


@pytest.fixture
def start(tmp_path: Path) -> Started:
    def begin(
        events: list[Any], status: int, *words: str, stdout: int = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        nbgrader = tmp_path / "nbgrader"
        nbgrader.write_text(
            STAND_IN.format(python=sys.executable, events=repr(events), status=status)
        )
        nbgrader.chmod(0o755)
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(nbgrader), *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def test_each_submission_has_a_line_and_the_run_a_summary(start: Started, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = ("--workers=3", "--log", str(log), "--student=x")
    process = start([BEGUN, ANN, BEA, CYD], 1, *words)
    out, err = process.communicate()
    assert (process.returncode, err) == (1, "")
    assert out.splitlines() == [
        "1/3 ann: 5 of 8",
        "2/3 bea: the file is empty",
        "a: 1 graded, 1 skipped, 1 failed",
        "scores of 8: 5 to 5, half of them 5 or more, mean 5",
        "  from 60 %  ██████████████████████████████ 1",
        "commonest misconceptions:",
        "     2  doubled",
        "needs a person:",
        "  bea: the file is empty",
    ]
    assert "['autograde', 'a', '--student=x', '--GradeNotebook.workers=3']" in log.read_text()


def test_for_programs_there_is_a_line_of_json_each(start: Started) -> None:
    process = start([BEGUN, ANN, CYD], 0, "--json")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    *events, summary = map(json.loads, out.splitlines())
    assert events == [BEGUN, ANN, CYD]
    assert (summary["kind"], summary["graded"], summary["skipped"]) == ("summary", 1, 1)


def test_what_nbgrader_fails_with_is_told_without_what_libraries_say(start: Started) -> None:
    process = start([BEGUN], 1)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (1, "", "The gradebook cannot be opened\n")


def test_a_log_that_cannot_be_written_is_told(start: Started, tmp_path: Path) -> None:
    process = start([BEGUN], 0, "--log", str(tmp_path / "nowhere" / "log"))
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith("The log cannot be written to ")


def test_a_terminal_has_one_line_that_is_always_the_newest(start: Started) -> None:
    ours, theirs = pty.openpty()
    process = start([BEGUN, ANN, BEA, CYD], 1, stdout=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 2**16)
        except OSError:
            break
        shown += piece
    assert process.wait() == 1
    text = shown.decode()
    assert "2 of 2 graded · 1 failed" in text or "getting ready" in text
    assert "a: 1 graded, 1 skipped, 1 failed" in text
    assert text.count("bea: the file is empty") == 2


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_is_harder(start: Started) -> None:
    process = start([BEGUN, ANN, "forever"], 0, "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    summary = json.loads(process.stdout.read())
    assert process.wait() == summary["status"] == 130
    assert (summary["graded"], summary["left"], summary["stopped"]) == (1, 2, True)
