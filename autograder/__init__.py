"""The instructor's side of the course: grades submissions through nbgrader's own commands."""

from pathlib import Path

#: The root of the course: the folder that holds `source/`, `release/` and `nbgrader_config.py`.
ROOT = Path(__file__).resolve().parents[1]
