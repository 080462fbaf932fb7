"""What a run of grading has come to so far, and how it is shown: live, in lines, or as JSON."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import mean, quantiles
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live as LiveDisplay
from rich.text import Text

#: Misconceptions that the summary names: the commonest ones.
_COMMONEST = 5
_BAR = 30


@dataclass
class Run:
    """What was told of one run of nbgrader, added up.

    Attributes:
        assignment: what is graded.
        students: who handed in something.
        under_way: since when each submission is, that a pool or nbgrader has now.
        answered: those that are graded, but not yet in the gradebook.
        scores: those that are, with their points.
        skipped: how many were graded before, and nothing has changed.
        needs_a_person: one line for each that could not be graded.
        refused: why nothing, or nothing more, was.
    """

    assignment: str
    students: int = 0
    max_score: float = 0
    under_way: dict[str, float] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    scores: dict[str, float] = field(default_factory=dict)
    skipped: int = 0
    ungraded: int = 0
    needs_a_person: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    misconceptions: Counter[str] = field(default_factory=Counter)
    began: float = 0.0

    def note(self, event: dict[str, Any]) -> None:
        """Add one thing that was told (`autograder.pipeline.events`)."""
        student: str = event.get("student", "")
        match event["kind"]:
            case "begun":
                self.students, self.began = event["students"], time.monotonic()
            case "under_way":
                self.under_way[student] = time.monotonic()
            case "answered":
                self.under_way.pop(student, None)
                self.answered.add(student)
            case "skipped":
                self.skipped += 1
            case "saved":
                self._forget(student)
                self.max_score = event["max_score"]
                self.misconceptions.update(sorted(set(event["misconceptions"])))
                if not event["why"]:
                    self.scores[student] = event["score"]
            case "refused":
                self.refused = event["why"]
        if event["kind"] in ("saved", "failed") and event["why"]:
            self._forget(student)
            self.ungraded += 1
            self.needs_a_person += [f"{student}: {why}" for why in event["why"]]

    def _forget(self, student: str) -> None:
        self.under_way.pop(student, None)
        self.answered.discard(student)

    @property
    def done(self) -> int:
        """How many submissions are graded or have failed, or wait to be written."""
        return len(self.scores) + self.ungraded + len(self.answered)

    @property
    def line(self) -> str:
        """Where it is now, in one line."""
        if not self.students:
            return "getting ready …"
        parts = [f"{self.done} of {self.students - self.skipped} graded"]
        if self.ungraded:
            parts.append(f"{self.ungraded} failed")
        seconds = time.monotonic() - self.began
        if self.done:
            left = (self.students - self.skipped - self.done) * seconds / self.done
            parts += [f"{self.done / seconds:.1f}/s", f"{_clock(left)} left"]
        if self.under_way:
            student, since = min(self.under_way.items(), key=lambda each: each[1])
            parts.append(f"slowest now {student}, {time.monotonic() - since:.0f} s")
        return " · ".join(parts)

    def summary(self, status: int, stopped: bool) -> dict[str, Any]:
        """What it came to, for programs."""
        scores = sorted(self.scores.values())
        return {
            "kind": "summary",
            "assignment": self.assignment,
            "status": status,
            "stopped": stopped,
            "graded": len(scores),
            "skipped": self.skipped,
            "failed": self.ungraded,
            "left": max(0, self.students - self.skipped - len(scores) - self.ungraded),
            "max_score": self.max_score,
            "scores": {
                "mean": round(mean(scores), 2),
                "least": scores[0],
                "quartiles": quantiles(scores, n=4, method="inclusive") if scores[1:] else scores,
                "most": scores[-1],
                "by_tenth": _by_tenth(scores, self.max_score),
            }
            if scores
            else {},
            "misconceptions": dict(self.misconceptions.most_common(_COMMONEST)),
            "needs_a_person": self.needs_a_person,
            "refused": self.refused,
        }


def _by_tenth(scores: list[float], most: float) -> list[int]:
    """How many scores lie in each tenth of what can be earned; full marks are in the last."""
    counts = [0] * 10
    for score in scores:
        counts[min(9, int(10 * score / (most or 1)))] += 1
    return counts


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def in_lines(summary: dict[str, Any]) -> Iterator[str]:
    """The summary for people."""
    if summary["refused"] and not summary["graded"]:
        yield from summary["refused"]
        return
    counts = [f"{summary[name]} {name}" for name in ("graded", "skipped", "failed")]
    yield f"{summary['assignment']}: {', '.join(counts)}"
    if summary["stopped"]:
        yield f"Stopped: the same command goes on with the {summary['left']} that are left."
    elif summary["refused"]:
        yield f"Ended before the {summary['left']} that are left:"
        yield from (f"  {line}" for line in summary["refused"])
    if scores := summary["scores"]:
        middle = scores["quartiles"][len(scores["quartiles"]) // 2]
        yield (
            f"scores of {summary['max_score']:g}: {scores['least']:g} to {scores['most']:g},"
            f" half of them {middle:g} or more, mean {scores['mean']:g}"
        )
        most = max(scores["by_tenth"])
        for tenth, count in reversed(list(enumerate(scores["by_tenth"]))):
            if count:
                yield f"  from {10 * tenth:2d} %  {'█' * max(1, _BAR * count // most)} {count}"
    if summary["misconceptions"]:
        yield "commonest misconceptions:"
        yield from (f"  {count:4d}  {name}" for name, count in summary["misconceptions"].items())
    if summary["needs_a_person"]:
        yield "needs a person:"
        yield from (f"  {line}" for line in summary["needs_a_person"])


# -------------------------------------------------------------------------------- ways to show it


class Shown(Protocol):
    """A way to show a run, as a context while it goes on."""

    def __enter__(self) -> Any:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End."""

    def note(self, event: dict[str, Any]) -> None:
        """Show one thing that was told."""

    def summary(self, summary: dict[str, Any]) -> None:
        """Show what it came to."""


class _AlwaysOpen:
    """A way that needs no beginning."""

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(self, *error: object) -> None:
        """Nothing is to be done."""


class Verbatim(_AlwaysOpen):
    """Every event as a line of JSON, the summary last."""

    def note(self, event: dict[str, Any]) -> None:
        """Print it."""
        print(json.dumps(event), flush=True)

    def summary(self, summary: dict[str, Any]) -> None:
        """Print it."""
        self.note(summary)


class _ForPeople(_AlwaysOpen):
    def summary(self, summary: dict[str, Any]) -> None:
        """Print it; why nothing could be graded goes where errors go."""
        refused = summary["refused"] and not summary["graded"]
        print("\n".join(in_lines(summary)), file=sys.stderr if refused else sys.stdout)


class InLines(_ForPeople):
    """A line for each submission: for files and pipes."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def note(self, event: dict[str, Any]) -> None:
        """Print what has come of a submission."""
        if event["kind"] in ("saved", "failed"):
            why = "; ".join(event["why"])
            result = why or f"{event['score']:g} of {event['max_score']:g}"
            run = self._run
            number = len(run.scores) + run.ungraded
            print(f"{number}/{run.students - run.skipped} {event['student']}: {result}", flush=True)


class Live(_ForPeople):
    """One line at the bottom of a terminal, which is always the newest."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._display = LiveDisplay(
            console=Console(), get_renderable=self._line, refresh_per_second=4, transient=True
        )

    def _line(self) -> Text:
        return Text(self._run.line, no_wrap=True, overflow="ellipsis")

    def __enter__(self) -> None:
        """Show it."""
        self._display.start()

    def __exit__(self, *error: object) -> None:
        """Take it away: the summary is there instead."""
        self._display.stop()

    def note(self, event: dict[str, Any]) -> None:
        """Show what needs a person at once; all else is in the line."""
        if event["kind"] in ("saved", "failed") and event["why"]:
            self._display.console.print(
                Text(f"{event['student']}: {'; '.join(event['why'])}", style="red")
            )
