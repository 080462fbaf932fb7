"""How the suites of `blocks` ask a submission's layer."""

from typing import Any

import pytest
import torch

from autograder.exercise import Student
from autograder.exercise.asked import Asked
from autograder.exercise.layers import Layer
from autograder.suites.blocks import probes

TASKS = ("Linear", "ReLU", "LayerNorm", "ResidualBlock", "SelfAttention", "TransformerBlock")


def asking(layer: Layer) -> Any:
    """The fixture of a suite: its layer, asked once for all tests."""

    @pytest.fixture(scope="module")
    def asked(student: Student, suite_rng: torch.Generator) -> Asked:
        return Asked(layer, probes.passes, student, suite_rng, TASKS)

    return asked
