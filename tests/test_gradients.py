"""Gradients of an operation: what is right, and what a mistake leads to, forward and backward."""

import pytest
import torch

from autograder.exercise import inside_gradients
from autograder.exercise.checks import Failure
from autograder.exercise.draws import away_from_zero
from autograder.exercise.formula import in_double
from autograder.exercise.gradients import Operation, on_the_way_back, with_gradient_of


def draw(rng):
    return {name: away_from_zero(rng, 0.5, 2, 3, 2) for name in ("x", "y")}


@pytest.fixture
def product():
    return Operation("product", lambda x, y: x * x * y, draw, by=("x", "y"))


def drawn(operation):
    return operation.draw(torch.Generator().manual_seed(0))


def named(formula, got, inputs):
    with pytest.raises(Failure) as failure:
        formula.check(got, **inputs)
    return failure.value.misconception


def test_gradients_are_those_by_hand_for_a_gradient_that_is_nowhere_1(product):
    inputs = drawn(product)
    x, y, g = in_double(inputs).values()
    assert bool((g != 1).all())
    product.forward.check(x * x * y, **inputs)
    product.gradients["x"].check(2 * x * y * g, **inputs)
    product.gradients["y"].check(x * x * g, **inputs)


def test_an_ignored_gradient_and_a_flipped_sign_are_named(product):
    inputs = drawn(product)
    x, y, g = in_double(inputs).values()
    assert named(product.gradients["x"], 2 * x * y, inputs) == "upstream-ignored"
    assert named(product.gradients["x"], -2 * x * y * g, inputs) == "sign-flipped"


def test_a_mistake_is_named_forward_and_in_each_gradient_where_it_shows(product):
    product.mistake("square-forgotten", lambda x, y: x * y).says("…")
    product.mistake("one-more", lambda x, y: x * x * y + y).says("…")
    inputs = drawn(product)
    x, y, g = in_double(inputs).values()
    assert named(product.forward, x * y, inputs) == "square-forgotten"
    assert named(product.gradients["x"], y * g, inputs) == "square-forgotten"
    assert named(product.gradients["y"], x * g, inputs) == "square-forgotten"
    assert named(product.gradients["y"], (x * x + 1) * g, inputs) == "one-more"
    known = {mistake.name for mistake, _ in product.gradients["x"].wrong(**in_double(inputs))}
    assert known == {"square-forgotten", "upstream-ignored", "sign-flipped"}  # the other is right


def test_what_is_drawn_tells_all_mistakes_apart(product):
    product.mistake("square-forgotten", lambda x, y: x * y).says("…")
    for formula in (product.forward, *product.gradients.values()):
        inputs = formula.draw(torch.Generator().manual_seed(1))
        assert inputs.keys() == {"x", "y", "g"}


def test_numbers_may_have_another_way_back():
    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    y = with_gradient_of(x.relu(), 3 * x)
    assert y.tolist() == [1, 0]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [3, 3]


def test_a_gradient_is_changed_on_one_of_its_ways_alone():
    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    y = on_the_way_back(x, lambda g: 10 * g) + x
    assert y.tolist() == [2, -4]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [11, 11]
    assert on_the_way_back(x.detach(), torch.neg).tolist() == [1, -2]


def test_gradients_come_of_the_engine_whatever_stands_in_its_place(monkeypatch):
    class _EngineBase:
        def run_backward(self, *given):
            return (torch.zeros(2),)

    monkeypatch.setattr(torch.autograd, "grad", None)
    monkeypatch.setattr(torch.autograd.graph, "_engine_run_backward", None)
    monkeypatch.setattr(torch.autograd.Variable, "_execution_engine", _EngineBase())
    x, other = (torch.tensor([1.0, 3.0], requires_grad=True) for _ in range(2))
    first, nothing = inside_gradients.gradients(x**3, [x, other], torch.ones(2), create_graph=True)
    assert (first.tolist(), nothing.tolist()) == ([3, 27], [0, 0])
    (second,) = inside_gradients.gradients(first, [x], torch.ones(2))
    assert second.tolist() == [6, 18]
    with pytest.raises(RuntimeError, match="second time"):
        inside_gradients.gradients(first, [x], torch.ones(2))
