"""Grades one notebook on the spot: nothing is written, and the gradebook is not even opened."""

import io
import json
import logging
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbgrader.apps.baseapp import NbGrader
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory

from autograder.commands.check import UNGRADED, Said
from autograder.errors import AutograderError
from autograder.grading import early, grader, record, report
from autograder.grading.grader import Graded, Submission, Terms
from autograder.grading.standing import Sheet
from autograder.grading.worker import Budget, why_not
from autograder.language import Sentence
from autograder.pipeline import page
from autograder.pipeline.grade import GradeNotebook
from autograder.pipeline.page import Told
from autograder.pipeline.safe import SafeNotebook
from autograder.sandbox.folder import archive
from autograder.submission.intake import Intake
from autograder.submission.rebuild import Release, restored

_LOG = logging.getLogger(__name__)


class CannotCheck(AutograderError):
    """There is nothing to grade, or nothing to grade it with; the text says what to do."""


def budget() -> Budget:
    """What a check may use in the course of the current folder."""
    return Course().budget


def check(arguments: Namespace, notebook: bytes) -> Said:
    """Grade a notebook as the command line says.

    Args:
        arguments: those of the command.
        notebook: what came from the standard input, where it is to be graded.
    """
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as errors:
        try:
            course = Course()
            submission = course.submission(
                arguments.notebook, arguments.assignment, arguments.seed, notebook
            )
            graded = course.grade(submission)
            if arguments.html:
                out = course.page(submission, graded)
            elif arguments.json:
                out = json.dumps(as_json(submission, graded), indent=2)
            else:
                out = "\n".join(in_lines(submission, graded))
        except AutograderError as error:
            return Said(UNGRADED, errors=f"{errors.getvalue()}{error}\n")
    return Said(_status(graded), f"{out}\n", errors.getvalue())


def _status(graded: Graded) -> int:
    cells = graded.results.values()
    if not cells or any(cell.ungraded for cell in cells):
        return UNGRADED
    return int(any(cell.earned < cell.points for cell in cells))


# ------------------------------------------------------------------------------ what is printed


def as_json(submission: Submission, graded: Graded) -> dict[str, Any]:
    """What it came to, for programs: the public record of each grade cell, and the sentences."""
    cells = []
    for cell in graded.results.values():
        (told,) = record.public(cell).values()
        tests = zip(told["tests"], cell.tests, strict=True)
        told["tests"] = [
            {
                **public,
                "title": str(test.title),
                "message": str(test.message),
                "steps": dict(test.steps),
            }
            for public, test in tests
        ]
        cells.append({"grade_id": cell.grade_id, **told, "ungraded": str(cell.ungraded)})
    ungraded = _status(graded) == UNGRADED
    return {
        "assignment": submission.assignment,
        "score": None if ungraded else sum(each.earned for each in graded.results.values()),
        "max_score": sum(submission.release.points.values()),
        "seed": submission.seed,
        "cells": cells,
        "notes": [str(note) for note in graded.notes],
        "seconds": round(graded.seconds, 3),
    }


def in_lines(submission: Submission, graded: Graded) -> Iterator[str]:
    """What it came to, for a terminal: the score, then each task with what cost points there."""
    told = as_json(submission, graded)
    score = "could not be graded" if told["score"] is None else f"{told['score']}"
    yield f"{told['assignment']}: {score} of {told['max_score']:g}"
    for note in told["notes"]:
        yield f"  note: {note}"
    for cell in graded.results.values():
        points = f"{cell.earned} of {cell.points}" if not cell.ungraded else "not graded"
        yield f"  {cell.task:24} {points}"
        for message in cell.messages:
            yield f"      {message}"
            rows = cell.lost[message].rows if message in cell.lost else []
            for name, right, says in rows:
                yield f"        {name:24} {'✓' if right else '✗'} {says}"
    for name, worth in submission.release.by_hand.items():
        yield f"  {name:24} by hand, {worth:g} points"
    yield f"  (seed {told['seed']}; --seed draws the same inputs again)"


# ------------------------------------------------------------------------------ how it is graded


class Course:
    """The course of the current folder, as its `nbgrader_config.py` has it."""

    def __init__(self) -> None:
        app = NbGrader()
        app.log_level = logging.ERROR
        app.initialize([])
        self._config = app.config
        self._directory = CourseDirectory(config=app.config)
        self._step = GradeNotebook(config=app.config)
        self._worker = early.first()

    @property
    def budget(self) -> Budget:
        """What a submission may use of a worker."""
        return self._step.budget()

    @property
    def terms(self) -> Terms:
        """On what terms submissions are graded."""
        data = Path(self._directory.root, self._step.course_data)
        return replace(self._step.terms(), course_data=data if data.is_dir() else None)

    def submission(
        self, path: str, assignment: str | None, seed: str | None, notebook: bytes
    ) -> Submission:
        """What lies there, as a submission with fresh inputs, unless a seed is given.

        Args:
            path: of a notebook, which is graded alone; of a folder, whose other files come along;
                or `-` for `notebook`, from the standard input.
            assignment: its name, where the notebook's own name or cells do not say it.

        Raises:
            CannotCheck: nothing is there, or nobody knows what assignment it is of.
        """
        files: bytes = b""
        notes: tuple[Sentence, ...] = ()
        if path == "-":
            data = notebook
        elif Path(path).is_dir():
            folder = Path(path).absolute()
            assignment = assignment or folder.name
            if folder.name != assignment:
                raise CannotCheck(
                    f"{path}: a folder is read as one that was handed in, and those have the"
                    f" assignment's name: rename it to {assignment}."
                )
            intake = Intake(folder.parent.parent, assignment, self._directory.ignore)
            try:
                taken = intake.take(folder.parent.name)
                if taken.ungraded:
                    raise CannotCheck(f"{path}: {taken.ungraded}")
                data, notes = taken.notebook.read_bytes(), taken.notes
                files = archive(
                    intake.for_kernel(taken.notebook.parent),
                    self._step.file_bytes,
                    besides=taken.notebook.name,
                )
            finally:
                intake.close()
        else:
            try:
                data = Path(path).read_bytes()
            except OSError as error:
                raise CannotCheck(f"{path} cannot be read: {error.strerror}.") from None
        name = assignment or self._recognised(Path(path).stem, data)
        return Submission(
            assignment=name,
            notebook=data,
            release=self._release(name),
            seed=seed or os.urandom(16).hex(),
            files=files,
            notes=notes,
        )

    def grade(self, submission: Submission) -> Graded:
        """Grade it in a worker, within the limits of the course."""
        assignment, terms = submission.assignment, self.terms
        self._worker.budget = self.budget
        grader.prepare_worker(self._worker, [assignment], terms, _LOG)
        try:
            return self._worker.call(grader.grade, submission, terms, log=_LOG)
        except Exception as error:  # whatever it was: the grader's fault, and no student's
            why = why_not(error, _LOG, f"Grading a submission of {assignment}")
            nb, _ = restored([], submission.release)
            return grader.ungraded(nb, why, submission.notes)

    def page(self, submission: Submission, graded: Graded) -> str:
        """The feedback page that it would get."""
        told: dict[str, Any] = {"student": "check", "notebook": submission.assignment}
        safe = SafeNotebook(config=self._config)
        nb, _ = safe.preprocess(graded.notebook, ResourcesDict(nbgrader=told))
        report.write(nb, graded)
        sheet = Sheet.of(submission.assignment, graded.results.values(), submission.release.points)
        resources = {"nbgrader": told, "metadata": {"name": submission.assignment}}
        config = GenerateFeedback(coursedir=self._directory, config=self._config).config
        return self._worker.call(page.make, nb, resources, Told(sheet), config, log=_LOG)

    def _released(self) -> dict[str, Path]:
        """The notebooks that were handed out, by assignment."""
        folder = Path(self._directory.root, self._directory.release_directory)
        return {path.stem: path for path in sorted(folder.glob("*/*.ipynb"))}

    def _release(self, assignment: str) -> Release:
        released = self._released()
        if assignment not in released:
            known = ", ".join(released) or "none"
            raise CannotCheck(
                f"No assignment '{assignment}' is released here (there are: {known}). Run this in"
                f" the course's folder, after: nbgrader generate_assignment {assignment}"
            )
        return Release.of_notebook(nbformat.read(released[assignment], as_version=4))

    def _recognised(self, name: str, notebook: bytes) -> str:
        """The assignment of that name, or the one whose grade cells are named in the notebook.

        Raises:
            CannotCheck: it is none of them.
        """
        assignments = self._released()
        if name in assignments:
            return name
        held = {
            each: sum(
                f'"{grade_id}"'.encode() in notebook for grade_id in self._release(each).points
            )
            for each in assignments
        }
        best = max(held, key=lambda each: held[each], default="")
        if not best or not held[best]:
            raise CannotCheck(
                f"Which assignment is this of? Say it with --assignment: {', '.join(assignments)}."
            )
        return best
