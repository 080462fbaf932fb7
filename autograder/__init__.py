"""The instructor's side of the course: grades submissions through nbgrader's own commands."""

from pathlib import Path

#: This repository, for the commands that are about it (`validate`, `audit`, `release`, `demo`, …).
#: Grading needs none: it asks nbgrader for the course's folder.
ROOT = Path(__file__).resolve().parents[1]
