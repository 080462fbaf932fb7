"""Layers with a backward pass by hand: what is right, and what each kind of mistake gives."""

from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.checks import Failure
from autograder.exercise.draws import away_from_zero
from autograder.exercise.formula import in_double
from autograder.exercise.gradients import with_gradient_of
from autograder.exercise.layers import Layer


def draw(rng: torch.Generator, rows: int = 3, factor: float = 2.0) -> dict[str, Any]:
    params = {"by": away_from_zero(rng, 0.5, 2, 4)}
    return {"x": away_from_zero(rng, 0.5, 2, rows, 4), "params": params, "factor": factor}


@pytest.fixture
def layer() -> Layer:
    """`factor * x + by`, in which `twice` is `factor * x` for a factor of 2."""
    made = Layer(
        "Shift",
        lambda twice, by: twice + by,
        draw,
        [{}, {"rows": 2}],
        sizes=lambda by, factor: [*by.shape, factor],
        by=("by", "x"),
        also=lambda x, factor: {"twice": factor * x},
        kept=(lambda x, by: with_gradient_of(3 * x, 2 * x) + by,),
    )
    made.mistake("subtracted", lambda twice, by: twice - by).says("…")
    made.gradients["by"].mistake("batch-sum-missing", lambda g: g).says("…")
    made.gradients["x"].mistake("others", lambda g, by: (k * by + 0 * g for k in (1, 2))).says("…")
    made.way_back.mistake("lost", lambda twice, by: twice.detach() + by).says("…")
    return made


@pytest.fixture
def inputs(layer: Layer) -> dict[str, Any]:
    drawn = layer.backward.draw(torch.Generator().manual_seed(0))
    return in_double(drawn)


def named(layer: Layer, inputs: dict[str, Any], **changed: torch.Tensor) -> str | None:
    right = layer.backward.right(**inputs)
    return in_order.named(layer.backward, [right | changed], [inputs])


def test_gradients_are_those_by_hand(layer: Layer, inputs: dict[str, Any]) -> None:
    g = inputs["g"]
    assert in_order.alike({"by": g.sum(0), "x": 2 * g}, layer.backward.right(**inputs))
    in_order.check(layer.backward, [{"by": g.sum(0), "x": 2 * g}], [inputs])


def test_each_kind_of_mistake_is_named(layer: Layer, inputs: dict[str, Any]) -> None:
    x, by, g = inputs["x"], inputs["params"]["by"], inputs["g"]
    with pytest.raises(Failure) as failure:
        layer.forward.check(2 * x - by, **inputs)
    assert failure.value.misconception == "subtracted"
    assert named(layer, inputs) is None
    assert named(layer, inputs, by=g) == "batch-sum-missing"
    assert named(layer, inputs, x=2 * by.expand(g.shape)) == "others"
    assert named(layer, inputs, x=0 * g) == "lost"
    ones = torch.ones_like(g)
    assert named(layer, inputs, by=ones.sum(0), x=2 * ones) == "upstream-ignored"
    assert named(layer, inputs, x=7 * g) is None


def test_gradients_of_a_wrong_forward_pass_are_known(layer: Layer, inputs: dict[str, Any]) -> None:
    x, by, g = inputs["x"], inputs["params"]["by"], inputs["g"]

    def found(y: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        return [*layer.of_wrong_forwards(y, inputs)]

    assert found(2 * x + by) == []
    kept = {"by": g.sum(0), "x": 2 * g}
    assert any(in_order.alike(each, {"by": -g.sum(0), "x": 2 * g}) for each in found(2 * x - by))
    assert in_order.alike(found(3 * x + by)[0], kept)


def test_a_probe_is_given_no_more_than_it_needs(layer: Layer, inputs: dict[str, Any]) -> None:
    assert {*layer.call(inputs)} == {"params", "x", "g", "sizes"}
    assert layer.call(inputs)["sizes"] == [4, 2.0]


def test_parts_come_in_both_ways() -> None:
    block = Layer("Block", lambda x: x, draw, [{}], sizes=lambda: [], parts=("Shift",))
    assert block.cases == {False: [{"stand_in": False}], True: [{"stand_in": True}]}
