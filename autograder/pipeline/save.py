"""The last steps: the kept results become the grade cells' outputs, then the gradebook's scores."""

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader import utils
from nbgrader.api import Comment, Grade, Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.grading import report
from autograder.grading.results import CellResult
from autograder.submission.recognise import grade_cells

#: The id of the cell that a graded notebook begins with.
SUMMARY_ID = "autograder-summary"


class WriteResults(NbGraderPreprocessor):
    """Replaces whatever a grade cell shows by its result: score, report, public record."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Write the results that `GradeNotebook` kept, and above them what is to be known."""
        results: dict[str, CellResult] = resources.pop("autograder")
        for name, place in grade_cells(nb).items():
            cell, result = nb.cells[place], results[name]
            cell.execution_count = None
            cell.outputs = [
                new_output(
                    "execute_result",
                    data={
                        "text/plain": "not graded" if result.ungraded else str(result.earned),
                        "text/html": report.cell(result),
                    },
                    metadata={"autograder": result.as_metadata()},
                )
            ]
        notes = nb.metadata.get("autograder", {}).get("notes", [])
        nb.metadata["autograder"] = {
            "notes": notes,
            "lost": [
                {"task": result.task, "points": test.points, "reason": str(test.message)}
                for result in results.values()
                for test in result.tests
                if test.earned < test.points and not result.ungraded
            ],
        }
        ungraded = [result.ungraded for result in results.values() if result.ungraded]
        resources["nbgrader"]["ungraded"] = list(dict.fromkeys(ungraded))
        head = new_markdown_cell(report.summary(list(results.values()), notes))
        head["id"] = SUMMARY_ID
        nb.cells.insert(0, head)
        return nb, resources


class SaveGrades(NbGraderPreprocessor):
    """Saves the scores of a submission in one transaction: all of them, or none.

    It does what nbgrader's SaveAutoGrades does, which commits cell by cell.
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Write score and comment of every cell that has one."""
        told = resources["nbgrader"]
        where = told["notebook"], told["assignment"], told["student"]
        with Gradebook(told["db_url"]) as gradebook:
            book = gradebook.find_submission_notebook(*where)
            released = book.notebook
            # All at once: asked for by its name, each would be a search through six tables.
            cells = [*released.grade_cells, *released.solution_cells, *released.task_cells]
            names = {cell.id: cell.name for cell in cells}
            grades = {names[grade.cell_id]: grade for grade in book.grades}
            comments = {names[comment.cell_id]: comment for comment in book.comments}
            for cell in nb.cells:
                if utils.is_grade(cell):
                    self._grade(grades[cell.metadata.nbgrader.grade_id], cell)
                if utils.is_solution(cell) or utils.is_task(cell):
                    self._comment(comments[cell.metadata.nbgrader.grade_id], cell)
            gradebook.db.commit()
        return nb, resources

    def _grade(self, grade: Grade, cell: NotebookNode) -> None:
        if _is_ungraded(cell):
            grade.auto_score = None
        else:
            grade.auto_score, _ = utils.determine_grade(cell, self.log)
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None

    def _comment(self, comment: Comment, cell: NotebookNode) -> None:
        untouched = cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
        comment.auto_comment = "No response." if untouched and not utils.is_task(cell) else None


def _is_ungraded(cell: NotebookNode) -> bool:
    return any(
        output.get("metadata", {}).get("autograder", {}).get("ungraded")
        for output in cell.get("outputs", ())
    )
