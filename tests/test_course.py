"""A course that is not fit to grade with is refused before any submission is touched."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from autograder.commands.workspace import Workspace
from autograder.grading import course, seeds
from autograder.grading import session as suite
from autograder.grading.course import CourseError
from autograder.grading.session import SuiteError
from autograder.pipeline import gradebook

GOOD = '''
import pytest

@pytest.mark.points({points})
def test_one(student):
    """It works.

    print(1 + 1)
    #> 2
    """
'''
POINTS = {
    "test_MyLinear": 30,
    "test_parameter_names": 10,
    "test_count_parameters": 10,
    "test_Standardize": 25,
    "test_MLP": 25,
}


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of small suites that fit `parameters`, used in place of the real ones."""
    folder = tmp_path / "parameters"
    folder.mkdir()
    for name, points in POINTS.items():
        (folder / f"{name}.py").write_text(GOOD.format(points=points))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setattr(suite, "SUITES", tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "parameters"]:
        del sys.modules[name]


def check(workspace: Workspace, assignment: str = "parameters") -> dict[str, int]:
    url = f"sqlite:///{workspace.folder / 'gradebook.db'}"
    points = {name: one.points for name, one in suite.collect(assignment).items()}
    course.check(assignment, gradebook.released(url, assignment).points, points, (), Path("/none"))
    return points


def test_a_fit_course_passes(parameters: Workspace, suites: Path) -> None:
    assert check(parameters) == POINTS


def test_cell_without_suite(parameters: Workspace, suites: Path) -> None:
    (suites / "test_MLP.py").unlink()
    with pytest.raises(CourseError, match="Grade cell 'test_MLP' has no suite: write autograder/"):
        check(parameters)


def test_suite_without_cell(parameters: Workspace, suites: Path) -> None:
    (suites / "test_extra.py").write_text(GOOD.format(points=1))
    with pytest.raises(CourseError, match=r"test_extra\.py has no grade cell 'test_extra'"):
        check(parameters)


def test_points_that_do_not_add_up(parameters: Workspace, suites: Path) -> None:
    (suites / "test_MLP.py").write_text(GOOD.format(points=24))
    with pytest.raises(CourseError, match=r"'test_MLP' has 25 points, the tests .* add up to 24"):
        check(parameters)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (re.sub('""".*"""', "pass", GOOD.format(points=25), flags=re.S), "needs a docstring"),
        (re.sub(r"print.*2\n", "", GOOD.format(points=25), flags=re.S), "needs an example in its"),
        (GOOD.format(points=25).replace("@pytest.mark.points", "#"), "needs @pytest.mark.points"),
        (GOOD.format(points=2.5), "n a whole number above 0"),
        ("import nothing_of_that_name", "cannot be imported"),
    ],
    ids=["docstring", "example", "points", "fraction", "import"],
)
def test_suite_that_is_not_as_suites_must_be(
    parameters: Workspace, suites: Path, broken: str, says: str
) -> None:
    (suites / "test_MLP.py").write_text(broken)
    with pytest.raises(SuiteError, match=says):
        check(parameters)


def test_unreleased_assignment(parameters: Workspace) -> None:
    with pytest.raises(CourseError, match="Run first: nbgrader generate_assignment training_loop"):
        check(parameters, "training_loop")


@pytest.mark.kernel
def test_the_whole_run_is_refused_before_anything_is_touched(
    tmp_path: Path, solution: Callable[[str], nbformat.NotebookNode]
) -> None:
    workspace = Workspace.make(tmp_path, ["manual_backward"])
    workspace.submit("ann", "manual_backward", solution("manual_backward"))
    option = f"--GradeNotebook.course_data={tmp_path / 'nowhere'}"
    done = workspace.nbgrader("autograde", "manual_backward", option, check=False)
    assert done.returncode != 0
    assert "The data is missing" in done.stderr
    assert not (tmp_path / "autograded").exists()
    assert workspace.score("manual_backward", "ann") is None


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = seeds.secret(path)
    assert seeds.secret(path) == first
    assert len(first) == 64
    assert path.stat().st_mode & 0o777 == 0o600


def test_seeds_differ_by_assignment_student_and_work() -> None:
    made = {
        seeds.seed(secret, assignment, student, digest)
        for secret in (b"a", b"b")
        for assignment in ("parameters", "train")
        for student in ("ann", "bea")
        for digest in ("0", "1", "2")
    }
    assert len(made) == 24
