"""What was handed out, told in two ways: by nbgrader's gradebook, and by the released notebook."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.grading.worker import GraderLimits
from autograder.kernel.protocol import Limits
from autograder.pipeline import gradebook
from autograder.pipeline.exporter import SubmissionExporter
from autograder.pipeline.grade import GradeNotebook
from autograder.pipeline.settings import gathered
from autograder.sandbox import SandboxLimits
from autograder.submission.cells import marks
from autograder.submission.limits import IntakeLimits, ReadLimits
from autograder.submission.rebuild import SCHEMA_VERSION, Release, restored
from autograder.suites import datasets

ASSIGNMENTS = sorted(path.name for path in (ROOT / "release").iterdir())


def test_gradebook_and_notebook_tell_the_same(parameters: Workspace) -> None:
    url = f"sqlite:///{parameters.folder / 'gradebook.db'}"
    release = parameters.released("parameters")
    assert gradebook.released(url, "parameters") == release
    assert sum(release.points.values()) == 100


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_release_that_nobody_touched_is_restored_to_itself(assignment: str) -> None:
    path = ROOT / "release" / assignment / f"{assignment}.ipynb"
    nb = nbformat.read(path, as_version=4)
    whole, notes = restored(nbformat.read(path, as_version=4).cells, Release.of_notebook(nb))
    assert notes == []
    assert [cell.source for cell in whole.cells] == [cell.source for cell in nb.cells]
    assert [marks(cell) for cell in whole.cells] == [marks(cell) for cell in nb.cells]
    nbformat.validate(whole)


def test_the_metadata_is_of_the_version_that_nbgrader_writes() -> None:
    assert MetadataValidator.schema_version == SCHEMA_VERSION


def test_data_sets_are_declared_beside_the_suites() -> None:
    declared = {assignment: datasets(assignment) for assignment in ASSIGNMENTS}
    assert declared["manual_backward"] == ("digits_3_vs_8",)
    assert declared["parameters"] == datasets("no suites at all") == ()


@pytest.mark.parametrize(
    ("step", "family"),
    [
        *((GradeNotebook, family) for family in (Limits, SandboxLimits, GraderLimits)),
        *((SubmissionExporter, family) for family in (IntakeLimits, ReadLimits)),
    ],
)
def test_every_limit_can_be_set(step: type[Any], family: type[Any]) -> None:
    names = [field.name for field in fields(family)]
    assert set(names) <= set(step.class_trait_names(config=True))
    assert gathered(step(), family) == family()
    assert gathered(step(**dict.fromkeys(names, 7)), family) == family(**dict.fromkeys(names, 7))


def test_the_policy_sets_the_limits_to_their_defaults() -> None:
    """The file shows them all at a glance: what it says is what they are without it."""
    text = (ROOT / "nbgrader_config.py").read_text()
    shown = dict(
        line.removeprefix("c.GradeNotebook.").split("#")[0].split(" = ")
        for line in text.splitlines()
        if line.startswith("c.GradeNotebook.")
    )
    step = GradeNotebook()
    assert {name: eval(value) for name, value in shown.items()} == {
        field.name: getattr(step, field.name)
        for family in (Limits, SandboxLimits, GraderLimits)
        for field in fields(family)
    }


def test_a_workspace_has_data_and_secret_of_its_own(parameters: Workspace) -> None:
    assert (parameters.folder / "course_data" / "digits_3_vs_8").is_dir()
    submission = parameters.submission("ann", "parameters", nbformat.v4.new_notebook())
    assert (parameters.folder / "course_secret").is_file()
    assert len(submission.seed) == 32
    assert not Path(ROOT, "course_secret").exists() or (
        (parameters.folder / "course_secret").read_bytes() != (ROOT / "course_secret").read_bytes()
    )
