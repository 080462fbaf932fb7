"""Gradients in the order of a backward pass: each right or wrong, and the first wrong one told."""

from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.checks import Failure
from autograder.exercise.formula import Formula
from autograder.exercise.in_order import derived
from autograder.grading.results import CellResult, TestResult


def draw(rng: torch.Generator) -> dict[str, Any]:
    x, w, v, g = (torch.randn(3, 3, generator=rng) for _ in range(4))
    return {"x": x, "w": w, "v": v, "g": g}


def right(x: torch.Tensor, w: torch.Tensor, v: torch.Tensor, g: torch.Tensor) -> in_order.Gradients:
    leaves = {name: t.detach().requires_grad_() for name, t in {"v": v, "w": w, "x": x}.items()}
    with torch.enable_grad():
        return derived((leaves["x"] @ leaves["w"]) @ leaves["v"], leaves, g)


BACKWARD: Formula = in_order.formula(
    "`backward`", draw=draw, also=lambda x, w, v, g: {"right": right(x, w, v, g)}
)
BACKWARD.mistake("w-doubled", lambda right: right | {"w": 2 * right["w"]}).says("Twice.")


def failure(*wrong: str, **keys: Any) -> Failure:
    inputs = BACKWARD.draw(torch.Generator().manual_seed(3))
    grads = right(*(inputs[name] for name in ("x", "w", "v", "g")))
    got = {name: grad * (2 if name in wrong else 1) for name, grad in grads.items()}
    with pytest.raises(Failure) as caught:
        in_order.check(BACKWARD, [got], [inputs], **keys)
    return caught.value


def test_each_gradient_is_told_in_order() -> None:
    told = failure("w", "x")
    assert list(told.steps.items()) == [("v", True), ("w", False), ("x", False)]
    assert told.misconception == "w-doubled"
    assert told.message == (
        "In the order of the backward pass, the first wrong gradient is that of `w`. Twice."
    )


def test_what_is_not_asked_about_may_be_wrong() -> None:
    inputs = BACKWARD.draw(torch.Generator().manual_seed(3))
    grads = right(*(inputs[name] for name in ("x", "w", "v", "g")))
    in_order.check(BACKWARD, [grads | {"x": -grads["x"]}], [inputs], ("v", "w"))


def test_the_table_marks_the_first_wrong_one_and_what_may_follow() -> None:
    told = failure("w", "x")
    test = TestResult("t", 4, 0, "All gradients.", told.message, steps=tuple(told.steps.items()))
    assert [(name, right, str(says)) for name, right, says in test.rows] == [
        ("v", True, "right"),
        ("w", False, "wrong, the first: look here"),
        ("x", False, "wrong: may follow from `w`"),
    ]
    assert CellResult("test_f", "0", (test,)).lost == {told.message: test}
