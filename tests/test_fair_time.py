"""The seconds that a kernel gets back: those that others took, and no more."""

import pytest

from autograder.kernel.fair_time import FairTime
from autograder.sandbox.usage import Usage


class Machine:
    """A clock, and a kernel's share of the processors."""

    def __init__(self, most: float = 1000) -> None:
        self.time = self.waited = self.used = 0.0
        self.told = True
        self.fair = FairTime(self.usage, most, lambda: self.time)

    def usage(self) -> Usage | None:
        return Usage(self.waited, self.used) if self.told else None

    def goes_on(self, seconds: float, share: float, others: float = 0) -> None:
        """Time passes, in which the kernel wants to run; `others` are processes of its own."""
        self.time += seconds
        self.waited += seconds * (1 - share)
        self.used += seconds * (share + others)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_alone_it_gets_nothing_back(machine: Machine) -> None:
    machine.goes_on(60, share=1)
    assert machine.fair.grace() == 0


def test_asleep_it_gets_nothing_back(machine: Machine) -> None:
    machine.time += 60
    assert machine.fair.grace() == 0


def test_it_gets_back_what_others_had_until_it_has_had_its_time(machine: Machine) -> None:
    machine.goes_on(60, share=0.25)
    while more := machine.fair.grace():
        machine.goes_on(more, share=0.25)
    assert machine.used == pytest.approx(60, abs=0.1)
    assert machine.fair.given == pytest.approx(machine.time - 60)


def test_what_it_takes_from_itself_it_does_not_get_back(machine: Machine) -> None:
    machine.goes_on(60, share=0.25, others=1.75)
    assert machine.fair.grace() == 0


def test_each_request_counts_for_itself(machine: Machine) -> None:
    machine.goes_on(60, share=0.5)
    assert machine.fair.grace() == 30
    machine.fair.begin()
    assert machine.fair.grace() == 0
    machine.goes_on(10, share=0.5)
    assert machine.fair.grace() == 5
    assert machine.fair.given == 35


def test_there_is_an_end_of_it() -> None:
    machine = Machine(most=10)
    machine.goes_on(60, share=0.5)
    assert machine.fair.grace() == 10
    machine.goes_on(60, share=0.5)
    assert machine.fair.grace() == 0


def test_where_nothing_is_known_nothing_is_given(machine: Machine) -> None:
    machine.goes_on(60, share=0.5)
    machine.told = False
    assert machine.fair.grace() == 0
