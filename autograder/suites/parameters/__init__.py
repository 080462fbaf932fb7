"""Suites of `parameters`: what a module registers, and what it computes with it."""

from typing import Any

from autograder.exercise import Misconception, Probe, Says, Student, named_by_pytorch

NO_SUPER = Misconception(
    "super-init-missing",
    "Your `__init__` puts something into the module before the module is set up: the line"
    " `super().__init__()`, which was given at its start, is missing or comes too late.",
)


def run(student: Student, probe: Probe, **inputs: Any) -> Any:
    """Run a probe that makes a module of the student's; name what PyTorch says of its set-up."""
    with named_by_pytorch(Says("AttributeError", "before Module.__init__() call", NO_SUPER)):
        return student.run(probe, **inputs)
