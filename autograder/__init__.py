"""The instructor's side of the course: grades submissions through nbgrader's own commands."""

import sys
from pathlib import Path
from typing import Any, cast

#: This repository, for the commands that are about it (`validate`, `audit`, `release`, `demo`, …).
#: Grading needs none: it asks nbgrader for the course's folder.
ROOT = Path(__file__).resolve().parents[1]

# jsonschema, of which nbformat makes use, can tell whether a text is an international address by a
# package that builds a parser when it is imported, which takes longer than all else of a command's
# start. Nothing here asks that; jsonschema does without where it is not to be had.
sys.modules.setdefault("rfc3987_syntax", cast(Any, None))
