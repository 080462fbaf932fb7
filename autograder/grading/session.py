"""Runs the hidden suites of an assignment: one pytest session a submission, in the grader.

The session takes the suites in the order of their grade cells. Before the first test of a suite
`advance` runs the notebook up to that grade cell, so each suite meets the student kernel as its
cell left it.
"""

import hashlib
import hmac
import inspect
import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import pytest
import torch

from autograder.errors import AutograderError
from autograder.exercise.checks import Failure
from autograder.exercise.student import Student, SuiteBroken
from autograder.grading.results import CellResult, TestResult
from autograder.grading.suite_check import problems_of_module, problems_of_test
from autograder.language import Sentence, Text
from autograder.suites import SUITES

# Everything of pytest that a suite in a grader has no use for: it costs time, or writes files.
_UNUSED = (
    *("terminal", "cacheprovider", "unraisableexception", "threadexception", "logging"),
    *("junitxml", "faulthandler", "pastebin", "stepwise", "warnings", "tmpdir", "doctest"),
    *("setuponly", "setupplan", "subtests", "debugging", "legacypath", "monkeypatch", "recwarn"),
)
_OPTIONS = (
    *("--capture=no", "--assert=plain", "--import-mode=importlib", "--disable-plugin-autoload"),
    *(word for name in _UNUSED for word in ("-p", f"no:{name}")),
)


# What no value of a student's can make a suite raise: the suite is wrong, and no score is made up.
_NEVER_THE_STUDENT = (
    *(SuiteBroken, pytest.FixtureLookupError, pytest.fail.Exception, pytest.skip.Exception),
    *(NameError, ImportError, SyntaxError, OSError),
)
_IN_PART = "{why} That earns {earned} of {points} points."
_NO_SENSE = "This check could not make sense of what your code returned."


class SuiteError(AutograderError):
    """A suite is not as suites must be; the message says which and what to do."""


@dataclass(frozen=True)
class Check:
    """One test function of a suite, with all its parameters.

    Where all of them pass it earns `points`; where one fails, the least share of them that a
    failure leaves, in whole points: nothing, but for :class:`autograder.exercise.marks.Marks`.
    """

    id: str
    points: int
    title: str
    example: str


@dataclass(frozen=True)
class Suite:
    """What the suite of one grade cell holds."""

    grade_id: str
    checks: tuple[Check, ...]

    @property
    def points(self) -> int:
        """The points of all its checks."""
        return sum(check.points for check in self.checks)


def collect(assignment: str) -> dict[str, Suite]:
    """Read the suites of `assignment` without running them, by grade cell.

    Raises:
        SuiteError: a suite cannot be imported; a test lacks points, docstring, example or a
            fixture; code uses a name that is not there, or that is not there in a probe.
    """
    session = _Session(reads_code=True)
    paths = sorted((SUITES / assignment).glob("test_*.py"))
    if paths:
        _pytest(paths, session, "--collect-only")
    return session.suites()


def run(
    assignment: str,
    order: Sequence[str],
    advance: Callable[[str], None],
    student: Student,
    seed: str,
    log: logging.Logger,
) -> dict[str, CellResult]:
    """Grade one submission.

    Args:
        assignment: its name.
        order: the `grade_id` of each grade cell, in the order of the notebook.
        advance: runs the notebook up to and with the grade cell of that `grade_id`.
        student: the handle that the suites' probes run through.
        seed: the submission's recorded seed.
        log: where an instructor reads of suites that broke, or could not cope with an answer.

    Returns:
        The result of each grade cell; one whose suite broke is ungraded.
    """
    session = _Session(order, advance, student, seed, log)
    _pytest([SUITES / assignment / f"{name}.py" for name in order], session)
    return session.results()


def _pytest(paths: Sequence[Path], session: "_Session", *options: str) -> None:
    ini = ["-c", str(SUITES / "pytest.ini"), "--rootdir", str(SUITES)]
    with _without("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        status = pytest.main(
            [*_OPTIONS, *ini, *options, *map(str, paths)], plugins=[session, session.fixtures()]
        )
    # Pytest keeps the last error for a debugger, and with its traceback all that was returned.
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        sys.__dict__.pop(name, None)
    if session.problems:
        raise SuiteError("\n".join(session.problems))
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SuiteError(f"pytest ended with {status!r} on {', '.join(map(str, paths))}")


@contextmanager
def _without(*names: str) -> Iterator[None]:
    saved = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(saved)


class _Session:
    """The pytest plug-in: points, fixtures, the notebook's advance, and the results it keeps."""

    def __init__(
        self,
        order: Sequence[str] = (),
        advance: Callable[[str], None] | None = None,
        student: Student | None = None,
        seed: str = "",
        log: logging.Logger | None = None,
        reads_code: bool = False,
    ) -> None:
        self.order = list(order)
        self.advance = advance
        self.handle = student
        self.seed = seed
        self.log = log or logging.getLogger(__name__)
        self.checks: dict[str, dict[str, Check]] = {}
        self.reads_code = reads_code
        self.failures: dict[tuple[str, str], Failure] = {}
        self.broken: dict[str, Text] = {}
        self.passed: set[tuple[str, str]] = set()
        self.answered: set[tuple[str, str]] = set()
        self.answers = 0
        self.problems: list[str] = []
        self.current = ""

    # ------------------------------------------------------------------------ what suites may use

    def fixtures(self) -> ModuleType:
        """The fixtures, as a plug-in module: pytest wants no methods with a scope."""

        @pytest.fixture(scope="session")
        def student() -> Student | None:
            """The handle of the submission that is being graded."""
            return self.handle

        @pytest.fixture
        def rng(request: pytest.FixtureRequest) -> torch.Generator:
            """A generator of this test's own, seeded by the submission's recorded seed."""
            return self._generator(request.node.nodeid)

        @pytest.fixture(scope="module")
        def suite_rng(request: pytest.FixtureRequest) -> torch.Generator:
            """Like `rng`, one for the whole suite: for fixtures whose probe serves many tests."""
            return self._generator(request.node.nodeid)

        module = ModuleType("autograder_fixtures")
        module.__dict__.update(student=student, rng=rng, suite_rng=suite_rng)
        return module

    def _generator(self, name: str) -> torch.Generator:
        key = hmac.new(self.seed.encode(), name.encode(), hashlib.sha256).digest()
        return torch.Generator().manual_seed(int.from_bytes(key[:7], "big"))

    # -------------------------------------------------------------------------------- collection

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "points(n): what all parameters of the test earn")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problems.append(f"Suite {report.nodeid} cannot be imported:\n{report.longrepr}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            assert isinstance(item, pytest.Function)
            check = self._check(item)
            self.checks.setdefault(item.path.stem, {}).setdefault(check.id, check)
        if self.reads_code:
            self._read_code(cast(list[pytest.Function], items))
        if self.order:
            items.sort(key=lambda item: self.order.index(item.path.stem))

    def _read_code(self, items: list[pytest.Function]) -> None:
        """Note what would break the suites, in their code, what they share, and their fixtures."""
        root = SUITES.parent.parent  # so places are told as course.py tells them
        folders = {str(item.path.parent) for item in items}
        for _, module in sorted(sys.modules.items()):
            if os.path.dirname(getattr(module, "__file__", None) or "") in folders:
                self.problems += problems_of_module(module, root)
        for item in items:
            new = problems_of_test(item, root)
            self.problems += [problem for problem in new if problem not in self.problems]

    def _check(self, item: pytest.Function) -> Check:
        where = f"{item.path.stem}::{item.originalname}"
        points = item.get_closest_marker("points")
        title, _, example = inspect.cleandoc(item.function.__doc__ or "").partition("\n\n")
        example = textwrap.dedent(example).strip()
        worth = points.args[0] if points and points.args else None
        if type(worth) is not int or worth <= 0:
            self.problems.append(f"{where} needs @pytest.mark.points(n), n a whole number above 0")
        if not title:
            self.problems.append(f"{where} needs a docstring: the line that the student reads")
        if not example:
            self.problems.append(
                f"{where} needs an example in its docstring, below the title: code to be"
                " run at home, and what it prints after #>"
            )
        return Check(
            id=item.originalname or item.name,
            points=worth if type(worth) is int else 0,
            title=" ".join(title.split()),
            example=example,
        )

    def suites(self) -> dict[str, Suite]:
        return {name: Suite(name, tuple(checks.values())) for name, checks in self.checks.items()}

    # -------------------------------------------------------------------------------- the session

    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        if item.path.stem != self.current:
            self.current = item.path.stem
            assert self.advance is not None
            self.advance(self.current)
        self.answers = self._answers()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: "pytest.FixtureDef[Any]", request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Note which fixtures hold something of the student's: tests may stumble over it."""
        before = self._answers()
        try:
            return (yield)
        finally:
            asked = any((self.current, name) in self.answered for name in fixturedef.argnames)
            if asked or self._answers() > before:
                self.answered.add((self.current, fixturedef.argname))

    def _answers(self) -> int:
        return getattr(self.handle, "answers", 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> pytest.TestReport:
        """Keep the outcome; pytest's own report takes longer to format a traceback than to test."""
        assert isinstance(item, pytest.Function)
        key = (item.path.stem, item.originalname)
        if call.excinfo is not None:
            self._note(item, call.excinfo.value)
        elif call.when == "call":
            self.passed.add(key)
        outcome: Literal["passed", "failed"] = "failed" if call.excinfo else "passed"
        when = cast(Literal["setup", "call", "teardown"], call.when)
        return pytest.TestReport(item.nodeid, item.location, {}, outcome, None, when)

    def _note(self, item: pytest.Function, error: BaseException) -> None:
        """Keep what a test came to, without the values that hang on the error's traceback."""
        key = (item.path.stem, item.originalname)
        if isinstance(error, Failure):
            self._fail(key, error)
            return
        known = isinstance(error, (Exception, *_NEVER_THE_STUDENT))
        if not known:
            raise error  # an interrupt of the grader's own, say: no student's fault
        said = "".join(traceback.format_exception(error))
        if self._is_broken(item, error):
            where = _place(error)
            why = Text("its check `{check}` is broken ({where})", check=key[1], where=where)
            self.broken.setdefault(key[0], why)
            self.log.error("Suite %s: %s\n%s", key[0], why, said)
        elif isinstance(error, AssertionError) and str(error):
            self._fail(key, Failure(Text("{said}", said=str(error))))
        else:
            self.log.error("%s could not cope with what was returned: %s", item.nodeid, said)
            self._fail(key, Failure(_NO_SENSE))

    def _fail(self, key: tuple[str, str], failure: Failure) -> None:
        """Keep the first failure of a test, and the least share of its points."""
        told = failure.message, failure.misconception, failure.share, failure.steps
        first = self.failures.setdefault(key, Failure(*told))  # no traceback hangs on it
        first.share = min(first.share, failure.share)

    def _is_broken(self, item: pytest.Function, error: BaseException) -> bool:
        """Whether an error is the suite's own: none that a value of the student's can cause."""
        if isinstance(error, _NEVER_THE_STUDENT):
            return True
        if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
            return True
        fed = any((self.current, name) in self.answered for name in item.fixturenames)
        return not fed and self._answers() == self.answers

    def results(self) -> dict[str, CellResult]:
        return {
            name: CellResult(
                grade_id=name,
                seed=self.seed,
                tests=tuple(self._result(name, check) for check in self.checks[name].values()),
                ungraded=self._ungraded(name),
            )
            for name in self.order
        }

    def _ungraded(self, name: str) -> Sentence:
        """Why a grade cell has no score: its suite broke, or a check of it never ran."""
        why = self.broken.get(name)
        for check in self.checks[name]:
            if (name, check) not in self.passed and (name, check) not in self.failures:
                why = why or Text("its check `{check}` did not run", check=check)
        return (
            Text("The suite of `{name}` could not grade: {why}.", name=name, why=why) if why else ""
        )

    def _result(self, name: str, check: Check) -> TestResult:
        key = (name, check.id)
        failure = self.failures.get(key)
        earned = check.points if key in self.passed and failure is None else 0
        message = failure.message if failure else Text("")
        if failure and failure.share:
            earned = whole(failure.share, check.points)
            message = Text(_IN_PART, why=message, earned=earned, points=check.points)
        return TestResult(
            id=check.id,
            points=check.points,
            earned=earned,
            title=check.title,
            message=message,
            misconception=failure.misconception if failure else None,
            example=check.example,
            steps=tuple(failure.steps.items()) if failure else (),
        )


def whole(share: float, points: int) -> int:
    """The whole points that a share of them comes to: rounded down, and never all."""
    return min(floor(share * points + 1e-9), points - 1)  # 0.3 * 10 is a little below 3


def _place(error: BaseException) -> str:
    """What kind of error it was and where in the suites; not its text, which may quote inputs."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(SUITES)]
    where = f" at {Path(inside[-1].filename).name}:{inside[-1].lineno}" if inside else ""
    return f"{type(error).__name__}{where}"
