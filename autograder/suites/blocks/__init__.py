"""Suites of `blocks`: layers and blocks with a forward and a backward pass, written by hand."""

from functools import partial

from autograder.exercise import asked
from autograder.suites.blocks import probes

#: Folders of `course_data` that the notebook reads.
DATASETS = ("digits",)

#: Makes the fixture of a suite: its layer, asked once for all tests.
asking = partial(asked.asking, passes=probes.passes, tasks=tuple(probes.MODULES))
