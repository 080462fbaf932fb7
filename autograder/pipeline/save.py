"""The last steps: the kept results become the grade cells' outputs, then the gradebook's scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Comment, Grade
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.grading import record, report
from autograder.grading.grader import Graded
from autograder.grading.reasons import lost_points
from autograder.grading.results import CellResult
from autograder.language import Text
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
        ungraded = [graded.ungraded, *(result.ungraded for result in graded.results.values())]
        resources["nbgrader"]["ungraded"] = list(dict.fromkeys(filter(None, ungraded)))
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
        known = record.read(nb)
        diagnoses = _diagnoses(nb, known.cells)
        with gradebook.entries(told["db_url"], *where) as (grades, comments):
            for cell in nb.cells:
                if utils.is_grade(cell):
                    by_hand = utils.is_solution(cell) and not known.ungraded
                    has_score = record.is_graded(cell) or by_hand
                    self._grade(grades[marks(cell)["grade_id"]], cell, has_score)
                if utils.is_solution(cell) or utils.is_task(cell):
                    name = marks(cell)["grade_id"]
                    self._comment(comments[name], cell, diagnoses.get(name, ()))
            decided = list(_by_people(grades))
        if not resources["nbgrader"]["ungraded"]:
            self.log.info("%s", "\n".join(_told(told["student"], known.cells, decided)))
        return nb, resources

    def _grade(self, grade: Grade, cell: NotebookNode, has_score: bool) -> None:
        """Save a score; of an answer that a person grades, only that there is none to look at.

        What a person gave or wrote stays as it is.
        """
        grade.auto_score = None
        if has_score:
            grade.auto_score, _ = utils.determine_grade(cell, self.log)
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None

    def _comment(self, comment: Comment, cell: NotebookNode, diagnoses: Iterable[Text]) -> None:
        """Offer a comment to whoever grades by hand: the named mistakes of an answer.

        That there is no answer, the report of its suite says; here it is said where there is none.
        """
        untouched = marks(cell).get("checksum") == utils.compute_checksum(cell)
        if untouched and utils.is_grade(cell):
            comment.auto_comment = "No response."
        else:
            comment.auto_comment = "\n\n".join(map(str, diagnoses)) or None


def _diagnoses(nb: NotebookNode, results: Iterable[CellResult]) -> dict[str, list[Text]]:
    """The mistakes that are known by name, by the answer that the checks belong to."""
    found: dict[str, list[Text]] = {}
    by_cell = {result.grade_id: result for result in results}
    answer = ""
    for cell in nb.cells:
        name = marks(cell).get("grade_id", "")
        if utils.is_solution(cell) and not utils.is_grade(cell):
            answer = name
        elif name in by_cell:
            named = [test.message for test in by_cell[name].tests if test.misconception]
            found[answer] = list(dict.fromkeys([*found.get(answer, ()), *named]))
    return found


def _by_people(grades: Mapping[str, Grade]) -> Iterator[Text]:
    """What people have given, or are still to give."""
    for name, grade in grades.items():
        if grade.manual_score is not None:
            yield Text(
                "`{name}`: {points:g} points, given by a person",
                name=name,
                points=grade.manual_score + (grade.extra_credit or 0),
            )
        elif grade.auto_score is None:
            yield Text("`{name}`: to be graded by hand", name=name)


def _told(student: str, results: Sequence[CellResult], decided: Iterable[Text]) -> Iterator[str]:
    """What came of a submission, in lines: the score, what cost points, what people decide."""
    earned, most = sum(each.earned for each in results), sum(each.points for each in results)
    yield str(
        Text("{student}: {earned} of {most} points", student=student, earned=earned, most=most)
    )
    yield from (f"  {line}" for line in lost_points(results))
    yield from (f"       {line}" for line in decided)
