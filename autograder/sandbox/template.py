"""The template process as the grader sees it: started once, forks a sandboxed kernel on request.

It ends with the grader, however that ends: both hold one end of a socket pair, and the kernel of
the operating system closes the grader's. Killing the template takes all its kernels with it,
since they live in PID namespaces inside its own. Neither leaves anything on disk, for nothing is
ever written there.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import platform
import resource
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.sandbox import seccomp
from autograder.sandbox.limits import SandboxError, SandboxUnavailable
from autograder.sandbox.view import Arguments, View, bubblewrap, command

MODULES = (
    "torch",
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torch.utils.data",
    "torch.nn.functional",
    "torch.optim.lr_scheduler",
    "numpy",
    "PIL.Image",
    "PIL.PngImagePlugin",
    "PIL.JpegImagePlugin",
    "safetensors.torch",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "matplotlib_inline.backend_inline",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.core.pylabtools",
    "IPython.core.ultratb",
    "IPython.extensions.storemagic",
    "IPython.utils._process_posix",
    "tornado.platform.asyncio",
    "faulthandler",
    "pdb",
    "sqlite3",
    "jedi",
    "multiprocessing",
    "concurrent.futures.thread",
    "socketserver",
    "urllib.request",
)
"""Imported once by the template; what is not installed is left out."""

_START_TIMEOUT = 120.0


@dataclass(frozen=True)
class TemplateOptions:
    """What all kernels of one template have in common."""

    view: View = field(default_factory=View)
    modules: tuple[str, ...] = MODULES


def check(view: View | None = None) -> None:
    """Raise `SandboxUnavailable`, saying what to install or set, where there can be no sandbox.

    Nothing is guessed: a sandbox is set up and left again, in about 0.2 s.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable("The sandbox needs Linux (a virtual machine or WSL 2 will do).")
    if not seccomp.supported():
        raise SandboxUnavailable(
            f"The sandbox knows the system calls of x86_64 and aarch64, not {platform.machine()}."
        )
    options = {"probe": True, "filter": base64.b64encode(seccomp.program()).decode()}
    process, errors = _start(view or View(), options, ())
    try:
        status = process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        status = -1
    message = _read(errors)
    if status != 0:
        raise SandboxUnavailable(_advice(message))


def _advice(message: str) -> str:
    """What to do about the words with which setting up a sandbox failed."""
    last = message.strip().splitlines()[-1] if message.strip() else "no reason was given"
    advice = [f"No sandbox can be set up on this machine: {last}."]
    settings = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "user.max_user_namespaces=15000"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    }
    for path, (bad, setting) in settings.items():
        with contextlib.suppress(OSError):
            if Path(path).read_text().strip() == bad:
                advice.append(f"Unprivileged user namespaces are off: `sudo sysctl -w {setting}`.")
    if "No module named" in message or "Permission denied" in message:
        advice.append(
            "As root, kernels run under another user: Python and its packages must be readable "
            f"by all (`chmod -R a+rX {sys.prefix}`)."
        )
    if len(advice) == 1:
        advice.append(
            "It needs unprivileged user namespaces. In a container, allow them (Docker: "
            "`--security-opt seccomp=unconfined --security-opt systempaths=unconfined "
            "--cap-add SYS_ADMIN`, or `--privileged`)."
        )
    return " ".join(advice)


def _start(
    view: View, options: dict[str, object], fds: tuple[int, ...]
) -> tuple[subprocess.Popen[bytes], int]:
    """Start inside.py in the view; return the process and the descriptor of its error messages."""
    arguments = Arguments()
    arguments.add(bubblewrap())
    command(view, arguments)
    source = os.memfd_create("sandbox")
    os.write(source, Path(__file__).with_name("inside.py").read_bytes())
    os.lseek(source, 0, os.SEEK_SET)
    arguments.fds.append(source)
    # Its text comes through a descriptor: no file of it is there for a submission to read.
    run = f"import os; exec(compile(os.fdopen({source}).read(), '<sandbox>', 'exec'))"
    # Not -I: the environment has just been cleared, and PYTHONHASHSEED shall count.
    program = (sys.executable, "-s", "-c", run, json.dumps(options))
    errors = os.memfd_create("sandbox-errors")
    try:
        with _unlimited():
            process = subprocess.Popen(
                (*arguments.words, "--", *program),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(*arguments.fds, *fds),
                # A Ctrl-C in the instructor's terminal is for the grader alone.
                start_new_session=True,
                env={},
                cwd="/",
            )
    except BaseException:
        os.close(errors)
        raise
    finally:
        arguments.close()
    return process, errors


@contextlib.contextmanager
def _unlimited() -> Iterator[None]:
    """For starting a process that does not inherit the limits that the grader's own work has."""
    kinds = (resource.RLIMIT_CPU, resource.RLIMIT_DATA)
    before = {kind: resource.getrlimit(kind) for kind in kinds}
    for kind, (_, hard) in before.items():
        resource.setrlimit(kind, (hard, hard))
    try:
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)


def _read(fd: int) -> str:
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        return file.read(2**16).decode(errors="replace")


class TemplateGone(SandboxError):
    """The template ended before it had started a kernel."""


class Template:
    """A running template process."""

    def __init__(self, options: TemplateOptions) -> None:
        """Start it; `wait_ready` waits until it has imported everything."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._ready = False
        self._owner = os.getpid()
        #: A kernel that was asked for in advance, and on what terms; the provisioner's.
        self.spare: tuple[dict[str, Any], Any] | None = None
        try:
            self._process, self._errors = _start(
                options.view,
                {
                    "probe": False,
                    "control": theirs.fileno(),
                    "modules": list(options.modules),
                },
                (theirs.fileno(),),
            )
        finally:
            theirs.close()
        _sockets.add(self._control)

    @property
    def alive(self) -> bool:
        """Whether it can still fork kernels."""
        if self._owner != os.getpid() or self._has_ended():
            return False
        try:
            # It says one word when it is ready and nothing after: an end of file is its end.
            return self._control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The process that the grader started: bubblewrap, which waits for the template."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until kernels can be forked."""
        with self._lock:
            if self._ready:
                return
            self._control.settimeout(_START_TIMEOUT)
            try:
                self._ready = self._control.recv(16) == b"ready"
            except TimeoutError:
                pass
            except OSError as error:
                raise SandboxError(f"The template process was closed: {error}") from error
            self._control.settimeout(None)
        if not self._ready:
            self.close()
            message = _read(os.dup(self._errors)).strip()
            raise SandboxError(
                f"The template process of the kernels did not start; it said: {message[-2000:]!r}"
            )

    def fork(self, request: bytes) -> socket.socket:
        """Ask for one kernel; return the socket that speaks with its init, its lifeline.

        The kernel waits there for its seed and its files. Closing the lifeline ends the kernel and
        everything that it has started.
        """
        lifeline, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                lifeline.send(request)
                with self._lock:
                    socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            except OSError as error:
                lifeline.close()
                raise TemplateGone(f"The template process is gone: {error}") from error
        _sockets.add(lifeline)
        return lifeline

    def close(self) -> None:
        """End it and all its kernels."""
        if self._owner != os.getpid():
            return
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __del__(self) -> None:
        """Leave no descriptor behind."""
        if hasattr(self, "_errors"):
            os.close(self._errors)


class _Shared(Template):
    """One that another process has started, which this one is a fork of; see `fork`."""

    def __init__(self, control: int) -> None:
        self._control = socket.socket(fileno=control)
        self._lock = threading.Lock()
        self._ready = True
        self._owner = os.getpid()
        self.spare = None
        _sockets.add(self._control)

    def _has_ended(self) -> bool:
        return False  # its socket tells

    def close(self) -> None:
        """Let go of it; it ends with the last process that has it."""
        self._control.close()


_templates: dict[TemplateOptions, Template] = {}
_templates_lock = threading.Lock()
# A process forked from the grader must hold none of these, or the other ends would never learn
# that the grader is gone.
_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def template(options: TemplateOptions) -> Template:
    """The template with these options: the running one, or a new one that is starting."""
    with _templates_lock:
        found = _templates.get(options)
        if found is None or not found.alive:
            found = _templates[options] = Template(options)
        return found


def ready_template(options: TemplateOptions) -> Template:
    """The same, once it can fork."""
    found = template(options)
    found.wait_ready()
    return found


def fork() -> int:
    """`os.fork`, once templates are ready: they are the child's, too, and its kernels are its own.

    Whoever asks for a kernel does so in a message that is sent as a whole, and is answered over a
    socket that comes with it: several processes may ask the same template.
    """
    for each in list(_templates.values()):
        with contextlib.suppress(SandboxError):  # the child starts its own, and hears why not
            each.wait_ready()
    shared = {
        options: os.dup(each._control.fileno())
        for options, each in _templates.items()
        if each._ready and each.alive
    }
    child = os.fork()
    if child == 0:
        _templates.update({options: _Shared(fd) for options, fd in shared.items()})
    else:
        for fd in shared.values():
            os.close(fd)
    return child


def close_templates() -> None:
    """End all templates, and with them all kernels of this process."""
    with _templates_lock:
        ending = list(_templates.values())
        _templates.clear()
    for each in ending:
        each.close()


def _forget() -> None:
    global _templates_lock
    _templates_lock = threading.Lock()
    _templates.clear()
    for each in list(_sockets):
        each.close()


atexit.register(close_templates)
os.register_at_fork(after_in_child=_forget)
