"""Audits the suites: grades the corpora of correct and wrong solutions, in workers, as data.

An entry of a corpus says which tests it loses, with which diagnosis (`commands/corpora.py`). That
plain nbgrader comes to the same is shown by `commands/validate.py`.
"""

import logging
import tempfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import ROOT
from autograder.commands.corpora import CORPUS, Entry, build, load
from autograder.commands.workspace import Workspace
from autograder.grading import report
from autograder.grading.grader import Graded, Terms
from autograder.grading.pool import Pool

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What came of an entry; `problems` is empty where it was judged as it should be."""

    entry: Entry
    problems: tuple[str, ...]
    named: int
    unnamed: int
    misnamed: int


def main(arguments: Namespace) -> int:
    """Audit what was asked for; 0 where every entry was judged as it should be."""
    entries: list[Entry] = []
    for assignment in arguments.assignments or sorted(p.stem for p in CORPUS.glob("*.toml")):
        entries += load(assignment)[:: arguments.share]
    if arguments.only:
        entries = [entry for entry in entries if entry.name in arguments.only]
    if arguments.kind:
        entries = [entry for entry in entries if bool(entry.loses) == (arguments.kind == "wrong")]
    findings = run(entries, arguments.jobs, arguments.keep)
    for finding in findings:
        for problem in finding.problems:
            print(f"{finding.entry.assignment}, {finding.entry.name}: {problem}")
    right = [finding for finding in findings if not finding.entry.loses]
    wrong = [finding for finding in findings if finding.entry.loses]
    print(f"correct solutions given full marks: {_share(right)}")
    print(f"wrong solutions given exactly the expected points and names: {_share(wrong)}")
    print(
        f"diagnoses of failed tests: {sum(f.named for f in findings)} right,"
        f" {sum(f.unnamed for f in findings)} none, {sum(f.misnamed for f in findings)} wrong"
    )
    problems = any(finding.problems for finding in findings)
    if arguments.share == 1 and not arguments.only and arguments.kind != "correct":
        unfailed = untested(findings)
        print(f"tests that no wrong solution fails: {', '.join(unfailed) or 'none'}")
        problems = problems or bool(unfailed)
    return 1 if problems else 0


def _share(findings: list[Finding]) -> str:
    return f"{sum(not finding.problems for finding in findings)} of {len(findings)}"


def run(entries: list[Entry], jobs: int = 2, keep: Path | None = None) -> list[Finding]:
    """Grade the entries.

    Args:
        entries: of any assignments.
        jobs: how many at once.
        keep: a folder that the graded notebooks are to be written to.
    """
    assignments = sorted({entry.assignment for entry in entries})
    with (
        tempfile.TemporaryDirectory(prefix="audit-") as folder,
        Pool(assignments, Terms(ROOT / "course_data"), jobs, _LOG) as pool,
    ):
        workspace = Workspace.make(Path(folder), assignments)
        submissions = [
            workspace.submission(entry.name, entry.assignment, build(entry)) for entry in entries
        ]
        findings = []
        for entry, graded in zip(entries, pool.grade(submissions), strict=True):
            findings.append(_judge(entry, graded))
            if keep is not None:
                _write(graded, keep / entry.assignment / f"{entry.name}.ipynb")
        return findings


def _write(graded: Graded, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    report.write(graded.notebook, graded)
    nbformat.write(graded.notebook, path)


def _judge(entry: Entry, graded: Graded) -> Finding:
    tests = {
        f"{cell.grade_id}.{test.id}": test
        for cell in graded.results.values()
        for test in cell.tests
    }
    problems = [f"{name} is no test" for name in entry.loses if name not in tests]
    problems += [str(cell.ungraded) for cell in graded.results.values() if cell.ungraded]
    named = unnamed = misnamed = 0
    for name, test in tests.items():
        lost, expected = test.earned < test.points, entry.loses.get(name)
        if lost and expected is None:
            problems.append(f"{name} should pass, but failed [{test.misconception or '-'}]")
        elif not lost and expected is not None:
            problems.append(f"{name} should fail, but passed")
        elif lost and not entry.may_earn(name, test.earned):
            least, most = entry.earns.get(name, (0, 0))
            problems.append(f"{name} should earn {least} to {most}, earned {test.earned}")
        if lost and expected is not None and expected != (test.misconception or ""):
            problems.append(
                f"{name} should be named [{expected or '-'}], was [{test.misconception or '-'}]"
            )
        if lost and test.misconception:
            right = test.misconception == expected
            named, misnamed = named + right, misnamed + (not right)
        elif lost and expected:
            unnamed += 1
    return Finding(entry, tuple(problems), named, unnamed, misnamed)


def untested(findings: list[Finding]) -> list[str]:
    """The tests that no wrong entry fails: each needs one, or has no use."""
    from autograder.grading.session import collect  # torch, which the workers have by then

    failed = {(each.entry.assignment, name) for each in findings for name in each.entry.loses}
    return [
        f"{assignment}, {suite.grade_id}.{check.id}"
        for assignment in sorted({each.entry.assignment for each in findings})
        for suite in collect(assignment).values()
        for check in suite.checks
        if (assignment, f"{suite.grade_id}.{check.id}") not in failed
    ]
