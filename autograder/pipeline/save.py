"""The last steps: the kept results become the grade cells' outputs, then the gradebook's scores."""

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Grade
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.grading import record, report
from autograder.grading.grader import Graded
from autograder.pipeline import gradebook
from autograder.submission.cells import marks


class WriteResults(NbGraderPreprocessor):
    """Replaces whatever a grade cell shows by its result: score, report, public record."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Write what `GradeNotebook` kept, and above it what else is to be known."""
        graded: Graded = resources.pop("autograder")
        report.write(nb, graded)
        ungraded = [result.ungraded for result in graded.results.values() if result.ungraded]
        resources["nbgrader"]["ungraded"] = list(dict.fromkeys(ungraded))
        return nb, resources


class SaveGrades(NbGraderPreprocessor):
    """Saves the scores of a submission in one transaction: all of them, or none.

    It does what nbgrader's SaveAutoGrades does, which commits cell by cell.
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Write the score of every cell that has one."""
        told = resources["nbgrader"]
        where = told["notebook"], told["assignment"], told["student"]
        with gradebook.entries(told["db_url"], *where) as (grades, comments):
            for cell in nb.cells:
                if utils.is_grade(cell):
                    self._grade(grades[marks(cell)["grade_id"]], cell)
                if utils.is_solution(cell) or utils.is_task(cell):
                    # nbgrader's own comment says that there is no answer; the report says what
                    # is still to do.
                    comments[marks(cell)["grade_id"]].auto_comment = None
        return nb, resources

    def _grade(self, grade: Grade, cell: NotebookNode) -> None:
        grade.auto_score = None
        if record.is_graded(cell):
            grade.auto_score, _ = utils.determine_grade(cell, self.log)
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
