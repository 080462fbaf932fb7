"""Reports on an assignment once it is graded: a page, a table, and data for programs."""

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory

from autograder.afterwards import graded, overview, page, similar
from autograder.afterwards.graded import CannotReport
from autograder.afterwards.similar import Filtered
from autograder.grading.worker import worker
from autograder.pipeline import gradebook
from autograder.pipeline.trouble import AGAIN, told
from autograder.text import write_whole

#: How long reading one student's code for fingerprints may take.
_SECONDS = 10.0

_LOG = logging.getLogger(__name__)


def main(arguments: Namespace) -> int:
    """Write the report on an assignment; 1 where there is nothing to report on."""
    try:
        paths = run(arguments.assignment, arguments.html, arguments.csv, arguments.json)
    except Exception as error:
        if not (why := told(error)):
            raise
        print(why, file=sys.stderr)
        return 1
    for path in paths:
        print(path)
    return 0


def run(assignment: str, html: Path | None, csv: Path | None, json: Path | None) -> list[Path]:
    """Write what was asked for, of the course in the current folder; nothing else is changed.

    Args:
        assignment: its name.
        html: where the page goes; None for `report/ASSIGNMENT.html` in the course's folder.
        csv: where the table goes, if it is to be written.
        json: where the data go, if they are to be written.

    Returns:
        what was written.

    Raises:
        CannotReport: nothing has been graded, or a file cannot be written.
        CourseError: the assignment was never released.
    """
    app = NbGrader()
    app.log_level = logging.ERROR
    app.initialize([])
    directory = CourseDirectory(config=app.config)
    works = graded.works(directory, assignment)
    release = gradebook.released(directory.db_url, assignment)
    told = overview.of(assignment, works)
    worker.prepare((similar.filtered, ([],)), log=_LOG)  # what takes long to import, once
    alike, left_out = similar.find(
        {work.student: work.solutions for work in works},
        {cell.grade_id: cell.source for cell in release.cells if cell.solution},
        _read,
    )
    target = (html or Path(directory.root, "report", f"{assignment}.html")).absolute()
    written = {target: page.html(told, works, alike, left_out, target.parent)}
    if csv is not None:
        written[csv] = page.as_csv(told, works)
    if json is not None:
        written[json] = page.as_json(told, alike, left_out)
    for path, content in written.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise CannotReport(
                f"{path} cannot be written: {error.strerror}. See to that, {AGAIN}"
            ) from None
    return list(written)


def _read(codes: Sequence[str]) -> list[Filtered]:
    """Filter one student's codes, in a worker: they may be made to take forever."""
    return worker.call(similar.filtered, codes, log=_LOG, seconds=_SECONDS)
