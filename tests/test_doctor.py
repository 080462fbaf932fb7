"""`doctor` finds nothing wrong in a sound course folder, and each fault with what mends it."""

import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.baseapp import NbGrader

from autograder import ROOT
from autograder.commands import doctor, health, health_of_course
from autograder.commands.health import Finding
from autograder.commands.health_of_course import Course
from autograder.commands.workspace import Workspace
from autograder.sandbox import SandboxUnavailable

A = "parameters"


@pytest.fixture
def folder(parameters: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course folder with `parameters` released and an exchange, to be spoilt."""
    folder = tmp_path / "course"
    shutil.copytree(parameters.folder, folder, symlinks=True)
    exchange = tmp_path / "exchange"
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.Exchange.root = {str(exchange)!r}\n")
    course = exchange / "pytorch-autograd"
    for name, mode in (("", 0o777), ("inbound", 0o733), ("outbound", 0o755)):
        (course / name).mkdir(parents=True, exist_ok=True)
        (course / name).chmod(mode)
    exchange.chmod(0o777)
    shutil.copytree(folder / "release" / A, course / "outbound" / A)
    monkeypatch.chdir(folder)
    return folder


def found(folder: Path) -> dict[str, list[Finding]]:
    app = NbGrader()
    app.initialize([])
    return {name: all_ for name, all_ in doctor.examine(Course(app.config)).items() if all_}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def due_at_midnight(folder: Path) -> None:
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(A, duedate="2026-11-30 00:00:00 UTC")


def changed_data(folder: Path) -> None:
    (folder / "course_data").unlink()
    shutil.copytree(ROOT / "course_data" / "digits", folder / "course_data" / "digits")
    image = next((folder / "course_data" / "digits" / "val").rglob("*.png"))
    image.write_bytes(b"")
    for name in ("source", "release"):  # an assignment that reads it
        shutil.copytree(ROOT / name / "blocks", folder / name / "blocks")


def handed_in(folder: Path) -> None:
    for step in ("submitted", "autograded", "feedback"):
        (folder / step / "ann" / A).mkdir(parents=True)
    shutil.copy(folder / "release" / A / f"{A}.ipynb", folder / "autograded" / "ann" / A)
    (folder / "feedback" / "ann" / A / f"{A}.html").touch()
    (folder / "submitted" / "ben" / A).mkdir(parents=True)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.add_student("ann")
        gradebook.add_submission(A, "ann")


def older_in_the_exchange(folder: Path) -> None:
    edit(exchange(folder) / "outbound" / A / f"{A}.ipynb", "Training changes", "Learning changes")


def exchange(folder: Path) -> Path:
    return folder.parent / "exchange" / "pytorch-autograd"


FAULTS: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "no gradebook": (
        lambda folder: (folder / "gradebook.db").unlink(),
        *("gradebook", "There is no gradebook yet", "nbgrader generate_assignment"),
    ),
    "a gradebook that is none": (
        lambda folder: (folder / "gradebook.db").write_text("no database"),
        *("gradebook", "cannot be opened", "nbgrader db upgrade"),
    ),
    "a release that the gradebook does not know": (
        lambda folder: edit(folder / "release" / A / f"{A}.ipynb", "import torch", "import  torch"),
        *("gradebook", "is not what", f"nbgrader generate_assignment {A}"),
    ),
    "an old release": (
        lambda folder: edit(folder / "source" / A / f"{A}.ipynb", "Training changes", "It changes"),
        *("release", "is older than", "make release"),
    ),
    "no release": (
        lambda folder: shutil.rmtree(folder / "release" / A),
        *("release", "has not been released", f"nbgrader generate_assignment {A}"),
    ),
    "points that do not add up": (
        lambda folder: edit(folder / "source" / A / f"{A}.ipynb", '"points": 30', '"points": 31'),
        *("suites", "has 31 points", "see docs/suites.md"),
    ),
    "a visible check of another name": (
        lambda folder: edit(
            folder / "source" / A / f"{A}.ipynb", '@visible_check(\\"MLP', '@visible_check(\\"MPL'
        ),
        *("suites", "test_MLP has no visible check", '@visible_check("MLP")'),
    ),
    "a check that nobody is told of": (
        lambda folder: edit(folder / "release" / A / f"{A}.ipynb", "state_dict", "saved"),
        *("suites", "speaks of state_dict", "say in the notebook"),
    ),
    "changed data": (changed_data, "data", "1 files of", "git checkout -- course_data"),
    "a closed exchange": (
        lambda folder: exchange(folder).parent.chmod(0o755),
        *("exchange", "Not everybody can write", "chmod ugo+rwx"),
    ),
    "an inbound folder that is closed": (
        lambda folder: (exchange(folder) / "inbound").chmod(0o700),
        *("exchange", "cannot hand in", "chmod ugo+wx"),
    ),
    "an older release in the exchange": (
        older_in_the_exchange,
        *("exchange", "still fetch an older", f"nbgrader release_assignment {A} --force"),
    ),
    "midnight": (due_at_midnight, "dates", "at 00:00 UTC", "nbgrader db assignment add"),
    "no time zone": (
        lambda folder: (folder / "nbgrader_config.py").open("a").write("c.Exchange.timezone='x'\n"),
        *("dates", "no time zone", "Europe/Berlin"),
    ),
    "stale feedback": (
        handed_in,
        *("feedback", "the feedback of ann", f"nbgrader generate_feedback {A}"),
    ),
    "work that waits": (
        handed_in,
        *("feedback", "ben handed in what has not been", f"nbgrader autograde {A}"),
    ),
    "a suite in the release": (
        lambda folder: shutil.copy(
            ROOT / "autograder/suites/parameters/test_MLP.py", folder / "release" / A / "a.py"
        ),
        *("secrets", "a.py is the instructor's autograder/suites/parameters/test_MLP.py", "rm "),
    ),
    "a secret in the exchange": (
        lambda folder: shutil.copy(folder / "course_secret", exchange(folder) / "outbound" / A),
        *("secrets", "must not be handed out", "rm "),
    ),
    "solutions in the exchange": (
        lambda folder: shutil.copy(
            folder / "source" / A / f"{A}.ipynb", exchange(folder) / "outbound" / A
        ),
        *("secrets", "is the instructor's source/parameters/parameters.ipynb", "rm "),
    ),
    "a secret for everybody": (
        lambda folder: (folder / "course_secret").chmod(0o644),
        *("secrets", "Others than you can read", "chmod 600"),
    ),
}


def test_a_sound_course_has_nothing_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [each for all_ in found(folder).values() for each in all_ if each.is_wrong] == []
    assert doctor.main(Namespace(json=False)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line.endswith(" ok")} >= {"packages", "secrets"}


@pytest.mark.parametrize(("spoil", "where", "says", "mend"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found_and_told_with_what_mends_it(
    folder: Path, spoil: Callable[[Path], object], where: str, says: str, mend: str
) -> None:
    spoil(folder)
    told = found(folder)
    assert any(says in each.says and mend in each.mend for each in told.get(where, ())), told


def test_programs_get_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "release" / A)
    assert doctor.main(Namespace(json=True)) == 1
    told = json.loads(capsys.readouterr().out)
    assert "sandbox" in told["checked"]
    assert any(each["checked"] == "release" and each["is_wrong"] for each in told["found"])


def test_a_notebook_that_cannot_be_read_stops_no_other_look(folder: Path) -> None:
    (folder / "source" / A / f"{A}.ipynb").write_text("{")
    told = found(folder)
    assert "could not be looked at" in told["release"][0].says
    assert "packages" not in told


def test_a_machine_that_will_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise SandboxUnavailable("There is no bwrap. Install the package `bubblewrap`.")

    monkeypatch.setattr(health.sandbox, "check", refuse)
    (finding,) = health.the_sandbox()
    assert finding == Finding("No sandbox: There is no bwrap.", "Install the package `bubblewrap`.")
    monkeypatch.setattr(health, "requires", lambda name: ["torch==1.0", "no-such-package-here"])
    assert [each.says for each in health.packages()][1:] == [
        "The package no-such-package-here is not installed."
    ]
    (finding,) = health.memory(2**50)
    assert not finding.is_wrong
    monkeypatch.setattr(health, "_DISK_BYTES", 2**60)
    assert all("a GiB should be" in each.says for each in health.disk(ROOT))


def test_course_folders_are_those_of_the_configuration(folder: Path) -> None:
    app = NbGrader()
    app.initialize([])
    course = Course(app.config)
    assert course.assignments == [A]
    assert nbformat.read(course.notebook("release", A), 4).cells
    assert list(health_of_course.release(course)) == []
