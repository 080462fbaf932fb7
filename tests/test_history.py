"""Which cells a new kernel replays, and which not: decided without any kernel."""

import pytest

from autograder.kernel.history import SLOWER, History


@pytest.fixture
def history() -> History:
    """Three cells ran, begun at the seconds 0, 10 and 20."""
    made = History(endings=3)
    for cell in range(3):
        made.begins(cell, 10.0 * cell)
        made.ended_well(cell)
    return made


def test_cells_are_replayed_in_order(history: History) -> None:
    assert history.replay_begins() == [0, 1, 2]


def test_a_cell_that_did_not_end_is_not_replayed(history: History) -> None:
    history.begins(3, 30.0)
    assert history.last == 3
    assert history.replay_begins() == [0, 1, 2]
    assert history.last == 0


def test_the_one_to_blame_is_left_out_for_good(history: History) -> None:
    history.leave_out(1)
    assert history.replay_begins() == [0, 2]
    history.leave_out(1)
    history.leave_out(None)
    assert history.replay_begins() == [0, 2]


def test_it_may_end_so_many_kernels_and_one_more(history: History) -> None:
    for _ in range(3):
        assert history.may_end_another
        history.kernel_ended()
    assert not history.may_end_another
    assert history.may_go_on
    history.kernel_ended()
    assert not history.may_go_on


def test_a_replay_that_fails_for_no_cell_s_fault_is_tried_as_often(history: History) -> None:
    for _ in range(4):
        assert history.may_go_on
        history.replay_failed()
    assert not history.may_go_on
    assert history.may_end_another
    history.replace_begins()
    assert history.may_go_on


def test_what_was_left_running_is_given_the_time_that_it_took(history: History) -> None:
    ages = history.ages(now=25.0, blamed=None)
    assert ages == {0: 25.0, 1: 15.0, 2: 5.0}
    history.replay_begins()
    history.begins(1, 100.0)
    assert history.wait_after(1, ages, 103.0, {"7", "8"}, {"7"}) == 12.0 + SLOWER
    assert history.wait_after(1, ages, 200.0, {"7", "8"}, {"7"}) == 0.0


def test_nobody_waits_for_a_cell_that_leaves_nothing_running(history: History) -> None:
    ages = history.ages(now=25.0, blamed=None)
    history.replay_begins()
    history.begins(1, 100.0)
    assert history.wait_after(1, ages, 103.0, {"7"}, {"7", "8"}) is None


def test_where_the_one_to_blame_is_known_nobody_waits(history: History) -> None:
    ages = history.ages(now=25.0, blamed=2)
    history.replay_begins()
    history.begins(1, 100.0)
    assert history.wait_after(1, ages, 103.0, {"8"}, set()) is None
