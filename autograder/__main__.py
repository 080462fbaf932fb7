"""The command line: `python -m autograder COMMAND`."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from autograder import ROOT
from autograder.commands import audit, bench, demo
from autograder.commands import grade as workers
from autograder.commands.workspace import Workspace
from autograder.grading.session import collect


def main(words: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "grade", help="nbgrader autograde, many submissions at once; takes its options, too"
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at once"
    )
    command.set_defaults(
        run=lambda given: workers.run(given.assignment, given.workers, given.options)
    )

    command = commands.add_parser("validate", help="solutions earn everything, releases nothing")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    command.set_defaults(run=_validate)

    command = commands.add_parser("audit", help="run the corpora of correct and wrong solutions")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    command.add_argument("--only", nargs="*", metavar="NAME", help="only these entries")
    command.add_argument("--kind", choices=["correct", "wrong"], help="only this kind of entry")
    command.add_argument(
        "--share", type=int, default=1, metavar="N", help="only every Nth entry of each corpus"
    )
    command.add_argument("--jobs", type=int, default=2, help="course folders at a time")
    command.add_argument("--keep", type=Path, help="keep the graded course folders here")
    command.set_defaults(run=_audit)

    command = commands.add_parser("demo", help="grade the sample submissions and say why")
    command.set_defaults(run=_demo)

    command = commands.add_parser("release", help="make release/ anew from source/")
    command.set_defaults(run=_release)

    command = commands.add_parser("bench", help="speed and memory against stock nbgrader")
    command.add_argument(
        "--students", type=int, default=30, metavar="N", help="submissions of each assignment"
    )
    command.set_defaults(run=lambda arguments: bench.run(arguments.students))

    arguments, options = parser.parse_known_args(words)
    arguments.options = options
    if options and not hasattr(arguments, "workers"):
        parser.error(f"unknown options: {' '.join(options)}")
    status: int = arguments.run(arguments)
    return status


def assignments_of(names: list[str]) -> list[str]:
    """The assignments that were named, or all that have a source notebook."""
    return names or sorted(path.parent.name for path in (ROOT / "source").glob("*/*.ipynb"))


def _validate(arguments: argparse.Namespace) -> int:
    assignments = assignments_of(arguments.assignments)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="validate-") as folder:
        workspace = Workspace.make(Path(folder), assignments)
        for assignment in assignments:
            for student, step in (("solution", "source"), ("unsolved", "release")):
                workspace.submit(student, assignment, workspace.notebook(step, assignment))
            workspace.nbgrader("autograde", assignment)
            most = sum(suite.points for suite in collect(assignment).values())
            for student, wanted in (("solution", most), ("unsolved", 0)):
                score = workspace.score(assignment, student)
                wrong += score != wanted
                print(f"{assignment:16} {student:9} {score} of {most}", flush=True)
                for name, test in workspace.tests(assignment, student).items():
                    if wanted and test["earned"] < test["points"]:
                        print(f"    lost: {name}")
                    elif not wanted and test["earned"]:
                        print(f"    earned: {name}")
    return 1 if wrong else 0


def _audit(arguments: argparse.Namespace) -> int:
    entries = []
    for assignment in arguments.assignments or sorted(p.stem for p in audit.CORPUS.glob("*.toml")):
        entries += audit.load(assignment)[:: arguments.share]
    if arguments.only:
        entries = [entry for entry in entries if entry.name in arguments.only]
    if arguments.kind:
        entries = [entry for entry in entries if bool(entry.loses) == (arguments.kind == "wrong")]
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="audit-"))
    try:
        findings = audit.run(entries, folder, arguments.jobs)
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
        untested = audit.untested(findings)
        print(f"tests that no wrong solution fails: {', '.join(untested) or 'none'}")
        problems = problems or bool(untested)
    return 1 if problems else 0


def _demo(arguments: argparse.Namespace) -> int:
    try:
        return 1 if demo.run() else 0
    except demo.InUse as error:
        print(error, file=sys.stderr)
        return 2


def _release(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        for assignment in assignments_of([]):
            workspace = Workspace.make(Path(folder) / assignment, [assignment])
            target = ROOT / "release" / assignment
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(workspace.folder / "release" / assignment, target)
            print(target)
    return 0


def _share(findings: list[audit.Finding]) -> str:
    return f"{sum(not finding.problems for finding in findings)} of {len(findings)}"


if __name__ == "__main__":
    sys.exit(main())
