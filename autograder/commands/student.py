"""Makes a folder as a student has it: of `release/` and `course_data/`, and nothing else.

It can be handed out as it is. `make student` starts JupyterLab in it, with an environment of its
own in which this package is not.
"""

import re
import shutil
from argparse import Namespace
from importlib.metadata import requires
from pathlib import Path

from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from packaging.requirements import Requirement

from autograder import ROOT
from autograder.exercise.packages import PACKAGES

#: What a student works with beside the packages that a notebook imports.
_TOOLS = ("jupyterlab", "nbgrader", "ipykernel")
_PAGE = re.compile(r"^## For students$(.*?)^## ", re.M | re.S)
_CONFIG = '''\
"""What nbgrader must know where a student works."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "{course}"
# Where the course is handed out and in, if it is done by nbgrader's exchange on this machine:
{comment}c.Exchange.root = "{root}"
'''


def main(arguments: Namespace) -> int:
    """Make the folder; say what is in it."""
    app = NbGrader()
    app.initialize([])
    folder = Path(arguments.folder)
    course = CourseDirectory(config=app.config)
    make(folder, course, app.config.get("Exchange", {}).get("root", ""))
    print(f"{folder}/ has what a student gets. Remove it to begin anew: rm -r {folder}")
    return 0


def make(folder: Path, course: CourseDirectory, exchange: str = "") -> None:
    """Make the folder; what is there already of assignments and data stays as it is.

    Args:
        folder: where.
        course: whose releases.
        exchange: the root of nbgrader's exchange; empty where it is not known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    released = Path(course.root, course.release_directory)
    given = {path.name: path for path in released.iterdir() if path.is_dir()}
    given["course_data"] = Path(course.root, "course_data")
    for name, source in given.items():
        if not (folder / name).exists():
            shutil.copytree(source, folder / name)
    (folder / "requirements.txt").write_text("\n".join(requirements()) + "\n")
    page = _PAGE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert page is not None
    (folder / "README.md").write_text(f"# For students\n{page[1]}", encoding="utf-8")
    config = _CONFIG.format(
        course=course.course_id,
        comment="" if exchange else "# ",
        root=exchange or "/usr/local/share/nbgrader/exchange",
    )
    (folder / "nbgrader_config.py").write_text(config)


def requirements() -> list[str]:
    """The packages that a student installs, in the versions that submissions are graded with."""
    wanted = {*_TOOLS, *PACKAGES} - {"PIL"} | {"pillow"}
    lines = {Requirement(line).name: line for line in requires("autograder") or ()}
    return sorted(lines[name] for name in wanted)
