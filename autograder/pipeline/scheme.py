"""What the formgrader shows beside an answer that is graded by hand: how it is to be graded."""

from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_solution

from autograder.submission.cells import marks, places

#: With the mark of what can be opened, which Bootstrap would hide.
_SUMMARY = '<summary style="display:list-item;cursor:pointer">How to grade this</summary>'


class MarkScheme(Preprocessor):
    """Puts the instructor's own answer, with its mark scheme, above each answer by hand.

    Only in the formgrader's pages, which say of which submission they are: a feedback page, which
    is made by an exporter with the same settings, shows nothing of it.
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Add a cell, folded, above each answer that `source/` has one for."""
        if "submission_id" not in resources:
            return nb, resources
        path = self._source(resources["assignment_id"], resources["notebook_id"])
        if not path.is_file():
            return nb, resources
        source = nbformat.read(path, as_version=4)
        answers = {name: source.cells[place] for name, place in places(source).items()}
        cells = []
        for cell in nb.cells:
            name = marks(cell).get("grade_id")
            if is_grade(cell) and is_solution(cell) and name in answers:
                cells.append(new_markdown_cell(_folded(answers[name])))
            cells.append(cell)
        nb.cells = cells
        return nb, resources

    def _source(self, assignment: str, notebook: str) -> Path:
        directory = CourseDirectory(config=self.config)
        folder = directory.format_path(directory.source_directory, ".", assignment)
        return Path(folder, f"{notebook}.ipynb")


def _folded(answer: NotebookNode) -> str:
    text = answer.source
    if answer.cell_type == "code":
        text = f"~~~~~~~~~~python\n{text}\n~~~~~~~~~~"
    return f"<details>{_SUMMARY}\n\n{text}\n\n</details>"
