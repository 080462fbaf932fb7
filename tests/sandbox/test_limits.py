"""Past a limit: an error in the cell where that is possible, else a dead kernel; never more."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.sandbox import SandboxLimits
from tests.sandbox.helpers import LIGHT, Kernel

pytestmark = pytest.mark.kernel

MIB = 2**20
Start = Callable[..., Kernel]

SMALL = SandboxLimits(
    memory_bytes=400 * MIB,
    processes=60,
    file_bytes=20 * MIB,
    shared_memory_bytes=20 * MIB,
    open_files=200,
)


CASES = tomllib.loads(Path(__file__).with_name("limits.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_limits_are_errors_in_the_cell(kernels: Start, case: dict[str, str]) -> None:
    kernel = kernels(None if "torch" in case["name"] else LIGHT, limits=SMALL)
    error = kernel.run(case["code"]).error
    assert re.match(case["error"], error, re.S), error
    # The cell still holds what it took, and the next one works all the same.
    assert kernel.run("20 + 22").text == "42"


MANY_PROCESSES = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(os.urandom(2**20)) * 300
        time.sleep(60)
time.sleep(60)
"""

SHARED_MAPPING = """
import mmap, time
shared = mmap.mmap(-1, 2**30)
for i in range(0, 2**30, 4096):
    shared[i] = 1
time.sleep(60)
"""


PAGE_TABLES = """
import mmap, time
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000
empty = mmap.mmap(-1, 2**40, flags=flags, prot=mmap.PROT_READ)
for i in range(0, 300_000 * 2**21, 2**21):
    empty[i]
time.sleep(60)
"""

SOCKETS = """
import os, socket, time
for _ in range(14):
    if os.fork() == 0:
        for _ in range(75):
            pairs = globals().setdefault("pairs", [])
            pairs.append(socket.socketpair())
            for end in pairs[-1]:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
                end.setblocking(False)
                try:
                    while True: end.send(bytes(2**15))
                except BlockingIOError:
                    pass
        time.sleep(60)
time.sleep(60)
"""

NOT_ACCEPTED = """
import socket, time
server = socket.socket(socket.AF_UNIX)
server.bind("x")
server.listen(4096)
for _ in range(2000):
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    client.connect("x")
    try:
        while True: client.send(bytes(2**15))
    except BlockingIOError:
        pass
    client.close()
time.sleep(60)
"""

LOOPBACK = """
import socket, time
server = socket.create_server(("127.0.0.1", 0), backlog=4096)
for _ in range(2000):
    client = socket.create_connection(server.getsockname())
    client.setblocking(False)
    try:
        while True: client.send(bytes(2**15))
    except BlockingIOError:
        pass
    client.close()
time.sleep(60)
"""

TOGETHER = {
    "processes": MANY_PROCESSES,
    "mapping": SHARED_MAPPING,
    "page tables": PAGE_TABLES,
    "sockets": SOCKETS,
    "not accepted": NOT_ACCEPTED,
    "loopback": LOOPBACK,
}


@pytest.mark.parametrize("code", TOGETHER.values(), ids=TOGETHER)
def test_limits_of_memory_hold_for_all_processes_together(kernels: Start, code: str) -> None:
    kernel = kernels(LIGHT, limits=SMALL)
    kernel.client.execute(code, reply=False)
    assert kernel.wait_dead(20) == -9
    assert kernel.manager.provisioner.exit_reason == "memory"


def test_limits_allow_what_is_shared_after_a_fork(kernels: Start) -> None:
    """Workers that only read the data of their parent do not count it again."""
    kernel = kernels(LIGHT, limits=SMALL)
    code = """
import os, time
x = bytearray(os.urandom(2**20)) * 250
pids = []
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.7); os._exit(len(set(x[:: 2**20])))
    pids.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
"""
    assert kernel.run(code).text.strip() == "[1, 1, 1, 1, 1]"


def test_limits_of_processes_are_each_kernels_own(kernels: Start) -> None:
    first, second = kernels(LIGHT, limits=SMALL), kernels(LIGHT, limits=SMALL)
    code = "import subprocess\nfor _ in range(30): subprocess.Popen(['sleep', '5'])"
    assert first.run(code).error == second.run(code).error == ""


def test_limits_outlive_a_fork_bomb(kernels: Start) -> None:
    kernel, other = kernels(LIGHT, limits=SMALL), kernels(LIGHT)
    kernel.send("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert other.run("1 + 1", timeout=10).text == "2"
    kernel.stop()
    assert other.run("2 + 2").text == "4"


def test_limits_by_default_of_torch(kernels: Start) -> None:
    """Four GiB more than the warm kernel: a large tensor fits, a larger one does not."""
    kernel = kernels()
    code = "import torch; torch.empty(7 * 2**27).numel()  # 3.5 GiB, never touched"
    assert kernel.run(code).error == ""
    assert "allocate" in kernel.run("torch.empty(5 * 2**28)").error
    assert kernel.run("open('x', 'wb').write(bytes(99 * 2**20))").error == ""
    assert "No space" in kernel.run("open('y', 'wb').write(bytes(2 * 2**20))").error
    assert int(kernel.run("import os; os.cpu_count()").text) == os.cpu_count()
