"""Kernels for the tests, driven from a session-long event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from traitlets.config import Config

from autograder.sandbox import check, close_templates
from tests.sandbox.helpers import Kernel

# What no kernel may ever see.
os.environ["HOST_SECRET"] = "host-secret-value"


@pytest.fixture(scope="session", autouse=True)
def sandbox() -> Iterator[None]:
    check()
    yield
    close_templates()


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def kernels(runner: asyncio.Runner) -> Iterator[Any]:
    """Call it for a kernel; all are stopped after the test."""
    started: list[Kernel] = []

    def start(config: Config | None = None, **kwargs: Any) -> Kernel:
        kernel = Kernel(runner, config)
        started.append(kernel)
        return kernel.start(**kwargs)

    yield start
    for kernel in started:
        kernel.stop()
