"""What the formgrader's dialogs leave out: steps of nbgrader's, and nothing else."""

import logging
from types import SimpleNamespace

import nbconvert.exporters.exporter
import nbgrader.converters.base
import pytest
from nbgrader.apps import NbGraderAPI

from autograder.grading import worker
from autograder.pipeline.dialog import Said, keep_short


@pytest.mark.parametrize(
    ("module", "level", "shown"),
    [
        (nbgrader.converters.base, logging.INFO, False),
        (nbconvert.exporters.exporter, logging.DEBUG, False),
        (nbgrader.converters.base, logging.WARNING, True),
        (worker, logging.INFO, True),
    ],
)
def test_steps_of_nbgraders_are_left_out(module: object, level: int, shown: bool) -> None:
    path = str(module.__file__)  # type: ignore[attr-defined]
    record = logging.LogRecord("any", level, path, 1, "a step", (), None)
    assert Said().filter(record) is shown


def test_long_lines_are_broken_where_a_dialog_would_cut_them_off() -> None:
    says = "Could not be graded: %s: the file is a web page,\n  not a notebook"
    record = logging.LogRecord("any", logging.ERROR, "", 1, says, ("one name " * 8,), None)
    assert Said().filter(record)
    first, second, third = record.getMessage().splitlines()
    assert first == "Could not be graded: one name one name one name one name one name one"
    assert second == "  name one name one name : the file is a web page,"
    assert third == "  not a notebook"


def test_only_what_is_run_by_the_api_is_for_a_dialog() -> None:
    log = logging.Logger("of a converter")
    keep_short(SimpleNamespace(log=log, parent=None))
    assert log.filters == []
    for _ in range(2):  # each press makes a converter, with the same log
        keep_short(SimpleNamespace(log=log, parent=NbGraderAPI.__new__(NbGraderAPI)))
    assert [type(each) for each in log.filters] == [Said]
