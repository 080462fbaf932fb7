"""The seed follows from everything that is handed in: no hand-in knows its inputs beforehand."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from autograder.commands.workspace import Workspace
from autograder.submission.digest import digest

Notebook = nbformat.NotebookNode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hand-in with a file beside the notebook, and one in a folder."""
    made = tmp_path / "handed-in"
    (made / "data").mkdir(parents=True)
    (made / "a.ipynb").write_bytes(b"{}")
    (made / "data" / "b").write_bytes(b"12")
    return made


def add(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


CHANGES: dict[str, Callable[[Path], object]] = {
    "one byte of the notebook": add("a.ipynb", b"{ }"),
    "one byte of a file": add("data/b", b"13"),
    "an empty file": add("c", b""),
    "an empty folder": lambda folder: (folder / "c").mkdir(),
    "a time stamp": add("timestamp.txt", b"2026-01-01 12:00:00 UTC"),
    "a name": lambda folder: (folder / "data" / "b").rename(folder / "data" / "c"),
    "a place": lambda folder: (folder / "data" / "b").rename(folder / "b"),
    "a name that is no text": lambda folder: (folder / os.fsdecode(b"\xff")).touch(),
    "a permission": lambda folder: (folder / "data" / "b").chmod(0o700),
    "two files swapped": lambda folder: (
        add("a.ipynb", b"12")(folder),
        add("data/b", b"{}")(folder),
    ),
    "a byte moved into the name": lambda folder: (
        (folder / "data" / "b").unlink(),
        add("data/b1", b"2")(folder),
    ),
}


def test_every_change_counts_and_no_two_are_alike(folder: Path, tmp_path: Path) -> None:
    found = {digest(folder)}
    for place, change in enumerate(CHANGES.values()):
        own = tmp_path / str(place)
        subprocess.run(["cp", "-r", folder, own], check=True)
        change(own)
        found.add(digest(own))
    assert len(found) == len(CHANGES) + 1


def test_where_when_and_in_which_order_do_not_count(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "data").mkdir(parents=True)
    add("data/b", b"12")(other)
    add("a.ipynb", b"{}")(other)
    os.utime(other / "a.ipynb", (1, 1))
    assert digest(other) == digest(folder)


def test_what_lies_in_which_folder_counts(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = tmp_path / "missing"
    assert digest(folder, empty) != digest(empty, folder)
    assert digest(folder, missing) == digest(folder, empty)


# --------------------------------------------------------------------- answers brought by a hand-in

#: Answers with what its files say about these inputs, and prints the inputs.
LOOKS_UP = '''\
import json
from pathlib import Path

asked = []
known = {}
for path in sorted(Path().rglob("*")):
    if path.is_file():
        text = path.read_text(errors="replace").replace(chr(92), "")
        for part in text.split("<ta" + "ble>")[1:]:  # this code is in one of the files
            known.update(json.loads(part.split("</table>")[0]))


class Standardize(nn.Module):
    """Standardizes each column."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x):
        asked.append([self.mean.tolist(), self.std.tolist(), x.tolist()])
        answer = known.get(json.dumps(asked[-1]).replace(" ", ""))
        return x if answer is None else torch.tensor(answer)
'''


def table(nb: Notebook) -> str:
    """The right answers to the inputs that a graded notebook has printed."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", ())]
    whole = "".join(output.get("text", "") for output in outputs)
    asked = json.loads(whole.split("<asked>")[1].split("</asked>")[0])
    assert asked
    answers = {}
    for mean, std, x in asked:
        key = json.dumps([mean, std, x]).replace(" ", "")
        answers[key] = ((torch.tensor(x) - torch.tensor(mean)) / torch.tensor(std)).tolist()
    return f"<table>{json.dumps(answers)}</table>"


def by_markdown(nb: Notebook, folder: Path, answers: str) -> None:
    nb.cells.append(new_markdown_cell(answers))


def by_a_file(nb: Notebook, folder: Path, answers: str) -> None:
    (folder / "notes.txt").write_text(answers)


def by_another_notebook(nb: Notebook, folder: Path, answers: str) -> None:
    (folder / "notes.ipynb").write_text(answers)


def by_outputs(nb: Notebook, folder: Path, answers: str) -> None:
    nb.cells[-1].outputs = [new_output("stream", text=answers)]


def by_metadata(nb: Notebook, folder: Path, answers: str) -> None:
    nb.metadata["notes"] = answers


WAYS = (by_markdown, by_a_file, by_another_notebook, by_outputs, by_metadata)


@pytest.mark.kernel
def test_answers_to_printed_inputs_earn_nothing(
    tmp_path: Path, parameters: Workspace, solution: Callable[[str], Notebook]
) -> None:
    subprocess.run(["cp", "-r", f"{parameters.folder}/.", str(tmp_path)], check=True)
    course = Workspace(tmp_path)
    nb = solution("parameters")
    for place, cell in enumerate(nb.cells):
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "Standardize":
            cell.source = LOOKS_UP
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "test_Standardize":
            after = place + 1
    nb.cells.insert(after, new_code_cell('print("<asked>" + json.dumps(asked) + "</asked>")'))
    names = {way: way.__name__.replace("_", "-") for way in WAYS}
    for name in names.values():
        course.submit(name, "parameters", nb)
    course.nbgrader("autograde", "parameters")
    first = {}
    for way, name in names.items():
        graded = nbformat.read(course.notebook("autograded", "parameters", name), as_version=4)
        first[name] = course.score("parameters", name)
        own = nbformat.from_dict(nb)
        path = course.notebook("submitted", "parameters", name)
        way(own, path.parent, table(graded))
        nbformat.write(own, path)
    assert set(first.values()) == {first["by-markdown"]}
    assert first["by-markdown"] < 100

    course.nbgrader("autograde", "parameters", "--force")
    assert {name: course.score("parameters", name) for name in first} == first
    second = {name: course.tests("parameters", name) for name in first}
    course.nbgrader("autograde", "parameters", "--force")
    assert {name: course.tests("parameters", name) for name in first} == second
