"""The public example beside a failed check keeps its promise, and shows the mistake.

A right solution prints what the example says; a wrong one that loses the check prints something
else, or raises. `tests/examples.py` runs them; where an entry is found here, mend the example in
the suite until it tells the two apart.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from autograder import ROOT
from tests.examples import SAYS, examples, parts

pytestmark = pytest.mark.kernel

ASSIGNMENTS = sorted(path.name for path in (ROOT / "source").iterdir() if path.is_dir())

#: (entry, test): why a right solution cannot show what the example says.
RIGHT_BUT_OTHER = {
    ("checks-oneself-with-autograd", "test_MyLinear.test_gradient"): "leaves gradients off",
    ("checks-oneself-with-autograd", "test_MLP.test_gradient"): "leaves gradients off",
    ("double-inside", "test_Standardize.test_moved"): "answers in float32 at all times",
    ("mlp-of-a-subclass", "test_MLP.test_blocks"): "its layers are of a class like MyLinear",
    ("pipeline-inside-load-split", "test_load_split.test_splits"): (
        "the example looks through `make_transforms` which pipeline is taken; this one takes none"
    ),
    ("magics-and-prints", "test_train.test_losses"): "`train` prints its progress as well",
    ("magics-and-prints", "test_train.test_steps"): "`train` prints its progress as well",
    ("inference-mode", "test_evaluate.test_device"): (
        'adds up on `device`, and from the example\'s device "meta" no number comes back'
    ),
}

#: (entry, test): why a wrong solution shows what the example says.
WRONG_BUT_ALIKE = {
    ("backward-out-of-a-text", "test_LR_backward.test_by_hand"): "its numbers are right, its code"
    " cannot be read",
    (
        "ends-the-record",
        "test_LR_backward.test_by_hand",
    ): "its numbers are right, nobody can see how it came to them",
    **{
        (
            f"linear-{how}",
            f"test_Linear.test_{name}",
        ): "its numbers are right, see above"
        for how in ("out-of-a-text", "ends-the-record")
        for name in ("x", "params", "again")
    },
    **{
        ("transformer-autograd", f"test_TransformerBlock.test_{name}"): "its numbers are right, and"
        " `vjp` switches autograd on again"
        for name in ("x", "params", "again")
    },
    **{
        (entry, f"test_{task}.test_{name}"): "torch's own numbers are right"
        for entry, task, own in (
            ("sgd-torchs-own", "SGD", "plain momentum dampening nesterov"),
            ("sgd-torchs-rule", "SGD", "plain momentum dampening nesterov"),
            ("sgd-torchs-operation", "SGD", "plain momentum dampening nesterov"),
            ("adam-torchs-rule", "Adam", "first_step steps defaults"),
        )
        for name in f"{own} weight_decay missing_gradients groups lr gradients".split()
    },
}

#: Entries that set something for all code: at home that holds for the examples, too.
SET_FOR_ALL = {"devices-and-types-by-default", "double-all-through"}


@pytest.fixture(scope="module")
def tried() -> dict[str, list[dict[str, str]]]:
    """What came of each example with each solution, by assignment."""

    def run(assignment: str) -> list[dict[str, str]]:
        command = [sys.executable, "-m", "tests.examples", assignment]
        ran = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(ASSIGNMENTS, pool.map(run, ASSIGNMENTS), strict=True))


def told(rows: list[dict[str, str]]) -> str:
    """The rows, for who has to mend their examples."""
    return "\n\n".join(
        f"{each['entry']}, {each['test']} says\n{each['says']}\nand shows\n{each['shows']}"
        for each in rows
    )


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_example_promises_something(assignment):
    """The last thing in an example is what its last code prints; nothing else looks like it."""
    for test, example in examples(assignment).items():
        for code, says in parts(example):
            assert says, f"{assignment}, {test}: '{SAYS} ...' is missing after\n{code}"
        assert max(map(len, example.splitlines())) <= 100, f"{assignment}, {test} has a long line"


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_right_solutions_show_what_the_example_says(assignment, tried):
    rows = [each for each in tried[assignment] if each["kind"] == "correct"]
    assert {each["test"] for each in rows if each["entry"] == "solution"} == {*examples(assignment)}
    wrong = [
        each
        for each in rows
        if each["shows"] != each["says"]
        and (each["entry"], each["test"]) not in RIGHT_BUT_OTHER
        and each["entry"] not in SET_FOR_ALL
    ]
    assert not wrong, told(wrong)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_wrong_solutions_show_something_else(assignment, tried):
    rows = [each for each in tried[assignment] if each["kind"] == "wrong"]
    assert rows
    hidden = [
        each
        for each in rows
        if each["shows"] == each["says"] and (each["entry"], each["test"]) not in WRONG_BUT_ALIKE
    ]
    assert not hidden, told(hidden)
