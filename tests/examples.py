"""Runs the public examples of the suites as a student does at home: in their own notebook.

    python -m tests.examples ASSIGNMENT

tries them with the solution, with every correct solution of the corpus, and with every wrong one:
of a wrong one the examples of the tests that it loses. It prints one line of JSON for each.

Lines of an example that begin with `#>` say what the code above them prints.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import nbformat
import torch

from autograder import ROOT
from autograder.commands import corpora
from autograder.grading.session import collect
from autograder.submission.cells import PICTURE
from tests.confined import confined

SAYS = "#>"

# What a wrong solution may take.
CPU_SECONDS, SECONDS = 20, 120


def parts(example: str) -> list[tuple[str, str]]:
    """Cut an example into pieces of code, each with what it says that the piece prints."""
    pieces: list[tuple[list[str], list[str]]] = [([], [])]
    for line in example.splitlines():
        if line.startswith(SAYS):
            pieces[-1][1].append(line.removeprefix(SAYS).removeprefix(" ").rstrip())
        else:
            if pieces[-1][1]:
                pieces.append(([], []))
            pieces[-1][0].append(line)
    return [("\n".join(code), "\n".join(said)) for code, said in pieces]


def shown(example: str, names: dict[str, Any]) -> str:
    """The example with what its code really prints, up to the first error, in the place of `#>`."""
    lines: list[str] = []
    for code, _ in parts(example):
        lines.append(code)
        printed, error = io.StringIO(), ""
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "example", "exec"), names)
        except BaseException as caught:
            error = f"{type(caught).__name__}: {caught}"
        lines += [f"{SAYS} {line}".rstrip() for line in printed.getvalue().splitlines()]
        if error:
            return "\n".join([*lines, error])
    return "\n".join(lines)


def said(example: str) -> str:
    """What `shown` gives where everything comes as the example says."""
    lines: list[str] = []
    for code, says in parts(example):
        lines += [code, *(f"{SAYS} {line}".rstrip() for line in says.splitlines())]
    return "\n".join(lines)


def names_of(nb: nbformat.NotebookNode, trained: bool) -> dict[str, Any]:
    """The names that a notebook defines, as `__main__`; without `model`, unless it is `trained`."""
    names = sys.modules["__main__"] = ModuleType("__main__")
    names.exit = names.quit = lambda: None  # type: ignore[attr-defined]  # a notebook's raise nothing
    for cell in nb.cells:
        told = cell.metadata.get("nbgrader", {})
        name = told.get("grade_id", "")
        if cell.cell_type != "code" or told.get("grade") or name.startswith(PICTURE):
            continue
        if name == "model" and not trained:
            continue
        lines = [line for line in cell.source.splitlines() if not line.startswith(("%", "!"))]
        # As in a notebook: what one cell raises does not stop the others.
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
            exec(compile("\n".join(lines), name or "cell", "exec"), vars(names))
    return vars(names)


def examples(assignment: str) -> dict[str, str]:
    """The examples of all suites of an assignment, by `<grade cell>.<test>`."""
    return {
        f"{suite.grade_id}.{check.id}": check.example
        for suite in collect(assignment).values()
        for check in suite.checks
    }


def apart(nb: nbformat.NotebookNode, texts: list[str], trained: bool) -> list[str]:
    """What each example of `texts` shows in a notebook: in a process of its own, within limits."""

    def shows() -> list[str]:
        torch.manual_seed(1)  # what is random is the same each time
        names = names_of(nb, trained)
        return [shown(text, names) for text in texts]

    return confined(shows, CPU_SECONDS, SECONDS) or ["It came to no end."] * len(texts)


def tried(assignment: str) -> Iterator[dict[str, str]]:
    """Each example with each notebook: the entry, the test, what it says and what it shows."""
    texts = examples(assignment)
    plain = corpora.Entry(assignment, "solution", "")
    for entry in (plain, *corpora.load(assignment)):
        nb = corpora.build(entry)
        changed = tuple(
            f"test_{cell}" for cell in {*entry.cells, *(edit[0] for edit in entry.edits)}
        )
        trained = [name for name in texts if name.startswith("test_model.")]
        if entry.loses:  # one at a time: an example that does not end must not hide the next
            turns = [[name] for name in entry.loses if name not in trained]
            turns += [[name for name in entry.loses if name in trained]]
        elif entry is plain:
            turns = [list(texts)]
        elif entry.before:  # whatever stands there, it may meet every example
            turns = [[name for name in texts if name.startswith(changed) or name not in trained]]
        else:
            turns = [[name for name in texts if name.startswith(changed)]]
        for turn in filter(None, turns):
            came = apart(nb, [texts[name] for name in turn], not set(turn).isdisjoint(trained))
            for name, text in zip(turn, came, strict=True):
                yield {
                    "kind": "wrong" if entry.loses else "correct",
                    "entry": entry.name,
                    "test": name,
                    "says": said(texts[name]),
                    "shows": text,
                }


def main() -> None:
    torch.set_num_threads(1)  # a forked process has no other threads
    os.environ |= {"COURSE_DATA": str(ROOT / "course_data"), "MPLBACKEND": "agg"}
    assignment = sys.argv[1]
    import matplotlib.pyplot
    import torchvision  # noqa: F401  so that no process has to import it anew

    matplotlib.pyplot.close()
    for each in tried(assignment):
        print(json.dumps(each), flush=True)


if __name__ == "__main__":
    main()
