"""Audits the suites: runs the corpora of correct and wrong solutions through the real grading path.

An entry of a corpus says which tests it loses, with which diagnosis (`commands/corpora.py`).
"""

import shutil
import tempfile
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from autograder.commands.corpora import CORPUS, Entry, build, load
from autograder.commands.workspace import Workspace
from autograder.grading.session import collect


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
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="audit-"))
    try:
        findings = run(entries, folder, arguments.jobs)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
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


def run(entries: list[Entry], folder: Path, jobs: int = 2) -> list[Finding]:
    """Grade the entries with plain `nbgrader autograde`, `jobs` course folders at a time."""
    parts = [entries[start::jobs] for start in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        work = [
            pool.submit(_run_part, part, folder / str(place))
            for place, part in enumerate(parts)
            if part
        ]
        return [finding for each in work for finding in each.result()]


def _run_part(entries: list[Entry], folder: Path) -> list[Finding]:
    assignments = sorted({entry.assignment for entry in entries})
    workspace = Workspace.make(folder, assignments)
    for entry in entries:
        workspace.submit(entry.name, entry.assignment, build(entry))
    logs = ""
    for assignment in assignments:
        logs += workspace.nbgrader("autograde", assignment, check=False).stderr
    (folder / "log.txt").write_text(logs)
    return [_judge(entry, workspace) for entry in entries]


def _judge(entry: Entry, workspace: Workspace) -> Finding:
    try:
        tests = workspace.tests(entry.assignment, entry.name)
    except FileNotFoundError:
        return Finding(entry, (f"was not graded (see {workspace.folder / 'log.txt'})",), 0, 0, 0)
    problems = [f"{name} is no test" for name in entry.loses if name not in tests]
    if workspace.score(entry.assignment, entry.name) is None:
        problems.append(f"could not be graded (see {workspace.folder / 'log.txt'})")
    named = unnamed = misnamed = 0
    for name, test in tests.items():
        lost, expected = test["earned"] < test["points"], entry.loses.get(name)
        if lost and expected is None:
            problems.append(f"{name} should pass, but failed [{test['misconception'] or '-'}]")
        elif not lost and expected is not None:
            problems.append(f"{name} should fail, but passed")
        elif lost and expected != (test["misconception"] or ""):
            problems.append(
                f"{name} should be named [{expected or '-'}], was [{test['misconception'] or '-'}]"
            )
        if lost and test["misconception"]:
            right = test["misconception"] == expected
            named, misnamed = named + right, misnamed + (not right)
        elif lost and expected:
            unnamed += 1
    return Finding(entry, tuple(problems), named, unnamed, misnamed)


def untested(findings: list[Finding]) -> list[str]:
    """The tests that no wrong entry fails: each needs one, or has no use."""
    failed = {(each.entry.assignment, name) for each in findings for name in each.entry.loses}
    return [
        f"{assignment}, {suite.grade_id}.{check.id}"
        for assignment in sorted({each.entry.assignment for each in findings})
        for suite in collect(assignment).values()
        for check in suite.checks
        if (assignment, f"{suite.grade_id}.{check.id}") not in failed
    ]
