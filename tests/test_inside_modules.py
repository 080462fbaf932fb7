"""What is seen of a module from inside, whatever a student has made of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.exercise import inside_modules as inside
from autograder.exercise.distributions import looks
from autograder.exercise.networks import forward


class Made(nn.Module):
    """Adds up what it holds, and what comes in."""

    def __init__(self, keep: Callable[["Made"], None]) -> None:
        super().__init__()
        keep(self)

    def forward(self, x: Tensor) -> Tensor:
        total = x
        for each in inside.tensors_of(self):
            total = total + each.sum()
        return total


def as_parameter(module: Made) -> None:
    module.bias = nn.Parameter(torch.ones(3))


def as_buffer(module: Made) -> None:
    module.register_buffer("bias", torch.ones(3))


def as_plain_tensor(module: Made) -> None:
    module.bias = torch.ones(3)


def in_a_list(module: Made) -> None:
    vars(module)["several"] = [torch.ones(3)]


@pytest.mark.parametrize(
    ("keep", "how", "state", "follows"),
    [
        (as_parameter, "parameter", 1, True),
        (as_buffer, "buffer", 1, True),
        (as_plain_tensor, "plain", 0, False),
        (in_a_list, "contained", 0, False),
    ],
)
def test_how_numbers_are_kept(keep: Any, how: str, state: int, follows: bool) -> None:
    found = inside.described(Made(keep), bias=1)
    assert (found["bias"]["how"], found["state"], found["holds"]) == (how, state, True)
    assert found["bias"]["there"] is (how != "contained")
    assert found["bias"]["trained"] is (how == "parameter")
    assert inside.follows(Made(keep), Made(keep), torch.ones(2))["follows"] is follows
    other = Made(keep)
    with torch.no_grad():
        inside.tensors_of(other)[0].zero_()
    found = inside.loaded(Made(keep), other, torch.ones(2))
    assert torch.equal(found["loaded"], found["forward"]) is bool(state)
    assert not torch.equal(found["before"], found["forward"])


def test_a_module_that_holds_nothing() -> None:
    found = inside.described(Made(lambda _: None), bias=1)
    assert (found["parameters"], found["buffers"], found["holds"]) == ([], 0, False)
    assert (found["bias"]["used"], found["bias"]["trained"]) == (None, False)


def test_numbers_find_their_place_by_shape_upright_or_lying() -> None:
    numbers = [torch.arange(6.0).reshape(2, 3), torch.arange(2.0)]
    lying, column, other = torch.zeros(3, 2), torch.zeros(2, 1), torch.zeros(5)
    (matrix,), (bias,) = inside.fill([lying, column, other], numbers)
    for got, wanted in ((lying.T, matrix), (column[:, 0], bias), (matrix, numbers[0])):
        assert torch.equal(got, wanted)
    assert bias.tolist() == [0.0, 1.0]
    assert not other.any()


@pytest.mark.parametrize("cut", [True, False])
def test_a_tensor_that_backward_does_not_reach_is_seen(cut: bool) -> None:
    class Layer(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight.T + (self.bias.detach() if cut else self.bias)

    layer = Layer(3, 2)
    found = inside.answer(layer, torch.ones(4, 3), list(layer.parameters()))
    assert (found["cut"], found["holds"]) == (cut, True)


def test_a_part_that_is_passed_twice_is_seen() -> None:
    part = nn.Linear(3, 3)
    assert inside.reuses(nn.Sequential(part, part), torch.ones(2, 3))
    assert not inside.reuses(nn.Sequential(part, nn.ReLU(), nn.Linear(3, 3)), torch.ones(2, 3))


@pytest.mark.parametrize(
    ("numbers", "like"),
    [
        (lambda rng: torch.randn(997, generator=rng), "normal"),
        (lambda rng: torch.rand(997, generator=rng), "uniform"),
        (lambda rng: 2 * torch.rand(997, generator=rng) - 1, "uniform around 0"),
        (lambda rng: 0.1 * torch.randn(997, generator=rng), "scaled"),
        (lambda rng: torch.randn(40, generator=rng).repeat(25), "repeated"),
        (lambda rng: torch.randn(997, generator=rng) + 3, "other"),
        (lambda rng: torch.ones(997), "constant"),
        (lambda rng: torch.zeros(3), "constant"),
        (lambda rng: torch.ones(3), "normal"),
    ],
)
def test_what_random_numbers_look_like(numbers: Any, like: str) -> None:
    for seed in range(20):
        assert looks(numbers(torch.Generator().manual_seed(seed))) == like


class Product(nn.Module):
    """A layer that begins with weights of some shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (2,)])
def test_a_layer_is_asked_with_given_numbers(shape: tuple[int, ...]) -> None:
    """Whatever form its own numbers have: they are replaced where they have another."""
    x, weights = torch.ones(4, 2), torch.arange(6.0).reshape(2, 3)
    found = inside.answer_with(lambda: Product(*shape), x, {"weights": weights})
    assert torch.equal(found["forward"], x @ weights)
    assert not found["cut"]


def test_a_network_is_asked_with_given_numbers() -> None:
    x = torch.ones(4, 2)
    layers = [[torch.ones(2, 3), torch.ones(3)], [torch.ones(3, 1), torch.ones(1)]]
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    found = inside.assembled(network, x, layers)
    assert torch.equal(found["forward"], forward(x, layers, between=None))
    assert (found["tensors"], found["hidden"], found["reused"]) == (4, False, False)
    broken = nn.Sequential(nn.Linear(3, 1))
    assert inside.assembled(broken, x, must=False)["forward"] is None
    with pytest.raises(RuntimeError):
        inside.assembled(broken, x)
