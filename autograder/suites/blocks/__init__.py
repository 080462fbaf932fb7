"""Suites of `blocks`: layers and blocks with a forward and a backward pass, written by hand."""

#: Folders of `course_data` that the notebook reads.
DATASETS = ("digits",)
