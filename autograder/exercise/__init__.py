"""All that an author writes a suite with; what nearly every suite needs is here by its name."""

from autograder.exercise import checks
from autograder.exercise.attempts import first_that_passes, named_where, tried
from autograder.exercise.checks import Failure, Misconception, expect, fail, mistake
from autograder.exercise.draws import away_from_zero, between
from autograder.exercise.formula import Formula, Inputs, in_double
from autograder.exercise.leading import check_leading
from autograder.exercise.marks import Marks
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.exercise.student import Probe, Student, StudentError
from autograder.language import Text

__all__ = [
    "Failure",
    "Formula",
    "Inputs",
    "Marks",
    "Misconception",
    "Probe",
    "Says",
    "Student",
    "StudentError",
    "Text",
    "away_from_zero",
    "between",
    "check_leading",
    "checks",
    "expect",
    "fail",
    "first_that_passes",
    "in_double",
    "mistake",
    "named_by_pytorch",
    "named_where",
    "tried",
]
