"""What the suites of `blocks` hold right: the ways back written out agree with autograd."""

from typing import Any

import pytest
import torch

from autograder.exercise import in_order
from autograder.exercise.formula import Formula, in_double
from autograder.exercise.in_order import is_near
from autograder.suites.blocks import (
    functions,
    probes,
    test_LayerNorm,
    test_Linear,
    test_ReLU,
    test_ResidualBlock,
    test_SelfAttention,
    test_TransformerBlock,
)
from autograder.suites.blocks.digits import held_out
from autograder.suites.blocks.layers import Asked

BLOCKS = [test_ResidualBlock, test_SelfAttention, test_TransformerBlock]


def drawn(formula: Formula, **case: Any) -> dict[str, Any]:
    return in_double(formula.draw(torch.Generator().manual_seed(5), **case))


@pytest.mark.parametrize("suite", BLOCKS, ids=lambda suite: suite.__name__.rpartition("_")[2])
def test_a_way_back_without_mistakes_is_what_autograd_gives(suite: Any) -> None:
    for case in suite.CASES:
        inputs = drawn(suite.backward, **case)
        written, right = suite.back(**inputs), suite.backward.right(**inputs)
        assert {*right} == {*written}
        for name, grad in right.items():
            torch.testing.assert_close(written[name], grad, msg=name)


def test_the_way_back_of_a_layer_norm_is_what_autograd_gives() -> None:
    inputs = drawn(test_LayerNorm.backward)
    known = test_LayerNorm.parts(inputs["x"], inputs["params"], inputs["eps"])
    written = test_LayerNorm.back(known["xhat"], known["std"], known["weight"], inputs["g"])
    torch.testing.assert_close(written, test_LayerNorm.backward.right(**inputs))


@pytest.mark.parametrize(
    ("suite", "points"),
    [(test_Linear, 15), (test_ReLU, 5), (test_LayerNorm, 15)]
    + [(suite, points) for suite, points in zip(BLOCKS, (15, 25, 15), strict=True)],
    ids=lambda value: value if isinstance(value, int) else value.__name__.rpartition("_")[2],
)
def test_autograd_costs_at_least_half(suite: Any, points: int) -> None:
    """What checks that the way back is by hand is worth half of the grade cell or more."""
    tests = [thing for name, thing in vars(suite).items() if name.startswith("test_")]
    worth = {test.__name__: test.pytestmark[0].args[0] for test in tests}
    assert sum(worth.values()) == points
    by_hand = [name for name in worth if name in ("test_x", "test_params", "test_again")]
    assert 2 * sum(worth[name] for name in by_hand) >= points


def test_a_stand_in_is_another_function_than_what_it_stands_for() -> None:
    """So that nothing can be read off it, and no number that it gives is a right one."""
    rng = torch.Generator().manual_seed(5)
    x = functions.draw_rows(rng, 2, 3, 4)
    of = {
        "Linear": functions.draw_linear(rng, 4, 4),
        "LayerNorm": functions.draw_norm(rng, 4),
        "SelfAttention": functions.draw_attention(rng, 4),
    }
    for name, params in of.items():
        sizes = (2,) if name == "SelfAttention" else ()
        own, other = (
            known[name](x, params, *sizes) for known in (functions.OWN, functions.STAND_INS)
        )
        assert own.shape == other.shape
        assert not is_near(other, own)


def test_a_stand_in_gives_the_gradients_of_its_function() -> None:
    part = probes.Linear(3, 2)
    x, g = torch.randn(4, 3), torch.randn(4, 2)
    part.params["weights"].mul_(2)  # in place, as a step does
    y = part.forward(x)
    into = part.backward(g)
    right = in_order.gradients(functions.STAND_INS["Linear"], x, part.params, g)
    torch.testing.assert_close(y, functions.STAND_INS["Linear"](x, part.params))
    torch.testing.assert_close({**part.grads, "x": into}, right)


def test_cells_of_other_tasks_are_not_read_for_autograd() -> None:
    asked = Asked(None, test_ResidualBlock.RESIDUAL_BLOCK, torch.Generator())  # type: ignore[arg-type]
    own = "class ResidualBlock:\n    def backward(self, g):\n        return g"
    assert asked.without_others(own) == own
    assert asked.without_others("helper = 1") == "helper = 1"
    other = "class Linear:\n    def backward(self, g):\n        return torch.autograd.grad(1, 2)"
    assert "autograd" not in asked.without_others(other)
    assert "class Linear" in asked.without_others(other)


def test_held_out_digits_are_all_there() -> None:
    images, labels = held_out()
    assert images.shape == (1000, 28, 28)
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    assert torch.bincount(labels).tolist() == [100] * 10
