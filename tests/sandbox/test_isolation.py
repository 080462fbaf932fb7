"""What a submission sees of the machine: the table in isolation.toml, system calls, neighbours."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.sandbox import seccomp
from tests.sandbox.helpers import FRESH, LIGHT, ROOT, Kernel

pytestmark = pytest.mark.kernel

CASES = tomllib.loads(Path(__file__).with_name("isolation.toml").read_text())["case"]

PREPARE = '''
import ctypes, os, re, resource, shutil, socket, subprocess, sys, time

def call(number, *arguments):
    """The error number of a system call, made in a process of its own in case it succeeds."""
    libc = ctypes.CDLL(None, use_errno=True)
    pid = os.fork()
    if pid == 0:
        result = libc.syscall(number, *(ctypes.c_long(each) for each in (*arguments, 0, 0, 0, 0)))
        os._exit(ctypes.get_errno() if result < 0 else 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def count(first, second):
    """How often the two are next to each other in this process's memory; here they are not."""
    found = 0
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in open("/proc/self/maps"):
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            if " rw-p " not in line or end - start > 2**29:
                continue
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except OSError:
                continue
            at = content.find(first)
            while at >= 0:
                at += len(first)
                found += content.startswith(second, at)
                at = content.find(first, at)
    return found
'''

EPERM, ENOSYS = 1, 38
# System call: its number on x86_64 and on aarch64, its first argument, the error.
CALLS = {
    "add_key": (248, 217, 0, EPERM),
    "bpf": (321, 280, 0, EPERM),
    "chroot": (161, 51, 0, EPERM),
    "clone of a user namespace": (56, 220, 0x10000011, EPERM),
    "clone3": (435, 435, 0, ENOSYS),
    "fsopen": (430, 430, 0, EPERM),
    "init_module": (175, 105, 0, EPERM),
    "io_uring_setup": (425, 425, 0, EPERM),
    "kexec_load": (246, 104, 0, EPERM),
    "keyctl": (250, 219, 0, EPERM),
    "memfd_create": (319, 279, 0, ENOSYS),
    "mount": (165, 40, 0, EPERM),
    "move_mount": (429, 429, 0, EPERM),
    "name_to_handle_at": (303, 264, 0, EPERM),
    "open_by_handle_at": (304, 265, 0, EPERM),
    "open_tree": (428, 428, 0, EPERM),
    "perf_event_open": (298, 241, 0, EPERM),
    "personality without random addresses": (135, 92, 0x40000, EPERM),
    "pidfd_getfd": (438, 438, 0, EPERM),
    "pivot_root": (155, 41, 0, EPERM),
    "process_vm_readv": (310, 270, 2, EPERM),
    "process_vm_writev": (311, 271, 2, EPERM),
    "ptrace": (101, 117, 0, EPERM),
    "quotactl": (179, 60, 0, EPERM),
    "reboot": (169, 142, 0, EPERM),
    "request_key": (249, 218, 0, EPERM),
    "setns": (308, 268, 0, EPERM),
    "shmget": (29, 194, 0, EPERM),
    "swapon": (167, 224, 0, EPERM),
    "umount2": (166, 39, 0, EPERM),
    "unshare": (272, 97, 0x10000000, EPERM),
    "userfaultfd": (323, 282, 0, EPERM),
    "a call of the future": (500, 500, 0, ENOSYS),
}


@pytest.fixture(scope="module")
def kernel(runner: asyncio.Runner) -> Iterator[Kernel]:
    kernel = Kernel(runner, LIGHT).start()
    kernel.run(PREPARE)
    yield kernel
    kernel.stop()


@pytest.fixture(scope="module")
def host() -> Iterator[dict[str, str]]:
    """What stands in the cells for something of the host's."""
    name = "x" + secrets.token_hex(8)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"\0{name}")
        unix.listen()
        port = tcp.getsockname()[1]
        yield {"<tcp port>": str(port), "<abstract name>": name, "<root>": str(ROOT)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_isolation(kernel: Kernel, host: dict[str, str], case: dict[str, str]) -> None:
    code = case["code"]
    for placeholder, value in host.items():
        code = code.replace(placeholder, value)
    outcome = kernel.run(code)
    got = outcome.error or outcome.text.strip()
    assert re.fullmatch(case["expected"], got, re.S), got


@pytest.mark.parametrize("name", CALLS)
def test_isolation_from_system_calls(kernel: Kernel, name: str) -> None:
    x86_64, aarch64, argument, error = CALLS[name]
    code = f"call({x86_64} if os.uname().machine == 'x86_64' else {aarch64}, {argument})"
    assert kernel.run(code).text == str(error)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_isolation_has_a_filter_of_allowed_length(machine: str) -> None:
    assert 0 < len(seccomp.program(machine)) / 8 < 4096


LEAVE = """
import os, socket, time
from multiprocessing import shared_memory
for folder in (".", "/tmp", "/dev/shm"):
    with open(f"{folder}/left-{os.environ['MARK']}", "w") as file:
        file.write(os.environ["MARK"])
memory = shared_memory.SharedMemory("left", create=True, size=100)
tcp = socket.create_server(("127.0.0.1", 5555))
unix = socket.socket(socket.AF_UNIX)
unix.bind("\\0left")
unix.listen()
if os.fork() == 0:
    time.sleep(100)
"""

LOOK = """
from multiprocessing import shared_memory
found = []
for folder in (".", "/tmp", "/dev/shm", "/run"):
    found += [name for name in os.listdir(folder) if name not in <fresh>]
found += [name for name in os.listdir("/proc") if name.isdigit() and int(name) > 2]
for connect in (
    lambda: shared_memory.SharedMemory("left"),
    lambda: socket.create_connection(("127.0.0.1", 5555), 1),
    lambda: socket.socket(socket.AF_UNIX).connect("\\0left"),
):
    try:
        connect()
        found.append("reached")
    except OSError:
        pass
print(found, count(<mark>))
"""


def test_isolation_from_other_kernels(kernels: Callable[..., Kernel]) -> None:
    """Neither beside another kernel nor after it: no file, process, socket, memory of it."""
    mark = secrets.token_hex(16)
    halves = f"b'{mark[:16]}', b'{mark[16:]}'"
    first = kernels(LIGHT, extra_env={"MARK": mark})
    first.run(PREPARE)
    first.run(LEAVE)
    assert int(first.run(f"count({halves})").text) > 0
    look = LOOK.replace("<mark>", halves).replace("<fresh>", repr({*FRESH, "kernel"}))
    beside = kernels(LIGHT)
    beside.run(PREPARE)
    assert beside.run(look).text.strip() == "[] 0"
    first.stop()
    after = kernels(LIGHT)
    after.run(PREPARE)
    assert after.run(look).text.strip() == "[] 0"
