"""The command line: `python -m autograder COMMAND`.

Each command is a module of `autograder.commands`, imported when it is called: most need torch,
which takes seconds.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path


def main(words: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    command = commands.add_parser(
        "grade", help="nbgrader autograde, many submissions at once; takes its options, too"
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--workers", type=int, metavar="N", help="submissions at once (default: as many as cores)"
    )
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="grade on a Dask cluster: tls://HOST:PORT"
    )
    command.add_argument(
        "--allow-insecure", action="store_true", help="also where its address is without TLS"
    )
    command.add_argument(
        "--json", action="store_true", help="print what happens for programs, a line each"
    )
    command.add_argument("--log", type=Path, metavar="FILE", help="keep nbgrader's own log here")

    command = commands.add_parser(
        "check", help="grade one notebook on the spot; the gradebook stays as it is"
    )
    command.add_argument(
        "notebook", metavar="NOTEBOOK", help="its path, a folder that was handed in, or -"
    )
    command.add_argument("--assignment", metavar="A", help="where its name does not say it")
    command.add_argument("--seed", help="a seed that was printed: the same hidden inputs again")
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the result for programs")
    shown.add_argument("--html", action="store_true", help="print the feedback page")

    command = commands.add_parser(
        "serve", help="keep a grader warm for check, the formgrader and all other commands"
    )
    command.add_argument(
        "--idle",
        type=float,
        default=480,
        metavar="MINUTES",
        help="end when nobody has used it for so long (default: 8 hours)",
    )

    command = commands.add_parser(
        "watch", help="grade what arrives in nbgrader's exchange, and release the feedback at once"
    )
    command.add_argument("--once", action="store_true", help="look once, and end")
    command.add_argument(
        "--interval", type=float, default=0.5, metavar="S", help="seconds between two looks"
    )

    command = commands.add_parser(
        "doctor", help="look whether all is as it must be, and say what mends what is not"
    )
    command.add_argument("--json", action="store_true", help="print what is found for programs")

    command = commands.add_parser(
        "report", help="what a class's work comes to: scores, misconceptions, whom to look after"
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--html", type=Path, metavar="FILE", help="in place of report/A.html")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write a row a student, too")
    command.add_argument("--json", type=Path, metavar="FILE", help="write it for programs, too")

    command = commands.add_parser(
        "regrade", help="after a correction: whose score would change, and through which check"
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--apply", action="store_true", help="change it, and renew feedback")

    command = commands.add_parser("validate", help="solutions earn everything, releases nothing")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")

    command = commands.add_parser("audit", help="run the corpora of correct and wrong solutions")
    command.add_argument("assignments", nargs="*", metavar="ASSIGNMENT")
    command.add_argument("--only", nargs="*", metavar="NAME", help="only these entries")
    command.add_argument("--kind", choices=["correct", "wrong"], help="only this kind of entry")
    command.add_argument(
        "--share", type=int, default=1, metavar="N", help="only every Nth entry of each corpus"
    )
    command.add_argument("--jobs", type=int, default=2, help="submissions at a time")
    command.add_argument("--keep", type=Path, help="write the graded notebooks here")

    command = commands.add_parser(
        "student", help="a folder as a student has it, of release/ and course_data/ alone"
    )
    command.add_argument("folder", nargs="?", default="student", metavar="FOLDER")

    command = commands.add_parser("demo", help="grade the sample submissions and say why")
    command.add_argument("--clear", action="store_true", help="take away what it has written")

    commands.add_parser("release", help="make release/ anew from source/")

    command = commands.add_parser("bench", help="speed and memory against stock nbgrader")
    command.add_argument(
        "--students", type=int, default=30, metavar="N", help="submissions of each assignment"
    )

    command = commands.add_parser(
        "scale",
        help="a large class in one run, hostile work in it: what grows, what is left behind",
    )
    command.add_argument(
        "submissions", nargs="?", type=int, default=1000, metavar="N", help="how many (1000)"
    )
    command.add_argument("--assignment", default="parameters", metavar="A")
    command.add_argument("--seed", type=int, default=0, help="of who hands in what")
    command.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="the course folder, to be kept"
    )

    commands.add_parser("lines", help="how many lines of suite an exercise costs")

    arguments, options = parser.parse_known_args(words)
    if options and arguments.command != "grade":
        parser.error(f"unknown options: {' '.join(options)}")
    arguments.options = options
    status: int = import_module(f"autograder.commands.{arguments.command}").main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
