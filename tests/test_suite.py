"""A suite that is broken is refused before grading; where it breaks later, no score is made up."""

import gc
import logging
import re
import shutil
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder import ROOT
from autograder.commands.workspace import Workspace
from autograder.exercise.student import Student
from autograder.grading import session as suite
from autograder.grading.results import CellResult
from autograder.grading.session import SuiteError
from autograder.kernel.same_process import SameProcess

HEAD = """\
import pytest
import torch

from autograder.exercise import checks
from made_up import probes

SIZES = [3, 4]

"""
TEST = '''
@pytest.mark.points(2)
def {signature}:
    """It works.

    print(1 + 1)
    #> 2
    """
    {body}
'''
PROBE = """
def probe(notebook, n=1):
    return notebook.answer(n)

"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes the suite `test_a` of an assignment `made_up`, in place of the real ones.

    Its probes are `PROBE`, and `more` than that.
    """
    folder = tmp_path / "made_up"
    folder.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setattr(suite, "SUITES", tmp_path)

    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def make(*parts: str, name: str = "test_a", more: str = "") -> Path:
        (folder / "probes.py").write_text(PROBE + more)
        path = folder / f"{name}.py"
        path.write_text(HEAD + "".join(parts))
        return path

    yield make
    for name in [name for name in sys.modules if name.split(".")[0] == "made_up"]:
        del sys.modules[name]


def one_test(body: str, signature: str = "test_one(student)") -> str:
    return TEST.format(signature=signature, body=body.replace("\n", "\n    "))


def grade(answer: Callable[[int], Any], *names: str) -> dict[str, CellResult]:
    student = Student(SameProcess(names={"answer": answer}), ("x = 1",))
    order = list(names or ["test_a"])
    log = logging.getLogger(__name__)
    return suite.run("made_up", order, lambda name: None, student, "0" * 32, log)


# ------------------------------------------------------------------------- refused before grading


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (one_test("student.run(lambda notebook: 1)"), r"test_a\.py:17: `lambda .*` is no probe"),
        (
            one_test("student.run(checks.fail)"),
            r"`checks\.fail` is no probe: it must be a",
        ),
        (
            "def mine(notebook):\n    return 1\n" + one_test("student.run(mine)"),
            r"`mine` is no probe",
        ),
        (one_test("student.run(probes.prob)"), r"`probes\.prob` is no probe"),
        (one_test("assert wantd == 1"), r"test_a\.py:17: `wantd` is not defined: define or import"),
        (
            "def draw():\n    return [seed for _ in range(3)]\n",
            r"test_a\.py:10: `seed` is not defined",
        ),
        (
            one_test("checks.colse(1, 1)"),
            r"test_a\.py:17: there is no `checks\.colse`: is it missp",
        ),
        (one_test("torch.nn.functional.relou"), r"there is no `torch\.nn\.functional\.relou`"),
        (
            one_test("checks.close(1, 1, 'x', 1e-5, amnog=[])"),
            r"test_a\.py:17: `checks\.close` cannot be called like this: got an unexpected keyword",
        ),
        (
            "def draw(rng, n):\n    return n\n" + one_test("draw(1)"),
            r"`draw` cannot be called like this: missing a required argument: 'n'",
        ),
        (
            one_test("pass", "test_one(studnet)"),
            r"test_a\.py:10: test_one asks for a fixture `studnet` that does not exist",
        ),
        (
            "@pytest.fixture\ndef made(grng):\n    return 1\n" + one_test("pass", "test_one(made)"),
            r"test_one asks for a fixture `grng` that does not exist",
        ),
        (
            '@pytest.fixture(scope="module")\ndef made(rng):\n    return 1\n'
            + one_test("pass", "test_one(made)"),
            r"the fixture `made` asks for `rng`, which ends sooner",
        ),
        (
            '@pytest.mark.parametrize("n", [])' + one_test("pass", "test_one(n)"),
            r"is marked `skip`: a test of a suite must run",
        ),
        (
            '@pytest.mark.xfail(reason="x")' + one_test("pass"),
            r"is marked `xfail`: a test of a suite must run",
        ),
        (
            'def test_one(student):\n    """It works."""\n',
            r"needs @pytest\.mark\.points\(n\)",
        ),
    ],
)
def test_a_broken_suite_is_refused(write: Write, source: str, problem: str) -> None:
    write(source, "" if "def test_" in source else one_test("pass"))
    with pytest.raises(SuiteError, match=problem):
        suite.collect("made_up")


@pytest.mark.parametrize(
    "source",
    [
        one_test("student.run(probes.probe, n=3)"),
        "def draw(rng, n):\n    return n\n\ndef other(draw):\n    return draw(1)\n",
        "def draw(rng, n=1):\n    return draw(*[1], **{})\n\n"
        "called = draw(n=2, rng=1) if SIZES is None else 1\n",
        "def later():\n    return defined_below\n\ndefined_below = 1\n",
        "class Case:\n    n = 1\n    m = n + 1\n\n"
        "    def f(self):\n        return self.n, __class__\n",
        "def global_one():\n    global made\n    made = 1\n    return made\n",
        one_test("assert torch.linalg.norm(torch.ones(2)) == tmp", "test_one(request, tmp)")
        + "@pytest.fixture\ndef tmp(suite_rng):\n    return 1\n",
    ],
)
def test_a_suite_that_is_sound_is_not(write: Write, source: str) -> None:
    write(source, "" if "def test_" in source else one_test("pass"))
    assert suite.collect("made_up")["test_a"].points == 2


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        ("return notebook.answer(SIZES)", r"probes\.py:7: `SIZES` is not defined"),
        (
            "def inner():\n        return [checks for _ in range(2)]\n    return inner()",
            r"probes\.py:8: `checks` is not defined",
        ),
        ("import autograder\n    return autograder", r"probes\.py:7: `autograder` is not there in"),
        (
            "from no_such_module import x",
            r"probes\.py:7: `no_such_module` is not there in the",
        ),
        ("from . import x", r"probes\.py:7: `\.` is not there in the student kernel"),
    ],
)
def test_a_probe_that_needs_what_it_will_not_have_is_refused(
    write: Write, probe: str, problem: str
) -> None:
    write(one_test("pass"), more=f"\ndef more(notebook):\n    {probe}\n")
    with pytest.raises(SuiteError, match=problem):
        suite.collect("made_up")


def test_what_suites_share_is_read_too(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = write("def helper():\n    return missing_name\n", name="shared_helper")
    monkeypatch.syspath_prepend(str(shared.parent))
    write("import shared_helper\n", one_test("shared_helper.helper()"))
    try:
        with pytest.raises(
            SuiteError, match=r"shared_helper\.py:10: `missing_name` is not defined"
        ):
            suite.collect("made_up")
    finally:
        del sys.modules["shared_helper"]


@pytest.mark.parametrize("assignment", ["parameters", "training_loop", "manual_backward"])
def test_the_course_s_own_suites_are_sound(assignment: str) -> None:
    assert sum(each.points for each in suite.collect(assignment).values()) == 100


# ------------------------------------------------------------------------ where it breaks later


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (one_test("student.run(probes.probe)\nmissing_name()"), r"NameError at test_a\.py:\d+"),
        (
            one_test("student.run(probes.probe)\nif student is None:\n    x = 1\nx"),
            "UnboundLocalError",
        ),
        (one_test("student.run(probes.probe)\nimport no_such_module"), "ModuleNotFoundError"),
        (one_test("student.run(probes.probe)\nchecks.colse(1, 1)"), "AttributeError"),
        (one_test("student.run(probes.probe)\nopen('/no/such/file')"), "FileNotFoundError"),
        (one_test("pass", "test_one(studnet)"), "FixtureLookupError"),
        (one_test("torch.ones(2) @ torch.ones(3)\nstudent.run(probes.probe)"), "RuntimeError"),
        (one_test("assert 1 == 2, 'a draw that went wrong'"), "AssertionError"),
        (one_test("student.run(probes.probe)\nstudent.run(probes.probe, m=1)"), "SuiteBroken"),
        (
            one_test("student.run(probes.probe)\nstudent.run(probes.probe, n=[1j])"),
            "SuiteBroken",
        ),
        (one_test("pytest.skip('not today')"), "Skipped"),
        (
            "@pytest.fixture(scope='module')\ndef made():\n    return [][0]\n"
            + one_test("student.run(probes.probe)", "test_one(student, made)"),
            "IndexError",
        ),
        (one_test("student.run(probes.unbound)"), "SuiteBroken"),
        (one_test("student.run(checks.fail)"), "SuiteBroken"),
    ],
)
def test_a_suite_that_breaks_makes_up_no_score(write: Write, source: str, place: str) -> None:
    unbound = "\ndef unbound(notebook):\n    if notebook is None:\n        x = 1\n    return x\n"
    write(source, one_test("student.run(probes.probe)", "test_two(student)"))
    write(one_test("student.run(probes.probe)"), name="test_b", more=unbound)
    results = grade(lambda n: n, "test_a", "test_b")
    why = str(results["test_a"].ungraded)
    assert why.startswith("The suite of `test_a` could not grade: its check `test_one` is broken (")
    assert re.search(place, why)
    assert "\n" not in why
    assert not results["test_b"].ungraded
    assert results["test_b"].earned == 2


def test_the_reason_quotes_no_value(write: Write) -> None:
    write(one_test("student.run(probes.probe)\nraise ImportError('0.123456')"))
    assert "0.123" not in grade(lambda n: n)["test_a"].ungraded


@pytest.mark.parametrize(
    "source",
    [
        one_test("student.run(probes.probe) + 1"),
        one_test("made + 1", "test_one(made)"),
        one_test("more + 1", "test_one(more)"),
        one_test("assert len(student.code) == 2, 'the code'"),
        one_test("student.run(probes.probe).no_such_method()"),
        one_test("student.run(probes.probe)['x']"),
    ],
)
def test_odd_values_are_the_student_s_own_fault(write: Write, source: str) -> None:
    fixtures = (
        "@pytest.fixture(scope='module')\n"
        "def made(student):\n    return student.run(probes.probe)\n"
        "@pytest.fixture(scope='module')\ndef more(made):\n    return made\n"
    )
    write(fixtures, one_test("made", "test_before(made)"), source)
    (_, test) = grade(lambda n: object())["test_a"].tests
    assert grade(lambda n: object())["test_a"].ungraded == ""
    assert test.earned == 0
    assert "could not make sense" in str(test.message) or str(test.message).startswith("the code")


def test_a_test_earns_the_least_share_that_its_parameters_leave(write: Write) -> None:
    head = "from autograder.exercise.marks import Marks\n"
    each = "@pytest.mark.parametrize('n', [0, 2, 1])"
    body = "Marks(full=2, none=0).require(student.run(probes.probe, n=n), 'only {value}')"
    write(head, each + one_test(body, "test_one(student, n)"))
    (test,) = grade(lambda n: 1 + n / 4)["test_a"].tests
    assert (test.earned, str(test.message)) == (1, "only 1.0 That earns 1 of 2 points.")
    (test,) = grade(lambda n: n)["test_a"].tests
    assert (test.earned, str(test.message)) == (0, "only 0")
    (test,) = grade(lambda n: 3)["test_a"].tests
    assert (test.earned, str(test.message)) == (2, "")


def test_a_fixture_that_stumbles_over_a_value_fails_all_that_ask_for_it(write: Write) -> None:
    made = "def made(student):\n    return student.run(probes.probe) + 1\n"
    fixture = f"@pytest.fixture(scope='module')\n{made}"
    tests = [one_test("made", f"test_{name}(made)") for name in ("one", "two")]
    write(fixture, *tests)
    result = grade(lambda n: object())["test_a"]
    assert result.ungraded == ""
    assert [test.earned for test in result.tests] == [0, 0]


def test_a_builtin_that_is_taken_away_is_no_fault_of_the_suite(write: Write) -> None:
    probe = "def more(notebook):\n    notebook.answer(1)\n    return __builtins__['len']([1])\n"

    def answer(n: int) -> None:
        raise NameError("name 'len' is not defined")

    write(one_test("student.run(probes.more)"), more=probe)
    result = grade(answer)["test_a"]
    assert result.ungraded == ""
    assert str(result.tests[0].message).startswith("Your code raised `NameError`")


def test_a_forged_word_of_a_broken_suite_earns_nothing(write: Write) -> None:
    """Whoever forges it is looked at by a person; the other cells are graded."""
    source = "def forged(n):\n    if n is None:\n        value = 1\n    return value\n"
    names: dict[str, Any] = {}
    exec(compile(source, "<probe>", "exec"), names)
    probe = "def more(notebook):\n    value = notebook.answer(1)\n    return value\n"
    write(one_test("student.run(probes.more)"))
    more = f"{probe}\ndef other(notebook):\n    return 1\n"
    write(one_test("assert student.run(probes.other) == 2, 'no'"), name="test_b", more=more)
    results = grade(names["forged"], "test_a", "test_b")
    assert results["test_a"].ungraded
    assert results["test_a"].earned == 0
    assert results["test_b"].ungraded == ""
    assert results["test_b"].earned == 0


def test_a_name_error_of_the_student_s_is_told_with_no_word_of_the_suite(write: Write) -> None:
    def answer(n: int) -> int:
        return missing_here  # type: ignore[name-defined]  # noqa: F821

    write(one_test("student.run(probes.probe)"))
    result = grade(answer)["test_a"]
    assert result.ungraded == ""
    assert str(result.tests[0].message) == (
        "Your code raised `NameError`: name 'missing_here' is not defined"
    )


def test_failures_keep_nothing_alive(write: Write) -> None:
    kept: list[weakref.ref] = []
    write(
        "from autograder.exercise.checks import fail\n",
        one_test("value = student.run(probes.probe)\nstudent.note(value)\nfail('wrong')"),
        one_test(
            "value = student.run(probes.probe)\nstudent.note(value)\nvalue + 'x'", "test_2(student)"
        ),
    )
    student = Student(SameProcess(names={"answer": lambda n: torch.ones(3)}))
    student.note = lambda value: kept.append(weakref.ref(value))  # type: ignore[attr-defined]
    results = suite.run(
        "made_up", ["test_a"], lambda name: None, student, "0", logging.getLogger(__name__)
    )
    gc.collect()
    assert [test.earned for test in results["test_a"].tests] == [0, 0]
    assert [each() for each in kept] == [None, None]


BREAKS = """

@pytest.fixture(autouse=True)
def breaks():
    raise LookupError("0.123456")
"""


@pytest.mark.kernel
def test_a_run_with_a_suite_that_breaks_grades_the_rest_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, solution: Callable[[str], Any]
) -> None:
    shutil.copytree(ROOT / "autograder", tmp_path / "autograder")
    path = tmp_path / "autograder" / "suites" / "parameters" / "test_MLP.py"
    path.write_text(path.read_text() + BREAKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workspace = Workspace.make(tmp_path / "course", ["parameters"])
    workspace.submit("solved", "parameters", solution("parameters"))
    done = workspace.nbgrader("autograde", "parameters", check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "Could not be graded: " in line]
    assert re.search(
        r"solved: The suite of `test_MLP` could not grade: its check `test_blocks` is broken"
        r" \(LookupError at test_MLP\.py:\d+\)\.$",
        line,
    )
    assert workspace.score("parameters", "solved") is None
    tests = workspace.tests("parameters", "solved")
    others = {name: test for name, test in tests.items() if not name.startswith("test_MLP.")}
    assert sum(test["points"] for test in others.values()) == 75
    assert all(test["earned"] == test["points"] for test in others.values())
