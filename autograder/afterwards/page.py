"""Writes the report: a page that opens anywhere, a table for spreadsheets, data for programs."""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autograder.afterwards import charts
from autograder.afterwards.graded import Work
from autograder.afterwards.overview import Overview
from autograder.afterwards.similar import Similar
from autograder.grading.report import templates
from autograder.language import Text, Translate, render

_TEMPLATES = templates("autograder.afterwards")


def html(
    overview: Overview,
    works: Sequence[Work],
    similar: Sequence[Similar],
    left_out: Sequence[str],
    folder: Path,
    translate: Translate = str,
) -> str:
    """The page: nothing in it is loaded from anywhere.

    Args:
        overview: what it says.
        works: everybody's work, for the table of all and links to feedback pages.
        similar: what is alike.
        left_out: whose solutions were not compared.
        folder: where the page will lie; links to feedback are relative to it.
        translate: into the language of the page.
    """
    pages = {work.student: quote(os.path.relpath(work.page, folder)) for work in works if work.page}

    def written(text: str | Text, **values: Any) -> str:
        return render(Text(text, **values), translate)

    drawn = {}
    if overview.bands:
        drawn["distribution"] = charts.distribution(
            overview.bands, written("Points"), written("Students")
        )
    if overview.tasks:
        drawn["lost"] = charts.points_lost(overview.tasks, written("Points lost, on average"))
    return _TEMPLATES.get_template("report.html.j2").render(
        overview=overview,
        works=works,
        similar=similar,
        left_out=left_out,
        pages=pages,
        drawn=drawn,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        _=written,
    )


def as_json(overview: Overview, similar: Sequence[Similar], left_out: Sequence[str]) -> str:
    """All that the page says, for programs; codes of similar solutions are left out."""
    told = _plain(overview) | {"mean": overview.mean, "median": overview.median}
    told |= {"similar": _plain(similar), "not_compared": list(left_out)}
    return json.dumps(told, indent=2) + "\n"


def _plain(value: Any) -> Any:
    """Sentences as they read in English, dataclasses by their fields; all else as it is."""
    if isinstance(value, Text):
        return str(value)
    if is_dataclass(value):
        return {
            each.name: _plain(getattr(value, each.name))
            for each in fields(value)
            if each.name != "codes"
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def as_csv(overview: Overview, works: Sequence[Work]) -> str:
    """A row for each student: points in all and by task, misconceptions, what was noted."""
    tasks = [task.task for task in overview.tasks]
    file = io.StringIO(newline="")
    rows = csv.writer(file)
    rows.writerow(
        ["student", "name", "score", "max_score", *tasks, "misconceptions", "hand_ins", "notes"]
    )
    for work in works:
        earned = {cell.task: cell.earned for cell in work.record.cells if not cell.ungraded}
        standing = work.standing
        rows.writerow(
            [
                work.student,
                work.name,
                "" if standing is None or standing.score is None else f"{standing.score:g}",
                f"{overview.points:g}",
                *(earned.get(task, "") for task in tasks),
                " ".join(sorted(work.misconceptions)),
                len(work.hand_ins),
                " | ".join(map(str, work.record.notes)),
            ]
        )
    return file.getvalue()
