"""Kernels for the tests, and ways to look at what they leave behind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from traitlets.config import Config

from autograder.sandbox import SandboxKernelManager
from autograder.sandbox.template import _templates
from autograder.sandbox.view import bubblewrap, covered_paths, python_paths

ROOT = Path(__file__).resolve().parents[2]


# For kernels that need no torch: their template is there in a second.
LIGHT = Config({"SandboxProvisioner": {"preload": ["ipykernel.kernelapp", "ipykernel.ipkernel"]}})

# What a fresh kernel finds in its /tmp: where Python is installed in the host's, the way to it.
FRESH = {".ipython", *(Path(path).parts[2] for path in covered_paths() if path[:5] == "/tmp/")}


@dataclass
class Outcome:
    """What came of running a cell."""

    text: str = ""
    error: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)


class Kernel:
    """A sandboxed kernel and its client."""

    def __init__(self, runner: asyncio.Runner, config: Config | None = None) -> None:
        self.runner = runner
        self.manager = SandboxKernelManager(config=config or Config())
        self.client: Any = None

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine)

    async def async_start(self, **kwargs: Any) -> Kernel:
        await self.manager.start_kernel(**kwargs)
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=60)
        return self

    def start(self, **kwargs: Any) -> Kernel:
        return self.do(self.async_start(**kwargs))

    async def async_run(self, code: str, timeout: float = 20) -> Outcome:
        outcome = Outcome()

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            outcome.messages.append(message)
            if message["msg_type"] == "stream":
                outcome.text += content["text"]
            elif message["msg_type"] == "execute_result":
                outcome.text += content["data"]["text/plain"]
            elif message["msg_type"] == "error":
                outcome.error = f"{content['ename']}: {content['evalue']}"

        await self.client.execute_interactive(
            code, output_hook=collect, timeout=timeout, allow_stdin=False
        )
        return outcome

    def run(self, code: str, timeout: float = 20) -> Outcome:
        return self.do(self.async_run(code, timeout))

    def send(self, code: str) -> None:
        """Start a cell and do not wait for it."""
        self.client.execute(code, reply=False)
        self.do(asyncio.sleep(0.3))

    @property
    def alive(self) -> bool:
        return self.do(self.manager.is_alive())

    def wait_dead(self, timeout: float = 10) -> int | None:
        return self.do(asyncio.wait_for(self.manager.provisioner.wait(), timeout))

    def stop(self) -> None:
        if self.client is not None:
            self.client.stop_channels()
        if self.manager.provisioner is not None:
            self.do(self.manager.shutdown_kernel(now=True))


def template_processes() -> list[list[psutil.Process]]:
    """For each of the templates: bubblewrap, the template itself, and all of its kernels'."""
    processes = [psutil.Process(each.pid) for each in _templates.values() if each.alive]
    return [[each, *each.children(recursive=True)] for each in processes]


def as_nobody(*command: str) -> list[str]:
    """The command as an unprivileged user, where this is root; Python and the project in reach."""
    needed = [str(ROOT), *python_paths()]
    closed = set()
    for path in needed:
        for parent in reversed(Path(path).parents):
            if not parent.stat().st_mode & 1:
                closed.add(str(parent))
                break
    words = [bubblewrap(), "--dev-bind", "/", "/", "--cap-add", "ALL"]
    for parent in sorted(closed):
        words += ["--perms", "0755", "--tmpfs", parent]
        for path in needed:
            if Path(parent) in Path(path).parents:
                for above in reversed(Path(path).parents):
                    if Path(parent) in above.parents:
                        words += ["--perms", "0755", "--dir", str(above)]
                words += ["--ro-bind", path, path]
    drop = (
        "import json, os, sys; os.setgroups([]); os.setresgid(*[65534] * 3); "
        "os.setresuid(*[65534] * 3); command = json.loads(sys.argv[1]); "
        "os.execv(command[0], command)"
    )
    return [*words, "--", sys.executable, "-c", drop, json.dumps(command)]
