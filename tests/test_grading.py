"""How grades reach the gradebook: together or not at all, again after a cut, the same every way."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import sqlalchemy
from nbformat.v4 import new_code_cell

from autograder.commands.workspace import Workspace
from autograder.grading.grader import NOT_DRAWN

pytestmark = pytest.mark.kernel

Notebook = nbformat.NotebookNode
Solution = Callable[[str], Notebook]
PICTURE = "picture_standardize"


@pytest.fixture
def course(tmp_path: Path, parameters: Workspace) -> Workspace:
    """A fresh course folder with `parameters` released."""
    subprocess.run(["cp", "-r", f"{parameters.folder}/.", str(tmp_path)], check=True)
    return Workspace(tmp_path)


def test_a_failed_regrade_leaves_no_older_score(course: Workspace, solution: Solution) -> None:
    path = course.submit("ann", "parameters", solution("parameters"))
    course.submit("bea", "parameters", solution("parameters"))
    course.nbgrader("autograde", "parameters")
    assert course.score("parameters", "ann") == 100

    path.write_text("no notebook any more")
    bea = course.notebook("submitted", "parameters", "bea")
    bea.rename(bea.with_name("final version.ipynb"))
    done = course.nbgrader("autograde", "parameters", "--force", check=False)
    assert done.returncode == 1
    for student in ("ann", "bea"):
        with course.gradebook() as gradebook:
            grades = gradebook.find_submission("parameters", student).notebooks[0].grades
            verdicts = {(grade.auto_score, grade.needs_manual_grade) for grade in grades}
            assert verdicts == {(None, True)}
    assert "Could not be graded: ann: the file `parameters.ipynb` is not JSON" in done.stderr
    assert "Could not be graded: bea: there is no notebook named `parameters.ipynb`" in done.stderr


def test_work_that_was_cut_off_is_graded_again(course: Workspace, solution: Solution) -> None:
    slow = solution("parameters")
    slow.cells.append(new_code_cell("import time\ntime.sleep(8)"))
    course.submit("ann", "parameters", slow)
    nbgrader = Path(sys.executable).with_name("nbgrader")
    process = subprocess.Popen(
        [nbgrader, "autograde", "parameters"], cwd=course.folder, stderr=subprocess.DEVNULL
    )
    written = course.notebook("autograded", "parameters", "ann")
    for _ in range(300):
        if written.exists():
            break
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert written.exists()
    assert course.score("parameters", "ann") is None

    done = course.nbgrader("autograde", "parameters")
    assert "Grading of ann had been cut off; it is graded again" in done.stderr
    assert course.score("parameters", "ann") == 100
    assert "Skipping existing assignment" in course.nbgrader("autograde", "parameters").stderr


def test_scores_are_saved_together_or_not_at_all(course: Workspace, solution: Solution) -> None:
    course.submit("ann", "parameters", solution("parameters"))
    database = sqlalchemy.create_engine(f"sqlite:///{course.folder / 'gradebook.db'}")
    with database.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "CREATE TRIGGER no BEFORE UPDATE ON grade WHEN NEW.auto_score = 10"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        )
    assert course.nbgrader("autograde", "parameters", check=False).returncode == 1
    with database.begin() as connection:
        scores = connection.execute(sqlalchemy.text("SELECT auto_score FROM grade")).all()
        connection.execute(sqlalchemy.text("DROP TRIGGER no"))
    assert [score for (score,) in scores] == [None] * 5

    course.nbgrader("autograde", "parameters")
    assert course.score("parameters", "ann") == 100


BY_API = """\
from nbgrader.apps import NbGraderAPI
from traitlets.config.loader import PyFileConfigLoader

api = NbGraderAPI(config=PyFileConfigLoader("nbgrader_config.py", path=".").load_config())
result = api.autograde("parameters", "bea")
assert result["success"], result
"""


def test_the_python_api_and_the_export_agree(course: Workspace, solution: Solution) -> None:
    nb = solution("parameters")
    own = next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "MLP")
    own.source = "MLP = None"
    course.submit("ann", "parameters", nb)
    course.submit("bea", "parameters", nb)
    course.nbgrader("autograde", "parameters", "--student", "ann")
    by_command = course.tests("parameters", "ann")

    subprocess.run([sys.executable, "-c", BY_API], cwd=course.folder, check=True)
    assert course.tests("parameters", "bea") == by_command
    assert course.score("parameters", "ann") == course.score("parameters", "bea") == 75

    course.nbgrader("export", "--to", "grades.csv")
    rows = (course.folder / "grades.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[-2]) for row in rows] == [75, 75]
    assert [row.split(",")[3:8] for row in rows] == [
        ["ann", "", "", "", "graded"],
        ["bea", "", "", "", "graded"],
    ]
    course.nbgrader("export", "--exporter=autograder.pipeline.exports.Canvas")
    rows = (course.folder / "canvas.csv").read_text().splitlines()
    assert rows[2:] == ["ann,,,ann,,75", "bea,,,bea,,75"]
    with course.gradebook() as gradebook:  # nbgrader's pages show None as a name
        names = [(student.last_name, student.first_name) for student in gradebook.students]
    assert names == [("ann", ""), ("bea", "")]


def test_many_at_once_get_what_each_alone_gets(course: Workspace, solution: Solution) -> None:
    right, wrong = solution("parameters"), solution("parameters")
    own = next(c for c in wrong.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "MLP")
    own.source = "MLP = None"
    for student, nb in (("ann", right), ("bea", wrong), ("cyd", right), ("dot", wrong)):
        course.submit(student, "parameters", nb)
    misnamed = course.notebook("submitted", "parameters", "eve").with_name("final.ipynb")
    misnamed.parent.mkdir(parents=True)
    nbformat.write(right, misnamed)
    command = [sys.executable, "-m", "autograder", "grade", "parameters", "--workers", "2"]

    done = subprocess.run(command, cwd=course.folder, capture_output=True, text=True)
    assert done.returncode == 1
    why = "  eve: there is no notebook named `parameters.ipynb` (found: `final.ipynb`)"
    assert done.stdout.splitlines()[-2:] == ["needs a person:", why], done.stderr
    scores = {student: course.score("parameters", student) for student in ("ann", "bea", "cyd")}
    assert scores == {"ann": 100, "bea": 75, "cyd": 100}
    together = course.tests("parameters", "dot")

    course.nbgrader("autograde", "parameters", "--student", "dot", "--force")
    assert course.tests("parameters", "dot") == together

    misnamed.rename(misnamed.with_name("parameters.ipynb"))
    written = course.notebook("autograded", "parameters", "ann").stat().st_mtime
    assert subprocess.run(command, cwd=course.folder).returncode == 0
    assert course.score("parameters", "eve") == 100
    assert course.notebook("autograded", "parameters", "ann").stat().st_mtime == written


def test_the_same_work_gets_the_same_seed_score_and_report(
    course: Workspace, solution: Solution
) -> None:
    nb = solution("parameters")
    own = next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "MyLinear")
    own.source = own.source.replace("y + self.bias", "y - self.bias")
    course.submit("ann", "parameters", nb)
    course.nbgrader("autograde", "parameters")
    first = nbformat.read(course.notebook("autograded", "parameters", "ann"), 4)
    course.nbgrader("autograde", "parameters", "--force")
    again = nbformat.read(course.notebook("autograded", "parameters", "ann"), 4)
    reports = [
        [cell.outputs for cell in each.cells if cell.metadata.get("nbgrader", {}).get("grade")]
        for each in (first, again)
    ]
    assert reports[0] == reports[1]
    seed = reports[0][0][0].metadata.autograder.seed
    assert len(seed) == 32

    # A recorded seed reproduces a grade where the course secret is another.
    options = [f"--GradeNotebook.seed={seed}", "--GradeNotebook.secret_file=other_secret"]
    course.nbgrader("autograde", "parameters", "--force", *options)
    third = nbformat.read(course.notebook("autograded", "parameters", "ann"), 4)
    assert [c.outputs for c in third.cells if c.metadata.get("nbgrader", {}).get("grade")] == (
        reports[0]
    )


def test_the_record_is_public_and_complete(course: Workspace, solution: Solution) -> None:
    course.submit("ann", "parameters", solution("parameters"))
    course.nbgrader("autograde", "parameters")
    nb = nbformat.read(course.notebook("autograded", "parameters", "ann"), 4)
    graded = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert len(graded) == 5
    for cell in graded:
        (output,) = cell.outputs
        assert output.output_type == "execute_result"
        record = output.metadata["autograder"]
        assert set(record) == {"seed", "tests"}
        assert all(set(t) == {"id", "points", "earned", "misconception"} for t in record["tests"])
        assert float(output.data["text/plain"]) == sum(t["earned"] for t in record["tests"])
        assert sum(t["points"] for t in record["tests"]) == cell.metadata.nbgrader.points


def test_pictures_are_left_out_whatever_a_student_made_of_them(
    course: Workspace, solution: Solution
) -> None:
    nb = solution("parameters")
    (picture,) = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == PICTURE]
    picture.source = "del MyLinear"
    course.submit("ann", "parameters", nb)
    course.nbgrader("autograde", "parameters")
    assert course.score("parameters", "ann") == 100
    graded = nbformat.read(course.notebook("autograded", "parameters", "ann"), 4)
    (picture,) = [
        c for c in graded.cells if c.metadata.get("nbgrader", {}).get("grade_id") == PICTURE
    ]
    assert [output.text for output in picture.outputs] == [NOT_DRAWN]
    assert graded.metadata.autograder.notes == []


def test_past_the_graders_budget_nobody_gets_a_score_and_a_person_is_asked(
    course: Workspace, solution: Solution
) -> None:
    course.submit("ann", "parameters", solution("parameters"))
    option = f"--GradeNotebook.grader_bytes={2**20}"
    done = course.nbgrader("autograde", "parameters", option, check=False)
    assert done.returncode == 1
    why = "it needed more than 1 MiB of the grader's memory"
    assert f"Could not be graded: ann: the file `parameters.ipynb` cannot be read: {why}" in (
        done.stderr
    )
    with course.gradebook() as gradebook:
        grades = gradebook.find_submission_notebook("parameters", "parameters", "ann").grades
        assert {(grade.auto_score, grade.needs_manual_grade) for grade in grades} == {(None, True)}
    course.nbgrader("generate_feedback", "parameters")
    page = course.notebook("feedback", "parameters", "ann").with_suffix(".html").read_text()
    assert why.replace("'", "&#39;") in page or why in page
    assert "It cost you nothing" in page

    course.nbgrader("autograde", "parameters")
    assert course.score("parameters", "ann") == 100


def test_a_page_that_takes_too_long_shows_results_alone(
    course: Workspace, solution: Solution
) -> None:
    for student in ("ann", "bea"):
        course.submit(student, "parameters", solution("parameters"))
    course.nbgrader("autograde", "parameters")
    path = course.notebook("autograded", "parameters", "ann")
    path.chmod(0o644)
    nb = nbformat.read(path, as_version=4)
    nb.cells.append(new_code_cell("x = 1" + "\n" * 60_000 + "y = 2"))
    nbformat.write(nb, path)
    course.nbgrader("generate_feedback", "parameters", "--FeedbackExporter.seconds=6")
    pages = {
        student: course.notebook("feedback", "parameters", student).with_suffix(".html").read_text()
        for student in ("ann", "bea")
    }
    assert {name: page.count("What was checked") for name, page in pages.items()} == {
        "ann": 5,
        "bea": 5,
    }
    assert {name: "results alone" in page for name, page in pages.items()} == {
        "ann": True,
        "bea": False,
    }
