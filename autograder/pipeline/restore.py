"""First of nbgrader's sanitisers: makes the submitted notebook whole again, from the gradebook."""

from collections.abc import Sequence

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.grading import record
from autograder.grading.record import Record
from autograder.grading.worker import why_not, worker
from autograder.language import Sentence
from autograder.pipeline import gradebook
from autograder.submission.rebuild import Release, restored


class RestoreNotebook(NbGraderPreprocessor):
    """Rebuilds a submission from the gradebook's record of the release."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Make `nb` whole; what was mended goes to its record, with what the reading noted.

        What was graded ahead comes as it was made whole there.
        """
        told = resources["nbgrader"]
        gradebook.withdraw(told["db_url"], told["assignment"], told["student"])
        if "ahead" in told:
            self._say(told["student"], record.read(nb).notes)
            return nb, resources
        release: Release = told.pop("release")
        ungraded: Sentence = told.get("ungraded", "")
        try:
            whole, mended = worker.call(restored, nb.cells, release, log=self.log)
        except Exception as error:  # the grader's fault, and no student's
            whole, mended = restored([], release)
            ungraded = why_not(error, self.log, f"Restoring {told['student']}")
        if ungraded:
            mended = []  # nothing was read: that nothing is known of it is no news
        notes = (*told.get("notes", ()), *mended)
        self._say(told["student"], notes)
        record.write(whole, Record(notes, ungraded))
        return whole, resources

    def _say(self, student: str, notes: Sequence[Sentence]) -> None:
        for note in notes:
            self.log.warning("%s: %s", student, note)
