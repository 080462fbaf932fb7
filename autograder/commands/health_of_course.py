"""What a course folder must be so that it can be graded and keeps its secrets, for `doctor`."""

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import nbformat
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default.exchange import Exchange
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions
from traitlets.config import Config

from autograder import ROOT
from autograder.commands.health import Finding
from autograder.errors import AutograderError
from autograder.grading import course
from autograder.grading.session import collect
from autograder.pipeline import gradebook
from autograder.pipeline.feedback import stale
from autograder.pipeline.grade import GradeNotebook
from autograder.submission.cells import grade_cells, grade_id
from autograder.submission.rebuild import Release
from autograder.suites import SUITES, datasets

#: What students must never find, in whatever folder of theirs.
_SECRET_NAMES = ("course_secret", "gradebook.db", "nbgrader_config.py")
_PRIVATE = ("source", "autograder", "tests")
#: A file of fewer bytes may be like another one by chance.
_TELLS = 64
_CHECK = re.compile(r'^@visible_check\("(\w+)"\)$', re.M)
_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z_]\w*")


class Course:
    """The course folder of a configuration."""

    def __init__(self, config: Config) -> None:
        self.directory = CourseDirectory(config=config)
        self.root = Path(self.directory.root)
        self.step = GradeNotebook(config=config)
        self.exchange = Exchange(coursedir=self.directory, config=config)

    @property
    def assignments(self) -> list[str]:
        """What has a folder in `source/`."""
        folder = self.root / self.directory.source_directory
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def notebook(self, step: str, assignment: str) -> Path:
        """Where the notebook of `source` or `release` lies."""
        folder = getattr(self.directory, f"{step}_directory")
        return Path(self.root, folder, assignment, f"{assignment}.ipynb")

    @property
    def database(self) -> Path | None:
        """The file of the gradebook; None where it is on a server."""
        kind, _, path = self.directory.db_url.partition(":///")
        return Path(path) if kind == "sqlite" else None

    @property
    def shared(self) -> Path:
        """The course's part of the exchange."""
        return Path(self.exchange.root, self.directory.course_id)


def data(its: Course) -> Iterator[Finding]:
    """Every image that notebooks and suites read, as it was written."""
    names = dict.fromkeys(name for each in its.assignments for name in datasets(each))
    for name in names:
        folder = its.root / its.step.course_data / name
        sums = folder / "SHA256SUMS"
        mend = "git checkout -- course_data, or: python -m autograder.commands.course_data"
        if not sums.is_file():
            yield Finding(f"The data set {folder} is missing, or has no SHA256SUMS.", mend)
            continue
        lines = [line.split(maxsplit=1) for line in sums.read_text().splitlines()]
        wrong = [path for digest, path in lines if _digest(folder / path.strip(" *")) != digest]
        if wrong:
            yield Finding(
                f"{len(wrong)} files of {folder} are missing or changed: {wrong[0]}, …", mend
            )
    for name in names:
        if not any((SUITES.parent / "holdout" / name).glob("*/*.png")):
            yield Finding(
                f"The held-out images of {name} are missing.", "git checkout -- autograder/holdout"
            )


def the_gradebook(its: Course) -> Iterator[Finding]:
    """It opens, and knows each assignment as it was released."""
    if its.database is not None and not its.database.exists():
        yield Finding(
            "There is no gradebook yet.",
            f"for a in {' '.join(its.assignments)}; do nbgrader generate_assignment $a; done",
            is_wrong=False,
        )
        return
    try:
        with Gradebook(its.directory.db_url) as opened:
            known = {each.name for each in opened.assignments}
    except Exception as error:
        yield Finding(
            f"The gradebook {its.directory.db_url} cannot be opened: {str(error).splitlines()[0]}",
            "nbgrader db upgrade; if that fails, put a copy of it back that you saved",
        )
        return
    for assignment in its.assignments:
        mend = f"nbgrader generate_assignment {assignment}"
        released = its.notebook("release", assignment)
        if assignment not in known:
            yield Finding(f"The gradebook does not know {assignment}.", mend, is_wrong=False)
        elif released.is_file():
            release = Release.of_notebook(nbformat.read(released, 4))
            recorded = gradebook.released(its.directory.db_url, assignment)
            if recorded.cells != release.cells:
                yield Finding(
                    f"The gradebook's record of {assignment} is not what {released} holds.", mend
                )


def suites(its: Course) -> Iterator[Finding]:
    """Suites, grade cells, visible checks and the notebooks' words belong together."""
    for assignment in its.assignments:
        nb = nbformat.read(its.notebook("source", assignment), 4)
        cells = {name: nb.cells[place] for name, place in grade_cells(nb).items()}
        points = {name: cell.metadata.nbgrader.points for name, cell in cells.items()}
        mend = f"see docs/suites.md, then: make validate; source/{assignment}/, suites/{assignment}"
        try:
            found = collect(assignment)
            worth = {name: suite.points for name, suite in found.items()}
            course.check(assignment, points, worth, (), its.root)
        except AutograderError as error:
            yield from (Finding(line, mend) for line in str(error).splitlines())
            continue
        for name, cell in cells.items():
            task = name.removeprefix("test_")
            if _CHECK.findall(cell.source) != [task]:
                yield Finding(
                    f"{assignment}: the grade cell {name} has no visible check of that name.",
                    f'begin it with @visible_check("{task}")',
                )
        yield from _untold(assignment, found, its)


def _untold(assignment: str, found: dict[str, Any], its: Course) -> Iterator[Finding]:
    """Checks whose line in the report uses names that the notebook never mentions."""
    path = its.notebook("release", assignment)
    if not path.is_file():
        return
    told = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    for name, suite in found.items():
        for check in suite.checks:
            words = {word for code in _CODE.findall(check.title) for word in _NAME.findall(code)}
            if unknown := sorted(word for word in words if word not in told):
                yield Finding(
                    f"{assignment}: {name}.{check.id} speaks of {', '.join(unknown)}, which the"
                    " notebook does not mention.",
                    "say in the notebook's text what is checked, or change the check's docstring",
                )


def release(its: Course) -> Iterator[Finding]:
    """What is handed out is what `source/` makes."""
    for assignment in its.assignments:
        path = its.notebook("release", assignment)
        mend = f"make release, or: nbgrader generate_assignment {assignment}"
        if not path.is_file():
            yield Finding(f"{assignment} has not been released.", mend)
            continue
        nb = nbformat.read(its.notebook("source", assignment), 4)
        resources: dict[str, Any] = {}
        for step in (ClearSolutions(), ClearHiddenTests(), ClearMarkScheme()):
            nb, resources = step.preprocess(nb, resources)
        released = nbformat.read(path, 4)
        made, there = ([_known_by(cell) for cell in each.cells] for each in (nb, released))
        if made != there:
            yield Finding(f"{path} is older than {its.notebook('source', assignment)}.", mend)


def _known_by(cell: Any) -> tuple[Any, ...]:
    folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
    return cell.cell_type, grade_id(cell), cell.source.strip(), folded


def exchange(its: Course) -> Iterator[Finding]:
    """It is set up, students can write where they must, and what lies there is current."""
    root = Path(its.exchange.root)
    if not root.is_dir():
        yield Finding(
            f"There is no exchange at {root} (it is only needed for handing in by nbgrader).",
            f"mkdir -p {root} && chmod ugo+rwx {root}",
            is_wrong=False,
        )
        return
    if stat.S_IMODE(root.stat().st_mode) & 0o777 != 0o777:
        yield Finding(f"Not everybody can write to {root}.", f"chmod ugo+rwx {root}")
    inbound = its.shared / "inbound"
    if not inbound.is_dir():
        yield Finding(
            "Nothing has been released to the exchange.",
            "nbgrader release_assignment ASSIGNMENT",
            is_wrong=False,
        )
    elif stat.S_IMODE(inbound.stat().st_mode) & 0o033 != 0o033:
        yield Finding(f"Students cannot hand in to {inbound}.", f"chmod ugo+wx {inbound}")
    for assignment in its.assignments:
        out = its.shared / "outbound" / assignment / f"{assignment}.ipynb"
        if out.is_file() and _digest(out) != _digest(its.notebook("release", assignment)):
            yield Finding(
                f"Students still fetch an older {assignment} from the exchange.",
                f"nbgrader release_assignment {assignment} --force",
            )


def dates(its: Course) -> Iterator[Finding]:
    """The time zone is one, and no due date is a midnight that was meant for another zone."""
    try:
        ZoneInfo(its.exchange.timezone)
    except (KeyError, ValueError, OSError):
        yield Finding(
            f"c.Exchange.timezone = {its.exchange.timezone!r} is no time zone.",
            'c.Exchange.timezone = "UTC", or a name such as "Europe/Berlin"',
        )
    for name, due in _due(its):
        if (due.hour, due.minute) == (0, 0):
            yield Finding(
                f"{name} is due on {due:%Y-%m-%d} at 00:00 UTC, when that day begins: is its end"
                " meant, or another time zone's?",
                f"nbgrader db assignment add {name} --duedate '{due:%Y-%m-%d} 23:59:59"
                " Europe/Berlin'",
                is_wrong=False,
            )


def _due(its: Course) -> Iterator[tuple[str, datetime]]:
    if its.database is None or its.database.exists():
        with Gradebook(its.directory.db_url) as opened:
            yield from [(each.name, each.duedate) for each in opened.assignments if each.duedate]


def feedback(its: Course) -> Iterator[Finding]:
    """Each page is of what stands in the gradebook, and each grading of the latest hand-in."""
    graded = its.root / its.directory.autograded_directory
    handed_in = its.root / its.directory.submitted_directory
    ungraded: dict[str, list[str]] = {}
    for folder in sorted(handed_in.glob("*/*")):
        student, assignment = folder.parts[-2:]
        there = graded / student / assignment
        stamps = [_text(each / "timestamp.txt") for each in (folder, there)]
        if not there.is_dir() or stamps[0] != stamps[1]:
            ungraded.setdefault(assignment, []).append(student)
    for assignment, students in ungraded.items():
        yield Finding(
            f"{assignment}: {_some(students)} handed in what has not been graded.",
            f"nbgrader autograde {assignment}",
            is_wrong=False,
        )
    for assignment in sorted({folder.name for folder in graded.glob("*/*")}):
        directory = CourseDirectory(config=its.directory.config, assignment_id=assignment)
        if students := [student for student, _ in stale(directory)]:
            yield Finding(
                f"{assignment}: the feedback of {_some(students)} no longer fits the gradebook.",
                f"nbgrader generate_feedback {assignment}",
            )


def secrets(its: Course) -> Iterator[Finding]:
    """Nothing that is the instructor's lies where students look, or can be read by others."""
    private = {
        _digest(path): path
        for name in _PRIVATE
        for path in _files(ROOT / name)
        if path.stat().st_size >= _TELLS
    }
    places = [its.root / its.directory.release_directory, its.root / its.step.course_data]
    places += [its.shared / "outbound", its.shared / "feedback"]
    for path in (path for place in places for path in _files(place)):
        mend = f"rm '{path}'"
        if path.name in _SECRET_NAMES or path.suffix == ".db":
            yield Finding(f"{path} must not be handed out.", mend)
        elif path.stat().st_size >= _TELLS and (same := private.get(_digest(path))):
            yield Finding(f"{path} is the instructor's {same.relative_to(ROOT)}.", mend)
        elif path.suffix == ".ipynb" and "### BEGIN SOLUTION" in path.read_text(errors="replace"):
            yield Finding(f"{path} holds solutions.", mend)
    if its.root.is_relative_to(Path(its.exchange.root)):
        yield Finding(
            f"The whole course lies in the exchange, {its.exchange.root}.", "Move one of them."
        )
    for name in (its.step.secret_file, "gradebook.db"):
        path = its.root / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077 and name != "gradebook.db":
            yield Finding(f"Others than you can read {path}.", f"chmod 600 {path}")


def _files(folder: Path) -> Iterator[Path]:
    skipped = ("__pycache__", ".ipynb_checkpoints")
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and not set(path.parts) & set(skipped):
            yield path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _text(path: Path) -> str:
    return path.read_text(errors="replace").strip() if path.is_file() else ""


def _some(students: Iterable[str]) -> str:
    first, *others = students
    return f"{first} and {len(others)} more" if others else first
