"""What the suites of `blocks` hold right, and what they put in the place of earlier tasks."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from autograder.exercise import in_order, layer_norm
from autograder.exercise.asked import Asked
from autograder.exercise.formula import in_double, of
from autograder.exercise.in_order import is_near
from autograder.exercise.inside_layers import OfModule, Part, Silent
from autograder.exercise.layers import Layer
from autograder.exercise.pictures import HELD_OUT, in_classes
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

BLOCKS = [test_ResidualBlock, test_SelfAttention, test_TransformerBlock]
KEPT = [
    pytest.param(layer, own, id=f"{layer.name}-{place}")
    for layer in (test_LayerNorm.NORM, test_SelfAttention.ATTENTION)
    for place, own in enumerate(layer.kept)
]


def drawn(layer: Layer) -> dict[str, Any]:
    return in_double(layer.backward.draw(torch.Generator().manual_seed(5)))


def test_the_rule_of_a_layer_norm_is_what_autograd_gives() -> None:
    inputs = drawn(test_LayerNorm.NORM)
    x, g, eps = inputs["x"], inputs["g"], inputs["eps"]
    weight, bias = inputs["params"].values()
    written = layer_norm.rule(*layer_norm.normed(x, eps), weight * g)
    torch.testing.assert_close(written, test_LayerNorm.NORM.backward.right(**inputs)["x"])
    torch.testing.assert_close(
        layer_norm.layer_norm(x, weight, bias, eps),
        functional.layer_norm(x, x.shape[-1:], weight, bias, eps),
    )


def test_attention_is_what_torch_computes() -> None:
    inputs = drawn(test_SelfAttention.ATTENTION)
    x, params = inputs["x"], inputs["params"]
    heads = functional.scaled_dot_product_attention(
        *(functions.split(x @ params[name], 2) for name in ("wq", "wk", "wv"))
    )
    right = functions.merge(heads) @ params["wo"]
    torch.testing.assert_close(functions.attend(x, params, 2), right)


@pytest.mark.parametrize(("layer", "own"), KEPT)
def test_gradients_of_what_a_wrong_forward_pass_has_kept_count(layer: Layer, own: Any) -> None:
    inputs = drawn(layer)
    kept, right = layer.derived(own, **inputs), layer.backward.right(**inputs)
    assert [*kept] == [*right]
    assert not is_near(kept["x"], right["x"])
    assert any(grads["x"].equal(kept["x"]) for grads in layer.of_wrong_forwards(None, inputs))
    y = layer.forward.right(**inputs)
    assert not any(grads["x"].equal(kept["x"]) for grads in layer.of_wrong_forwards(y, inputs))


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


@pytest.mark.parametrize("suite", [test_Linear, test_LayerNorm, test_SelfAttention])
def test_a_stand_in_is_another_function_than_what_it_stands_for(suite: Any) -> None:
    """So that nothing can be read off it, and no number that it gives is a right one."""
    (layer,) = (thing for thing in vars(suite).values() if isinstance(thing, Layer))
    inputs = drawn(layer)
    other = probes.FUNCTIONS[layer.name](inputs["x"], **inputs["params"])
    right = layer.forward.right(**inputs)
    assert other.shape == right.shape
    assert not is_near(other, right)


def test_a_stand_in_gives_the_gradients_of_its_function() -> None:
    class Linear(Part):
        made = staticmethod(probes.PARAMS["Linear"])
        function = staticmethod(probes.FUNCTIONS["Linear"])

    part = Linear(3, 2)
    x, g = torch.randn(4, 3), torch.randn(4, 2)
    part.params["weights"].mul_(2)  # in place, as a step does
    y, into = part.forward(x), part.backward(g)
    leaves = {name: t.clone().requires_grad_() for name, t in {**part.params, "x": x}.items()}
    right = of(probes.FUNCTIONS["Linear"], leaves)
    torch.testing.assert_close(y, right.detach())
    torch.testing.assert_close({**part.grads, "x": into}, in_order.derived(right, leaves, g))


SIZES = {
    "Linear": {"in_features": 4, "out_features": 4},
    "ReLU": {},
    "LayerNorm": {"dim": 4, "eps": 1e-3},
    "ResidualBlock": {"dim": 4, "hidden": 3},
    "SelfAttention": {"dim": 4, "heads": 2},
    "TransformerBlock": {"dim": 4, "heads": 2, "hidden": 3},
}


@pytest.mark.parametrize("task", probes.MODULES)
def test_what_stands_in_for_a_block_can_be_trained(task: str) -> None:
    class Block(OfModule):
        kind = staticmethod(probes.MODULES[task])

    block = Block(**SIZES[task])
    x = torch.randn(2, 3, 4)
    before = block.forward(x)
    assert block.backward(before.sign()).shape == x.shape
    assert {*block.grads} == {*block.params}
    for name, grad in block.grads.items():
        block.params[name] -= 0.01 * grad
    assert bool((block.forward(x) - before).any()) == (task != "ReLU")


@pytest.mark.parametrize("task", probes.PARAMS)
@pytest.mark.parametrize("kind", [Part, Silent])
def test_what_stands_in_for_a_part_is_made_and_asked_like_it(task: str, kind: type[Part]) -> None:
    how = {"made": probes.PARAMS[task], "function": probes.FUNCTIONS[task]}
    part = type(task, (kind,), {name: staticmethod(value) for name, value in how.items()})
    block = part(**SIZES[task])
    x = torch.randn(2, 3, 4)
    assert block(x).shape == block.backward(x).shape == x.shape
    assert {*block.grads} == {*block.params}


def test_cells_of_other_tasks_are_not_read_for_autograd() -> None:
    rng = torch.Generator()
    asked = Asked(test_ResidualBlock.BLOCK, probes.passes, None, rng, tuple(probes.MODULES))  # type: ignore[arg-type]
    own = "class ResidualBlock:\n    def backward(self, g):\n        return g"
    assert asked.without_others(own) == own
    assert asked.without_others("helper = 1") == "helper = 1"
    other = "class Linear:\n    def backward(self, g):\n        return torch.autograd.grad(1, 2)"
    assert "autograd" not in asked.without_others(other)
    assert "class Linear" in asked.without_others(other)


def test_held_out_digits_are_all_there() -> None:
    images, labels = in_classes(HELD_OUT / "digits")
    assert images.shape == (1000, 28, 28, 3)
    assert images.dtype == torch.uint8
    assert int(images.min()) < int(images.max())
    assert torch.bincount(labels).tolist() == [100] * 10
