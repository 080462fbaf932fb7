"""How much cells may show, message by message; no kernel is needed to count."""

from typing import Any

import pytest

from autograder.kernel.output_budget import FULL_CELLS, OVERHEAD, OutputBudget

LIMIT = 1_000


def text(length: int) -> dict[str, Any]:
    return {"name": "stdout", "text": "x" * length}


def display(length: int, name: str = "a") -> dict[str, Any]:
    return {"data": {"text/plain": "x" * length}, "transient": {"display_id": name}}


@pytest.fixture
def budget() -> OutputBudget:
    made = OutputBudget(LIMIT)
    made.begin(0)
    return made


def test_what_fits_is_shown_as_it_is(budget: OutputBudget) -> None:
    content = text(LIMIT - OVERHEAD)
    assert budget.admits(0, "stream", content)
    assert len(content["text"]) == LIMIT - OVERHEAD
    assert budget.end(0) == ""


def test_a_text_is_cut_where_it_is_enough_and_nothing_comes_after_it(budget: OutputBudget) -> None:
    content = text(5_000)
    assert budget.admits(0, "stream", content)
    assert len(content["text"]) <= LIMIT + 1
    assert not budget.admits(0, "stream", text(1))
    assert not budget.admits(0, "display_data", display(1))
    assert budget.end(0) == "Output beyond 0 KiB was cut here."


def test_a_text_that_goes_on_costs_its_letters_alone(budget: OutputBudget) -> None:
    assert budget.admits(0, "stream", text(1))
    for _ in range(LIMIT - OVERHEAD - 1):
        assert budget.admits(0, "stream", text(1), goes_on=True)
    assert budget.end(0) == ""
    budget.begin(1)
    for _ in range(LIMIT // OVERHEAD):
        budget.admits(1, "stream", text(1))
    assert budget.end(1)


def test_a_display_that_does_not_fit_is_not_shown_at_all(budget: OutputBudget) -> None:
    assert budget.admits(0, "display_data", display(100))
    assert not budget.admits(0, "display_data", display(LIMIT))
    assert budget.end(0)


def test_what_is_cleared_counts_no_more(budget: OutputBudget) -> None:
    assert budget.admits(0, "stream", text(700))
    budget.clear(0)
    assert budget.admits(0, "stream", text(700))
    assert budget.end(0) == ""


def test_a_cell_that_begins_anew_has_said_nothing(budget: OutputBudget) -> None:
    budget.admits(0, "stream", text(5_000))
    budget.begin(0)
    assert budget.admits(0, "stream", text(700))
    assert budget.end(0) == ""


def test_all_cells_together_show_as_much_as_some_full_ones(budget: OutputBudget) -> None:
    for cell in range(FULL_CELLS):
        assert budget.room == LIMIT
        budget.begin(cell)
        budget.admits(cell, "stream", text(5_000))
        assert budget.end(cell)
    assert budget.room == 0
    budget.begin(FULL_CELLS)
    content = text(5_000)
    budget.admits(FULL_CELLS, "stream", content)
    assert len(content["text"]) == 1
    assert budget.end(FULL_CELLS)


def test_a_display_may_change_for_ever_but_not_grow(budget: OutputBudget) -> None:
    for _ in range(1_000):
        assert budget.admits_update(display(500))
    assert budget.admits_update(display(500, "b"))
    assert not budget.admits_update(display(FULL_CELLS * LIMIT))
    for number in range(1_000):
        if not budget.admits_update(display(500, str(number))):
            break
    assert number < FULL_CELLS * LIMIT / 500
