"""The steps that remember: what an earlier grading of the same work came to, and this one.

A history that cannot be read or written is no reason to have no grade: it is logged.
"""

from dataclasses import replace
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.grading import history, record
from autograder.grading.grader import Graded
from autograder.pipeline.settings import course_folder


class LookBack(NbGraderPreprocessor):
    """Finds what the hand-in before came to, and whether the same work has other points now."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Add both to what `GradeNotebook` kept."""
        graded: Graded = resources["autograder"]
        if graded.depends_on is not None:
            try:
                gradings = history.read(_path(self, resources))
            except OSError as error:
                self.log.warning("The history of hand-ins cannot be read: %s", error)
                gradings = []
            cells = list(graded.results.values())
            note = history.corrected(gradings, cells, graded.depends_on)
            resources["autograder"] = replace(
                graded,
                notes=(*graded.notes, *filter(None, [note])),
                before=history.before(gradings, graded.depends_on),
            )
        return nb, resources


class KeepHistory(NbGraderPreprocessor):
    """Adds what was saved to the history of the student's hand-ins."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Add a line; none for what could not be graded at all."""
        told = record.read(nb)
        if told.depends_on is not None:
            try:
                history.add(_path(self, resources), told.cells, told.depends_on)
            except OSError as error:
                self.log.warning("The history of hand-ins cannot be written: %s", error)
        return nb, resources


def _path(step: NbGraderPreprocessor, resources: ResourcesDict) -> Path:
    told = resources["nbgrader"]
    return history.path_of(course_folder(step), told["student"], told["assignment"])
