"""Jupyter's view of a sandboxed kernel: a provisioner, and a manager that uses it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import os
import secrets
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client import AsyncKernelClient, AsyncKernelManager, KernelManager
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import DottedObjectName, Integer, Type, Unicode
from traitlets import List as ListTrait

from autograder.sandbox import seccomp
from autograder.sandbox.folder import pack, packed
from autograder.sandbox.limits import SandboxError, SandboxLimits
from autograder.sandbox.template import (
    MODULES,
    Template,
    TemplateGone,
    TemplateOptions,
    ready_template,
    template,
)
from autograder.sandbox.usage import Usage, usage_of
from autograder.sandbox.view import COURSE_DATA, View, covered_paths, environment

_PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}
_SCHEME = "hmac-sha256"
_START_TIMEOUT = 60.0
_DEFAULTS = SandboxLimits()
_START = inspect.unwrap(AsyncKernelManager._async_start_kernel)
_SHUTDOWN = inspect.unwrap(AsyncKernelManager._async_shutdown_kernel)


@dataclass(frozen=True)
class _Awaited:
    """A kernel that has been asked for, and how it is to be reached."""

    lifeline: socket.socket
    name: str
    key: str

    @classmethod
    def fork(cls, warm: Template, terms: dict[str, Any], name: str = "", key: str = "") -> _Awaited:
        # Descriptor numbers are used again, this name is not: a client that is still trying to
        # reach a kernel that is gone never meets another.
        name, key = name or secrets.token_hex(8), key or secrets.token_hex(32)
        connection = {"name": name, "ports": _PORTS, "key": key, "signature_scheme": _SCHEME}
        return cls(warm.fork(json.dumps({**terms, "connection": connection}).encode()), name, key)


class SandboxProvisioner(KernelProvisionerBase):
    """A kernel forked from the warm template, in a sandbox of its own.

    The traits can be set in a kernel spec (`metadata.kernel_provisioner.config`) or in a
    configuration; `start_kernel` takes these keyword arguments, which go before them:

    - `cwd`: a folder whose regular files the kernel gets copies of, in its working folder;
    - `files`: the same as bytes, an archive that `autograder.sandbox.folder.archive` made;
    - `extra_env`: more environment variables (`env`, the caller's own, is never passed on);
    - `limits`: a `SandboxLimits`;
    - `course_data`: a folder to show read-only;
    - `seed`: of Python's, numpy's and torch's random state. The submission can find it out:
      derive it apart from any seed that must stay secret;
    - `prepare_next`: whether to prepare another kernel on the same terms meanwhile, which the next
      launch takes. It knows nothing of this one, and ends unused with the template.
    """

    course_data = Unicode("", config=True, help="Folder that kernels see read-only.")
    hidden_paths = ListTrait(
        Unicode(),
        config=True,
        help="Folders of the instructor's that no kernel may see, wherever they are. The folder "
        "that the package autograder is in is always hidden.",
    )
    preload = ListTrait(
        Unicode(),
        default_value=list(MODULES),
        config=True,
        help="Modules that the template imports once for all kernels; a missing one is left out.",
    )
    seed = Integer(0, config=True, help="Seed of the kernel's random state.")
    memory_bytes = Integer(_DEFAULTS.memory_bytes, config=True, help="See SandboxLimits.")
    processes = Integer(_DEFAULTS.processes, config=True, help="See SandboxLimits.")
    file_bytes = Integer(_DEFAULTS.file_bytes, config=True, help="See SandboxLimits.")
    shared_memory_bytes = Integer(
        _DEFAULTS.shared_memory_bytes, config=True, help="See SandboxLimits."
    )
    open_files = Integer(_DEFAULTS.open_files, config=True, help="See SandboxLimits.")

    exit_reason: str | None = None
    """Why the sandbox itself ended the kernel: `"memory"`, or None where it did not."""

    _lifeline: socket.socket | None = None
    _init = -1  # pidfd of the kernel's init
    _sockets = -1  # the folder of its sockets, which only this descriptor leads to
    _connection_file = -1
    _exit_code: int | None = None
    _name = _key = ""

    # Life cycle ---------------------------------------------------------------------------------

    @property
    def has_process(self) -> bool:
        """Whether a kernel was launched and its end not yet waited for."""
        return self._lifeline is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Jupyter's arguments, without the host's environment and without a command."""
        kwargs.pop("env", None)
        kwargs.pop("extra_arguments", None)
        return {**kwargs, "cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel, or take the one that stands ready, and return how to reach it."""
        limits: SandboxLimits = kwargs.get("limits") or self._limits()
        course_data: str | Path = kwargs.get("course_data") or self.course_data
        cwd = kwargs.get("cwd")
        options = TemplateOptions(view(course_data or None, self.hidden_paths), tuple(self.preload))
        terms = {
            "covered": covered_paths(),
            "environment": _environment(bool(course_data), kwargs.get("extra_env")),
            "filter": base64.b64encode(seccomp.program()).decode(),
            "memory_bytes": limits.memory_bytes,
            "processes": limits.processes,
            "file_bytes": limits.file_bytes,
            "shared_memory_bytes": limits.shared_memory_bytes,
            "open_files": limits.open_files,
        }
        seed = str(int(kwargs.get("seed", self.seed))).encode()
        if files := kwargs.get("files"):
            archive = packed(files)
        else:
            archive = await asyncio.to_thread(pack, Path(cwd) if cwd else None, limits.file_bytes)
        try:
            for attempt in (1, 2):
                warm = await asyncio.to_thread(ready_template, options)
                try:
                    awaited = self._awaited(warm, terms)
                    init, sockets = await _started(awaited.lifeline, seed, archive)
                    break
                except TemplateGone:  # killed at this very moment: a new one will do
                    if attempt == 2:
                        raise
        finally:
            os.close(archive)
        self._lifeline, self._init = awaited.lifeline, init
        self._exit_code = self.exit_reason = None
        if self._sockets < 0:
            self._sockets = sockets
        else:  # after a restart: the clients know this number
            os.dup2(sockets, self._sockets, inheritable=False)
            os.close(sockets)
        self._name, self._key = awaited.name, awaited.key
        connection: Any = {
            "transport": "ipc",
            "ip": f"/proc/self/fd/{self._sockets}/{self._name}",
            "key": awaited.key.encode(),
            "signature_scheme": _SCHEME,
            **_PORTS,
        }
        self._tell_manager(connection)
        self.connection_info = connection
        if kwargs.get("prepare_next"):
            with contextlib.suppress(TemplateGone):
                warm.spare = (terms, _Awaited.fork(warm, terms))
        return self.connection_info

    def _awaited(self, warm: Template, terms: dict[str, Any]) -> _Awaited:
        """A kernel on these terms; after a restart at the same address as before."""
        if self._name:
            return _Awaited.fork(warm, terms, self._name, self._key)
        spare, warm.spare = warm.spare, None
        if spare is not None:
            if spare[0] == terms:
                kernel: _Awaited = spare[1]
                return kernel
            spare[1].lifeline.close()
        return _Awaited.fork(warm, terms)

    async def poll(self) -> int | None:
        """None while the kernel is there (a stopped one is), else its exit code."""
        if self._lifeline is not None and not self._listen():
            return None
        return self._exit_code

    @property
    def usage(self) -> Usage | None:
        """What the kernel has had of the processors; None where that is not known."""
        return usage_of(self._init) if self._init >= 0 else None

    async def wait(self) -> int | None:
        """Wait until nothing of the kernel is left, and return its exit code."""
        if self._lifeline is not None:
            while not self._listen():
                await _readable(self._lifeline.fileno(), None)
            await _readable(self._init, 10)
            self._lifeline.close()
            self._lifeline = None
            os.close(self._init)
            self._init = -1
        return self._exit_code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel and the programs it runs; SIGKILL ends all there is."""
        if self._lifeline is None:
            return
        if signum == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
        elif signum != 0:
            with contextlib.suppress(OSError):
                self._lifeline.send(str(int(signum)).encode())

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and whatever it has started, and wait until it has ended."""
        if self._lifeline is not None:
            await self.send_signal(signal.SIGKILL)
            await _readable(self._init, 5)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """End what is left, and forget the way to it."""
        if self._lifeline is not None:
            await self.kill()
            await self.wait()
        if not restart:
            for fd in (self._sockets, self._connection_file):
                if fd >= 0:
                    os.close(fd)
            self._sockets = self._connection_file = -1
            self._name = self._key = ""

    def __del__(self) -> None:
        """Leave no descriptor behind, nor (the lifeline is closed) a kernel."""
        for fd in (self._init, self._sockets, self._connection_file):
            if fd >= 0:
                os.close(fd)

    # Inner parts --------------------------------------------------------------------------------

    def _limits(self) -> SandboxLimits:
        return SandboxLimits(
            memory_bytes=self.memory_bytes,
            processes=self.processes,
            file_bytes=self.file_bytes,
            shared_memory_bytes=self.shared_memory_bytes,
            open_files=self.open_files,
        )

    def _tell_manager(self, connection: Any) -> None:
        """Give the manager the connection in a file without a name: it would write one to disk."""
        manager = self.parent
        if not isinstance(manager, KernelManager):
            return
        if self._connection_file < 0:
            self._connection_file = os.memfd_create("connection")
        content = {**connection, "key": connection["key"].decode()}
        os.ftruncate(self._connection_file, 0)
        os.pwrite(self._connection_file, json.dumps(content).encode(), 0)
        manager.connection_file = f"/proc/self/fd/{self._connection_file}"
        for name in _PORTS:
            setattr(manager, name, 0)
        manager.load_connection_info(connection)

    def _listen(self) -> bool:
        """Read what init has to say; whether the kernel has ended."""
        if self._lifeline is None:
            return True
        while self._exit_code is None:
            try:
                message = self._lifeline.recv(2**16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                message = b""
            if not message:  # init was killed
                self._exit_code = -signal.SIGKILL
                break
            report = json.loads(message)
            if "exit" in report:
                self._exit_code, self.exit_reason = report["exit"], report["reason"]
            elif "error" in report:
                self._exit_code, self.exit_reason = -signal.SIGKILL, "sandbox"
        return True


class SandboxKernelClient(AsyncKernelClient):
    """A client that is ready as soon as the kernel is: Jupyter's always waits 0.2 s more."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its output arrives."""
        deadline = None if timeout is None else time.monotonic() + timeout
        # Output that is sent before the channel is joined is lost, and with it the end of the first
        # request: on a busy machine a second, until the next one. The kernel says who has joined.
        with contextlib.suppress(Empty):
            await self.iopub_channel.get_msg(timeout=0.5)
        while True:
            request = self.kernel_info()
            # An answer to both: the reply, and on the output channel the end of its handling.
            missing = {"kernel_info_reply", "idle"}
            again = time.monotonic() + 1
            while missing and time.monotonic() < again:
                channel = self.shell_channel if len(missing) == 2 else self.iopub_channel
                with contextlib.suppress(Empty):
                    message = await channel.get_msg(timeout=0.2)
                    if message["parent_header"].get("msg_id") == request:
                        missing.discard(message["msg_type"])
                        missing.discard(message["content"].get("execution_state"))
                if self.parent is not None and not await self.parent.is_alive():
                    raise RuntimeError("Kernel died before replying to kernel_info")
                if deadline is not None and time.monotonic() > deadline:
                    raise RuntimeError(f"Kernel didn't respond in {timeout:.0f} seconds")
            if not missing:
                return


class SandboxKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels are sandboxed, without any kernel spec being installed.

    Set as `kernel_manager_class` it gives nbclient warm, sandboxed kernels.
    """

    client_class = DottedObjectName("autograder.sandbox.provisioner.SandboxKernelClient")
    client_factory = Type(klass=SandboxKernelClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        """A kernel spec that exists nowhere else."""
        return KernelSpec(
            argv=[], display_name="Student", language="python", interrupt_mode="signal"
        )

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        self.transport = "ipc"
        if self.provisioner is None:
            self.provisioner = SandboxProvisioner(
                kernel_id=self.kernel_id or secrets.token_hex(8),
                kernel_spec=self.kernel_spec,
                parent=self,
            )
        return await super()._async_pre_start_kernel(**kwargs)

    # Jupyter's own sleep 0.01 s each time, so that its tests can see a kernel that is not ready.
    async def _async_start_kernel(self, **kwargs: Any) -> None:
        await _START(self, **kwargs)
        self._done()

    async def _async_shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        await _SHUTDOWN(self, now=now, restart=restart)
        self._done()

    def _done(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    pre_start_kernel = _async_pre_start_kernel
    start_kernel = _async_start_kernel
    shutdown_kernel = _async_shutdown_kernel


def view(course_data: str | Path | None, hidden_paths: list[str] | None = None) -> View:
    """What kernels see: the course's data, and never the folder that this package is in."""
    import autograder

    hidden = {Path(path).resolve() for path in hidden_paths or ()}
    package = Path(next(iter(autograder.__path__))).resolve()
    hidden.add(package)
    if package.parent.name not in ("site-packages", "dist-packages"):
        hidden.add(package.parent)
    data = Path(course_data).resolve() if course_data else None
    if data is not None and (
        not data.is_dir() or (os.geteuid() == 0 and data.stat().st_mode & 5 != 5)
    ):
        raise SandboxError(
            f"Student kernels cannot read the course's data: {data} must be a folder that all "
            f"users may read (`chmod -R a+rX {data}`)."
        )
    return View(course_data=data, hidden=tuple(sorted(hidden)))


def _environment(course_data: bool, extra: Mapping[str, str] | None) -> dict[str, str]:
    given = {"COURSE_DATA": COURSE_DATA} if course_data else {}
    return environment() | given | dict(extra or {})


async def _started(lifeline: socket.socket, seed: bytes, archive: int) -> tuple[int, int]:
    """Wait for init's first report and answer it; return the descriptors that came with it."""
    fds: list[int] = []
    try:
        if not await _readable(lifeline.fileno(), _START_TIMEOUT):
            raise SandboxError(f"A kernel did not start within {_START_TIMEOUT:.0f} s.")
        message, fds, _, _ = socket.recv_fds(lifeline, 2**16, 2)
        if not message:
            raise TemplateGone("The template process ended while it started a kernel.")
        report = json.loads(message)
        if "started" not in report or len(fds) != 2:
            raise SandboxError(f"A kernel could not start: {report.get('error')}")
        try:
            socket.send_fds(lifeline, [seed], [archive])
        except OSError as error:
            raise TemplateGone("The template process ended while it started a kernel.") from error
    except BaseException:
        for fd in fds:
            os.close(fd)
        lifeline.close()
        raise
    return fds[0], fds[1]


async def _readable(fd: int, timeout: float | None) -> bool:
    """Wait until there is something to read, or (a pidfd) a process has ended."""
    if select.select([fd], [], [], 0)[0]:
        return True
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    # A duplicate: several may wait for the same thing.
    waiting = os.dup(fd)
    loop.add_reader(waiting, _set, ready)
    try:
        await asyncio.wait_for(ready, timeout)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(waiting)
        os.close(waiting)
    return True


def warm_up(
    course_data: str | Path | None = None,
    hidden_paths: list[str] | None = None,
    preload: Sequence[str] = MODULES,
) -> None:
    """Start the template without waiting for it: its imports then run beside the caller's.

    The arguments are to be those of the kernels: a template serves kernels with the same ones.
    """
    template(TemplateOptions(view(course_data, hidden_paths), tuple(preload)))


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
