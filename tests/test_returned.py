"""Tests of what is said of the losses that a loop returns."""

from typing import Any

import numpy as np
import pytest
import torch

from autograder.exercise import returned
from autograder.exercise.checks import Failure, Misconception

GRAPH = Misconception("graph", "Its graph is kept.")
THREE = [1.0, 0.5, 0.25]


def verdict(value: Any, **told: Any) -> str:
    """The name of the mistake, or the sentence where there is none, for three epochs of four."""
    forms = returned.Forms(graphs=GRAPH)
    try:
        got = returned.floats(value, 3, returned.lengths(3, 4), forms=forms, **told)
    except Failure as failure:
        return failure.misconception or str(failure.message)
    assert got.tolist() == value
    return "passes"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (THREE, "passes"),
        (None, "no-return"),
        (0.25, "one-number"),
        (torch.tensor([0.25]), "one-number"),
        (torch.tensor(THREE), "A list of floats was expected; yours is a tensor of shape (3,)."),
        ([torch.tensor(value) for value in THREE], "tensor-not-float"),
        ([np.array(1.0, dtype="float32")] * 3, "numpy-not-float"),
        ([], "empty-list"),
        ([1.0], "loop-ends-early"),
        ([1.0] * 2, "one-epoch-too-few"),
        ([1.0] * 4, "one-epoch-too-many"),
        ([1.0] * 12, "loss-per-batch"),
        ([1.0] * 7, "3 epochs should give 3 losses; your list has 7."),
        (["a"] * 3, "The list of losses should hold Python floats; yours holds of type `str`."),
    ],
)
def test_a_list_of_floats_is_asked_for(value: Any, says: str) -> None:
    assert verdict(value) == says


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.25, None),
        (None, "no-return"),
        (torch.tensor(0.25), "tensor-not-float"),
        (np.array(1.0, dtype="float32"), "numpy-not-float"),
        (1, "The loss should be a Python float; yours is of type `int`."),
    ],
)
def test_one_float_is_asked_for(value: Any, says: str | None) -> None:
    said = None
    try:
        assert returned.one_float(value, "The loss") == value
    except Failure as failure:
        said = failure.misconception or str(failure.message)
    assert said == says


def test_what_the_probe_tells_beside_the_value_counts() -> None:
    assert verdict([torch.ones(())] * 3, graph=True) == "graph"
    assert (
        verdict(THREE, type="tuple") == "A list of floats was expected; yours is of type `tuple`."
    )


@pytest.mark.parametrize(
    "value",
    [THREE, torch.tensor(THREE), np.array(THREE), [torch.tensor(value) for value in THREE]],
)
def test_losses_are_read_in_whatever_form_they_are(value: Any) -> None:
    assert returned.series(value, 3, 4).tolist() == THREE


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "no-return"),
        (1.0, "one-number"),
        ([], "empty-list"),
        ([1.0] * 12, "loss-per-batch"),
        ([1.0] * 601, "Your list has 601 losses: far too many."),
        ([1.0, float("nan")], "Each loss should be finite; yours is nan."),
    ],
)
def test_what_is_no_losses_is_told(value: Any, says: str) -> None:
    with pytest.raises(Failure) as failure:
        returned.series(value, 3, 4)
    assert (failure.value.misconception or str(failure.value.message)) == says
