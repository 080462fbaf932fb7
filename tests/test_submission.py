"""How the file of a notebook is read: encodings, outputs that are passed over, what is none."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.submission.lean import NotLean, lean
from autograder.submission.read import NotANotebook, read

GERMAN = "größe = 'für'  # schön – „Übung“"
FRENCH = "déjà = 1  # « où »… l’été, ça coûte 5 €"
CHINESE = "模型 = 1  # 这是一个注释，我们学习反向传播。"
MIXED = "größe_模型 = '😀'"


@pytest.fixture
def reading() -> Callable[[bytes], tuple[list[str], list[str]]]:
    """Reads a file of these bytes: the sources of its cells, and the notes."""

    def read_bytes(data: bytes) -> tuple[list[str], list[str]]:
        nb, notes = read(data)
        return [cell.source for cell in nb.cells], notes

    return read_bytes


def notebook(*sources: str) -> dict[str, Any]:
    """A notebook of code cells."""
    cells = [{"cell_type": "code", "source": text, "outputs": []} for text in sources]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def written(*sources: str) -> str:
    """Its JSON, as Jupyter writes it."""
    return json.dumps(notebook(*sources), ensure_ascii=False, indent=1)


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (MIXED, "utf-8", None),
        (MIXED, "utf-8-sig", None),
        (MIXED, "utf-16", "UTF-16"),
        (MIXED, "utf-16-le", "UTF-16"),
        (MIXED, "utf-16-be", "UTF-16"),
        (MIXED, "utf-32", "UTF-32"),
        (MIXED, "utf-32-be", "UTF-32"),
        (GERMAN, "cp1252", "Windows-1252"),
        (FRENCH, "cp1252", "Windows-1252"),
        ("x = 1  # größe", "cp1252", "Windows-1252"),
        ("x = 'é'", "cp1252", "Windows-1252"),
        (CHINESE, "gb18030", "GB18030"),
        (CHINESE, "gbk", "GB18030"),
        ("x = '中'", "gb2312", "GB18030"),
        (CHINESE * 20 + "# 镕", "gb18030", "GB18030"),
    ],
)
def test_encodings_are_told_and_noted(
    reading: Callable[[bytes], tuple[list[str], list[str]]],
    text: str,
    encoding: str,
    name: str | None,
) -> None:
    sources, notes = reading(written(text).encode(encoding))
    assert sources == [text]
    assert [str(note).split(",")[0] for note in notes] == (
        [f"Your notebook was saved as {name}"] if name else []
    )


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("привет = 'слово'", "cp1251"),
        ("привет = 'слово'", "koi8-r"),
        ("x = 'パラメータ'  # これはコメントです", "shift_jis"),
        ("x = 1  # 這是一個註解，我們學習反向傳播", "big5"),
        ("x = 1  # 학습률을 바꾸어 보자", "cp949"),
        ("x = 1  # 学習率を変えてみる", "euc_jp"),
        ("x = 1  # öğrenci şimdi değil", "cp1254"),
        ("größe", "cp850"),
        ("größe", "mac_roman"),
        ("łza", "cp1250"),
    ],
)
def test_an_encoding_in_doubt_is_left_to_a_person(
    reading: Callable[[bytes], tuple[list[str], list[str]]], text: str, encoding: str
) -> None:
    with pytest.raises(NotANotebook, match="which encoding its letters are in cannot be told"):
        reading(written(text).encode(encoding))


def test_damaged_letters_are_left_to_a_person(
    reading: Callable[[bytes], tuple[list[str], list[str]]],
) -> None:
    data = written("# " + "größe, für " * 20).encode()
    with pytest.raises(NotANotebook, match="some of its letters are damaged"):
        reading(data.replace("ü".encode(), b"\xbc", 1))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b" \n", "is empty"),
        (b"\0" * 100, "nothing but zero bytes"),
        (b"PK\x03\x04..", "a zip archive"),
        (b"\x1f\x8b..", "a compressed archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\n<html><body></body></html>", "a web page"),
        (b"# comment\nimport torch\n", "a Python script"),
        (b"My homework", "is not JSON"),
        (b'"text"', "is not JSON|not a notebook"),
        (b'{"cells": [', "cut off"),
        (b'{"cells": [], "nbformat": 4', "cut off"),
        (b'{"cells": [{"source": "x', "cut off"),
        (b'{"cells": [{"source": "x\\', "cut off"),
        (b'{"cells": [{"source"', "cut off"),
        (b'{"cells": [{"source": ', "cut off"),
        (b'{"cells": [],\n"nbformat": 4,\n}', "broken in its line 3"),
        (b'{"cells": [],\n"nbformat" 4}', "broken in its line 2"),
        (b'{"cells": [{"source": "x" "y"}], "nbformat": 4}', "broken in its line 1"),
        (b'{"cells": [{"source": ["x" "y"]}], "nbformat": 4}', "is broken: it is not JSON"),
        (b'{"cells": [], "nbformat": 4} {}', "broken in its line 1"),
        (
            b'{"cells": [\n<<<<<<< HEAD\n{},\n=======\n>>>>>>> b\n], "nbformat": 4}',
            "a merge conflict",
        ),
        (b'{"cells": [{"source": [\n<<<<<<< HEAD\n"x"\n=======\n"y"\n>>>>>>> b\n]}]}', "conflict"),
        (b'{"cells": []}', "no `nbformat`"),
        (b'{"nbformat": 4}', "no list of `cells`"),
        (b'{"nbformat": 4, "cells": [1]}', "no list of `cells`"),
        (b'{"nbformat": 4, "cells": ' + b"[" * 10**5 + b"]" * 10**5 + b"}", "no list of|nested"),
        (b'{"nbformat": 4, "cells": [{"metadata": [' + b"[]," * 10**6 + b"1]}]}", "more values"),
        (b'{"nbformat": 4, "cells": [' + b"{}," * 2001 + b"{}]}", "more than 2000 cells"),
        (b'{"nbformat": 4, "x": [' + b"[]," * 6 * 10**6 + b'1], "cells": []}', "more values"),
    ],
)
def test_what_is_no_notebook_is_named(
    reading: Callable[[bytes], tuple[list[str], list[str]]], data: bytes, why: str
) -> None:
    with pytest.raises(NotANotebook, match=why):
        reading(data)


def test_lone_surrogates_become_question_marks(
    reading: Callable[[bytes], tuple[list[str], list[str]]],
) -> None:
    cell = {
        "cell_type": "markdown",
        "source": ["\ud800"],
        "metadata": {"nbgrader": {"grade_id": "\udfff"}},
        "attachments": {"\ud800": {"image/png": "\udfff"}},
    }
    nb, _ = read(json.dumps({"nbformat": 4, "cells": [cell]}).encode())
    assert json.dumps(nb.cells[0], ensure_ascii=False).encode()
    assert nb.cells[0].attachments == {"?": {"image/png": "?"}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("outputs"), inner),
    max_leaves=20,
)
KEPT = ("cell_type", "source", "metadata", "attachments")


@given(
    st.lists(st.dictionaries(st.sampled_from([*KEPT, "outputs", "id", 'a"\\']), JSON)),
    st.dictionaries(st.text(), JSON),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_outputs_are_cut_and_the_rest_stays(
    cells: list[dict[str, Any]], metadata: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    nb = {"metadata": metadata, "cells": cells, "nbformat": 4, "outputs": metadata}
    text = json.dumps(nb, indent=indent, ensure_ascii=ascii_only)
    expected = [{key: cell[key] for key in cell if key in KEPT} for cell in cells]
    assert json.loads(lean(text.encode("utf-8", "replace"))) == {
        "cells": json.loads(json.dumps(expected).encode("utf-8", "replace")),
        "nbformat": 4,
    }


@given(st.binary())
def test_any_bytes_are_made_lean_or_refused(data: bytes) -> None:
    for text in (data, b'{"cells": [{"source": ' + data, b'{"cells": [{"outputs": [' + data):
        with contextlib.suppress(NotLean):
            assert lean(text)
