"""A large class in one run: who hands in what, and what is taken for growth."""

import random
import shutil
import subprocess
from argparse import Namespace
from itertools import islice
from pathlib import Path

import pytest

from autograder.commands import growth, scale
from autograder.commands.growth import ENOUGH, Part, dealt, grown
from autograder.commands.processes import find

MIB = 2**20


def seen(
    count: int, seconds: tuple[float, float] = (1, 1), size: tuple[float, float] = (100, 100)
) -> list[Part]:
    """A class whose correct ones took, and whose grader held (MiB), so much at first and then."""
    parts = growth.parts(count)
    return [
        Part(
            last=places.stop,
            each=1,
            correct=[seconds[number > len(parts) // 2]] * (len(places) // 2),
            sizes={"grader": size[number > len(parts) // 2] * MIB},
        )
        for number, places in enumerate(parts)
    ]


@pytest.mark.parametrize("count", [ENOUGH, 1000])
def test_growth_is_told_of_a_large_class(count: int) -> None:
    assert list(grown(seen(count))) == []
    assert list(grown(seen(count, seconds=(1, 1.1), size=(100, 150)))) == []
    (slower,) = grown(seen(count, seconds=(1, 1.3)))
    assert slower.startswith("A correct submission took 1.30 s in the last third")
    (larger,) = grown(seen(count, size=(100, 200)))
    assert larger == "The memory of the grader has grown from 100 MiB to 200 MiB"


@pytest.mark.parametrize("count", [1, 20, 100, ENOUGH - 1])
def test_a_small_class_tells_of_no_growth(count: int) -> None:
    assert list(grown(seen(count, seconds=(1, 9), size=(100, 900)))) == []


def test_the_start_is_no_growth_and_a_part_that_nobody_looked_at_is_left_out() -> None:
    first, second, *others = seen(1000)
    first = Part(first.last, 1, [0.1] * 50, {"grader": 1.0 * MIB})
    second = Part(second.last, 1, second.correct)
    assert list(grown([first, second, *others])) == []


def test_a_class_that_ended_early_is_judged_by_what_there_was() -> None:
    assert list(grown([])) == []
    assert list(grown(seen(1000, seconds=(1, 9))[:2])) == []


@pytest.mark.parametrize("count", [1, 7, 20, 50, 999, 1000])
def test_parts_are_the_whole_class(count: int) -> None:
    parts = growth.parts(count)
    assert [place for part in parts for place in part] == list(range(count))
    assert all(parts)


def test_each_comes_before_any_comes_again() -> None:
    drawn = list(islice(dealt(range(7), random.Random(0)), 21))
    assert [sorted(drawn[k : k + 7]) for k in (0, 7, 14)] == [list(range(7))] * 3
    assert drawn[:7] != drawn[7:14]


def test_a_thousand_are_mixed_from_the_first_to_the_last(tmp_path: Path) -> None:
    drawn = list(scale.draw("parameters", 1000, tmp_path, random.Random(0)).values())
    for start in range(0, 1000, 20):
        kinds = [work.kind for work in drawn[start : start + 20]]
        assert [kinds.count(kind) for kind in ("correct", "wrong", "hostile")] == [10, 8, 2]
    hostile = [work.name for work in drawn if work.kind == "hostile"]
    assert len(set(hostile)) == len(hostile) == 100


def test_whatever_is_hostile_can_be_handed_in(tmp_path: Path) -> None:
    """Some of it links to what a grader's machine has: without that, there would be no class."""
    works = scale.draw("parameters", 3000, tmp_path, random.Random(0)).values()
    hostile = {work.name: work for work in works if work.kind == "hostile"}
    assert len(hostile) > 100
    for work in hostile.values():
        there = tmp_path / "there"
        there.mkdir()
        work.hand_in(there)
        assert (there / "parameters.ipynb").exists()
        shutil.rmtree(there)


def test_a_process_is_the_same_without_its_parent() -> None:
    """So what a run leaves behind is found, whoever has it then."""
    starts = "sleep 600 >/dev/null & echo $!; read line"
    parent = subprocess.Popen(
        ["sh", "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    assert parent.stdin
    number = int(parent.stdout.readline())
    before = find(number)
    assert before is not None
    assert before.parent == parent.pid
    parent.communicate("\n")
    after = find(number)
    assert after is not None
    assert after.parent != parent.pid
    assert after == before
    subprocess.run(["kill", str(number)], check=True)


@pytest.mark.kernel
def test_a_class_of_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Really graded: the table is a part of the class a row, and nothing is wrong."""
    told = Namespace(submissions=3, assignment="parameters", seed=21, keep=tmp_path / "kept")
    drawn = scale.draw("parameters", 3, tmp_path / "drawn", random.Random(21))
    assert {work.kind for work in drawn.values()} == {"correct", "wrong", "hostile"}
    assert scale.main(told) == 0
    kinds, head, rule, row, *rest = capsys.readouterr().out.splitlines()
    assert kinds == "`parameters`: 1 correct, 1 hostile, 1 wrong"
    assert head.count("|") == rule.count("|") == row.count("|") == 7
    assert row.startswith("| 3 | ")
    assert rest[1].startswith("3 of 3 in ")
    assert f"Whether something grows is told by {ENOUGH} submissions and more." in rest
    assert rest[-1] == "Nothing is left, no honest work was punished."


def test_a_class_of_nobody_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    told = Namespace(submissions=0, assignment="parameters", seed=0, keep=None)
    assert scale.main(told) == 2
    assert capsys.readouterr().err == "There must be one submission at least\n"
