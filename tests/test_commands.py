"""The command line: what is started is what was asked for, and no more of it than it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from autograder import ROOT
from autograder.commands import corpora, demo
from autograder.commands.corpora import CorpusError
from autograder.commands.workspace import Workspace
from autograder.pipeline import exports

LOADED = """\
import sys
from autograder.__main__ import main
try:
    main(sys.argv[1:])
finally:
    print("torch" in sys.modules, "autograder.commands.grade" in sys.modules)
"""


@pytest.mark.parametrize(
    ("words", "loaded"),
    [(["grade", "parameters"], "False True"), (["grade", "--help"], "False False")],
)
def test_grading_starts_without_torch(words: list[str], loaded: str, tmp_path: Path) -> None:
    """What grades is nbgrader's processes and their workers: this one only starts them."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split("\n")[-2] == loaded, done.stderr


def test_what_runs_beside_workers_needs_no_torch() -> None:
    """It is the workers that have it: nbgrader's process, and those of the commands, stay small."""
    modules = [
        *(f"autograder.commands.{name}" for name in ("audit", "bench", "check", "demo", "grade")),
        *(f"autograder.commands.{name}" for name in ("release", "validate")),
        *(
            f"autograder.pipeline.{name}"
            for name in ("exporter", "exports", "feedback", "restore", "save", "scheme")
        ),
    ]
    code = f"import sys\nimport {', '.join(modules)}\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_commands_know_where_the_repository_lies() -> None:
    """All else must do where only the package is installed."""
    package = ROOT / "autograder"
    found = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "from autograder import ROOT" in path.read_text(encoding="utf-8")
    ]
    assert {name.split("/")[0] for name in found} == {"commands"}


def test_options_are_for_grade_alone(capsys: pytest.CaptureFixture[str]) -> None:
    from autograder.__main__ import main

    with pytest.raises(SystemExit):
        main(["release", "--force"])
    assert "unknown options: --force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cells": {"none": "x"}}, "there is no cell 'none'"),
        ({"edits": (("MLP", "no such text", ""),)}, "does not occur once in cell 'MLP'"),
    ],
)
def test_an_entry_that_cannot_be_built_is_named(changes: dict, why: str) -> None:
    with pytest.raises(CorpusError, match=f"parameters, odd: .*{why}"):
        corpora.build(corpora.Entry("parameters", "odd", "it is", **changes))


def test_clearing_the_demonstration_takes_away_what_it_wrote(tmp_path: Path) -> None:
    student = corpora.samples()[0].student
    for step in ("submitted", "autograded", "feedback"):
        (tmp_path / step / student / "parameters").mkdir(parents=True)
    (tmp_path / "roster.csv").touch()
    demo.clear(Workspace(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["roster.csv"]


def test_the_demonstration_takes_nothing_from_others(tmp_path: Path) -> None:
    for student in (corpora.samples()[0].student, "somebody"):
        (tmp_path / "submitted" / student).mkdir(parents=True)
    with pytest.raises(demo.InUse, match="already has work of somebody"):
        demo.clear(Workspace(tmp_path))
    assert len(list((tmp_path / "submitted").iterdir())) == 2


def test_git_ignores_whatever_is_exported() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {exports.Grades.name, exports.Canvas.name, exports.Moodle.name} <= set(ignored)
