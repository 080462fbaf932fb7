"""What formulas name, accept and draw."""

import pytest
import torch

from autograder.exercise.checks import Failure
from autograder.exercise.formula import Formula


def draw(rng):
    return {"x": 1 + torch.rand(3, generator=rng)}


def squared() -> Formula:
    """The square of x, of which people take the double, or leave out what is large."""
    formula = Formula("the square", draw=draw, reference=lambda x: x**2)
    formula.mistake("doubled", lambda x: 2 * x).says("That is the double.")
    formula.mistake("cut", lambda x: iter([x[:2] ** 2] if len(x) > 2 else [])).says("Cut.")
    return formula


def verdict(formula, *answers):
    try:
        formula.check_all(answers)
    except Failure as failure:
        return failure.misconception or str(failure.message)
    return "passes"


X, Y = torch.tensor([1.5, 3.0, 2.5]), torch.tensor([0.5, 4.0, 1.0])


def test_a_mistake_in_what_is_given_is_followed_to_its_end():
    """What a step gives is summed here: so is what a mistake in it gives."""
    total = Formula("the sum", given={"step": squared()}, reference=lambda step: step.sum())
    assert verdict(total, ((X**2).sum(), {"x": X})) == "passes"
    assert verdict(total, ((2 * X).sum(), {"x": X})) == "doubled"
    assert [mistake.name for mistake, _ in total.wrong(x=X)] == ["doubled", "cut"]


def test_what_is_given_says_how_to_draw():
    first = squared()
    total = Formula("the sum", given={"step": first}, reference=lambda step: step.sum())
    assert set(total.draw(torch.Generator())) == {"x"}
    assert total.cases == first.cases


def test_a_name_explains_all_answers():
    assert verdict(squared(), (2 * X, {"x": X}), (2 * Y, {"x": Y})) == "doubled"
    says = verdict(squared(), (2 * X, {"x": X}), (3 * Y, {"x": Y}))
    assert says == "the square has the right form, but not the right values."


def test_a_right_answer_is_explained_where_the_mistake_cannot_be_made():
    part = Formula("the square", draw=draw, reference=lambda x: x**2)
    part.mistake("first-two", lambda x: iter([x**2 * (x > 2)] if len(x) > 2 else [])).says("...")
    short = X[:2]
    right = (short**2, {"x": short})
    assert verdict(part, right, (X**2 * (X > 2), {"x": X})) == "first-two"
    assert verdict(squared(), (X**2, {"x": X}), (2 * Y, {"x": Y})) != "doubled"


def test_what_is_accepted_passes():
    formula = Formula("x", draw=draw, reference=lambda x: x, accepted=lambda x: iter([-x]))
    formula.mistake("doubled", lambda x: 2 * x).says("That is the double.")
    assert verdict(formula, (-X, {"x": X})) == "passes"
    assert verdict(formula, (2 * X, {"x": X})) == "doubled"


@pytest.mark.parametrize(
    ("got", "name"),
    [
        (torch.zeros(1), "axes"),
        (0.0, "number"),
        (torch.tensor(0), "whole"),
        (torch.tensor(0.0, dtype=torch.float64), "b should be of type float32; yours is float64."),
        (True, "b should be a tensor of shape (); yours is of type `bool`."),
    ],
)
def test_forms_have_names(got, name):
    formula = Formula("b", draw=draw, reference=lambda: torch.zeros(()), dtype=torch.float32)
    formula.mistake("axes", lambda: torch.zeros(1), shape_only=True).says("...")
    formula.mistake("number", lambda: 0.5, shape_only=True).says("...")
    formula.mistake("whole", lambda: torch.tensor(0), shape_only=True).says("...")
    assert verdict(formula, (got, {})) == name


def test_a_diagnosis_is_the_mistake_or_none():
    formula = squared()
    doubled = formula.mistakes[0].known
    assert formula.diagnosis([(2 * X, {"x": X})]) == doubled
    assert formula.diagnosis([(X**2, {"x": X})]) is None
    assert formula.diagnosis([("no tensor", {"x": X})]) is None


def test_mistakes_show_on_parts_of_what_is_drawn():
    """An answer for the first number alone is told from one that is cut at 1.5 only above that."""
    first = Formula(
        "x",
        draw=lambda rng: {"x": 2 * torch.rand(3, generator=rng)},
        reference=lambda x: x,
        parts=lambda x: iter([{"x": x[:1]}]),
    )
    first.mistake("cut", lambda x: x.clamp(max=1.5)).says("Cut.")
    inputs = first.draw(torch.Generator().manual_seed(3))
    assert inputs["x"][0] > 1.5
    assert [len(each["x"]) for each in first.wholes(inputs)] == [1, 3]
