"""The code that runs inside the sandbox: the template process and the kernels forked from it.

Self-contained on purpose: its text is handed to a fresh Python in a view of the file system in
which the project does not exist. Nothing here is imported by the grader.

    template     process 1 of its own PID namespace: imports everything once, forks on request
    └─ init      process 1 of a kernel's own namespaces: builds the kernel's view of the machine,
       │         then watches: reaps, counts memory, passes signals on, ends with the grader
       └─ kernel process 2: unprivileged, filtered, limited; runs ipykernel and the submission

The template never reads what belongs to one submission: a request is an empty message with a
file descriptor, and only the child that is forked for it reads from that. So nothing of an earlier
submission is in the memory that a later one inherits. A kernel that stands ready gets its seed and
its files last: it may have been prepared while another submission was graded.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import fcntl
import gc
import importlib
import json
import os
import random
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import sys
import tarfile
import threading
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

HOME = "/submission"
SOCKETS = "/run/kernel"
UID = 1000
# The first is in a range that systemd leaves to nobody; the second exists in every container.
UNPRIVILEGED = (61000, 65534)

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEW = 0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_MODE_FILTER = 2
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CAPABILITY_VERSION_3 = 0x20080522
MADV_COLLAPSE = 25
PAGE = resource.getpagesize()

# A cell that has used up a limit still holds what it took, and its error must be told.
RESERVES = {resource.RLIMIT_DATA: 2**28, resource.RLIMIT_NOFILE: 64}
RESERVE_STEPS = 4
RECURSION_STEPS = 12

EXIT_NOTE = "\n[`exit()` ends the kernel; while grading it is left out.]"

# What a kernel may make its namespaces' kernel objects of, and what a connection over the loopback
# interface may hold: memory that belongs to no process.
OWN_SETTINGS = {
    "user/max_inotify_instances": "64",
    "user/max_inotify_watches": "8192",
    "net/ipv4/tcp_rmem": "4096 65536 262144",
    "net/ipv4/tcp_wmem": "4096 65536 262144",
}
# The most that hangs on one socket, where larger buffers cannot be asked for (the filter sees to
# that), and on one other descriptor: a pipe keeps two pages where its user has many.
SOCKET_BYTES = 2**19
DESCRIPTOR_BYTES = 3 * PAGE

# Under these names the machine tells about itself, not about the kernel's own processes.
HIDDEN_IN_PROC = ("cmdline", "kallsyms", "key-users", "keys", "modules", "timer_list")

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """Call a function of libc; raise `OSError` where it fails."""
    result: int = getattr(libc, name)(*arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    try:
        call(
            "mount",
            source.encode(),
            target.encode(),
            kind.encode(),
            ctypes.c_ulong(flags),
            options.encode() or None,
        )
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({kind or 'bind'} on {target})") from None


# Template -----------------------------------------------------------------------------------------


def become_unprivileged() -> None:
    """Where the grader is root, leave root for good: from here on both cases are one.

    A user namespace of root's own would not do: the limit on processes never binds real root.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getuid() == 0:
        # bubblewrap masks parts of the /proc it mounts as root, and then no kernel could have
        # its own: so root has this one instead.
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        os.setgroups([])
        for user in UNPRIVILEGED:
            with contextlib.suppress(OSError):
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
                break
        if 0 in os.getresuid():
            raise OSError("no unprivileged user id to run under")
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


@contextlib.contextmanager
def ending_with(control: socket.socket) -> Iterator[None]:
    """End at once where the grader does, while nobody is listening to it."""
    # The grader sends nothing in the meantime: what is signalled is its end of the socket closing.
    signal.signal(signal.SIGIO, lambda *_: os._exit(0))
    fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    fcntl.fcntl(control, fcntl.F_SETFL, flags | os.O_ASYNC)
    yield
    fcntl.fcntl(control, fcntl.F_SETFL, flags)
    signal.signal(signal.SIGIO, signal.SIG_DFL)


def warm_up(modules: list[str]) -> None:
    """Import what kernels will need, without starting a thread, a context or a socket."""
    sys.setswitchinterval(0.005)
    gc.disable()
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        show_an_error()
    # Half a compiler is here, and compiling would take longer than what a notebook computes: what
    # is compiled is there, with the types and names that it has anywhere, and runs as it was.
    if "torch._dynamo" in sys.modules:
        sys.modules["torch"].compiler.set_stance("force_eager")
    # Whether torch's record is kept is for no notebook to say: it shows who uses autograd.
    for name in ("torch._C._autograd", "torch.autograd"):
        if name in sys.modules:
            vars(sys.modules[name])["_enable_record_function"] = lambda enable: None
    # The inline backend hooks itself into the shell when it is first imported: keep what it
    # imports, and let each kernel import the module itself once it has a shell.
    sys.modules.pop("matplotlib_inline.backend_inline", None)
    if threading.active_count() != 1 or len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError(f"the template has threads and cannot fork: {threading.enumerate()}")
    gc.freeze()
    gc.enable()


def show_an_error() -> None:
    """Format a traceback as IPython will: the first one takes long, for what it looks up."""
    from IPython.core.ultratb import FormattedTB

    try:
        json.loads("")
    except ValueError:
        FormattedTB(mode="Plain", theme_name="linux").structured_traceback(*sys.exc_info())


def serve(control: socket.socket) -> socket.socket:
    """Fork a child for each request; return in the child alone, with the lifeline it brought."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    idle_work = settle()
    while True:
        # While nothing is asked for, the next fork is made cheaper.
        if not select.select([control], [], [], 0)[0] and next(idle_work, None) is not None:
            continue
        message, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            os._exit(0)  # the grader is gone, and with this process everything in here
        try:
            child = os.fork()
        except OSError:  # too many processes: the grader sees its lifeline closed
            child = -1
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            return socket.socket(fileno=fds[0])
        for fd in fds:
            os.close(fd)


def settle() -> Iterator[int]:
    """Gather this process's memory into huge pages, a step at a time.

    A fork then copies a few hundred entries of the page table instead of a hundred thousand:
    6 ms for 45 ms. Where the kernel of the operating system is too old for it (Linux 6.1),
    nothing happens.
    """
    huge, step = 2**21, 2**24
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, permissions, *_, name = (*line.split(maxsplit=5), "")[:6]
        if permissions != "rw-p" or name not in ("", "[heap]"):
            continue
        start, end = (int(address, 16) for address in span.split("-"))
        start, end = -(-start // huge) * huge, end // huge * huge
        for address in range(start, end, step):
            size = min(step, end - address)
            libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), MADV_COLLAPSE)
            yield size


# Init ---------------------------------------------------------------------------------------------


def enter_namespaces() -> None:
    """Enter new namespaces of every kind and return as process 1 in them."""
    uid, gid = os.getuid(), os.getgid()
    # Its own /proc files must belong to it for the next lines.
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
    call("unshare", CLONE_NEW)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{UID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{UID} {gid} 1")
    if os.fork() > 0:
        os._exit(0)
    os.setsid()


def build_view(file_bytes: int, shared_memory_bytes: int, covered: list[str]) -> None:
    """Give the kernel its own host name, loopback, /proc, /tmp, /dev/shm and working folder."""
    safe = MS_NOSUID | MS_NODEV
    socket.sethostname("sandbox")
    # ipykernel wants a loopback interface; this one leads to nobody but the kernel itself.
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    mount("", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", safe | MS_NOEXEC)
    for name, value in OWN_SETTINGS.items():
        with contextlib.suppress(OSError):  # not there, or not this namespace's own
            Path(f"/proc/sys/{name}").write_text(value)
    for name in HIDDEN_IN_PROC:
        if os.path.exists(f"/proc/{name}"):
            mount("/dev/null", f"/proc/{name}", "", MS_BIND)
    kept = [(path, os.open(path, os.O_PATH)) for path in covered]
    # One file system for both, so that they share one limit.
    mount(
        "tmpfs",
        "/tmp",
        "tmpfs",
        safe,
        f"size={file_bytes},nr_inodes=20000,mode=755,uid={UID},gid={UID}",
    )
    os.mkdir("/tmp/home", 0o755)
    os.mkdir("/tmp/tmp", 0o755)
    mount("/tmp/home", HOME, "", MS_BIND)
    mount("/tmp/tmp", "/tmp", "", MS_BIND)
    options = f"size={shared_memory_bytes},nr_inodes=2000,mode=755,uid={UID},gid={UID}"
    mount("tmpfs", "/dev/shm", "tmpfs", safe | MS_NOEXEC, options)
    for path, fd in kept:  # Python itself, where it is installed below one of those
        is_folder = stat.S_ISDIR(os.fstat(fd).st_mode)
        os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
        if not is_folder:
            Path(path).touch()
        mount(f"/proc/self/fd/{fd}", path, "", MS_BIND | MS_REC)
        os.close(fd)
    # `!command` in a notebook runs in a terminal of its own.
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=666,max=64")
    options = f"size=64k,nr_inodes=32,mode=700,uid={UID},gid={UID}"
    mount("tmpfs", SOCKETS, "tmpfs", safe | MS_NOEXEC, options)
    os.chdir(HOME)


def unpack(archive: int, folder: str) -> None:
    """Write the files of the submission, an archive that the grader made, into `folder`."""
    with os.fdopen(archive, "rb") as file, tarfile.open(fileobj=file) as tar:
        for member in tar:
            path = os.path.join(folder, member.name)
            if member.isdir():
                os.makedirs(path, exist_ok=True)
            elif (content := tar.extractfile(member)) is not None:
                with open(path, "xb") as target:
                    shutil.copyfileobj(content, target)
                os.chmod(path, member.mode)


def become_kernel(lifeline: socket.socket) -> tuple[dict[str, Any], socket.socket]:
    """Prepare everything, then return in the kernel's process; init stays in here."""
    request = json.loads(lifeline.recv(2**20))
    enter_namespaces()
    build_view(request["file_bytes"], request["shared_memory_bytes"], request["covered"])
    door, kernels_door = socket.socketpair()
    kernel = os.fork()
    if kernel == 0:
        lifeline.close()
        door.close()
        return request, kernels_door
    kernels_door.close()
    error = door.recv(2**16)
    if error != b"bound":
        status = os.waitstatus_to_exitcode(os.waitpid(kernel, 0)[1])
        raise RuntimeError(f"the kernel ended with {status}: {error.decode(errors='replace')}")
    # The grader keeps this folder; the kernel loses it: nobody else can reach the sockets, and
    # they are gone with the grader's descriptor.
    sockets = os.open(SOCKETS, os.O_RDONLY | os.O_DIRECTORY)
    call("umount2", SOCKETS.encode(), MNT_DETACH)
    drop_capabilities()
    call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
    init = os.pidfd_open(os.getpid())
    socket.send_fds(lifeline, [b'{"started": true}'], [init, sockets])
    os.close(init)
    os.close(sockets)
    seed, fds, _, _ = socket.recv_fds(lifeline, 64, 1)
    if not seed:
        os._exit(0)  # the grader has no work for it, or is gone
    unpack(fds[0], HOME)
    with contextlib.suppress(OSError):
        door.send(seed)
    door.close()
    watch(lifeline, kernel, Memory(kernel, request["memory_bytes"] * 5 // 4))


def watch(lifeline: socket.socket, kernel: int, memory: Memory) -> NoReturn:
    """Wait for the kernel's end or the grader's; when this process ends, all others here do."""
    pidfd = os.pidfd_open(kernel)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    poll.register(pidfd, select.POLLIN)

    def leave(status: int, reason: str | None) -> NoReturn:
        with contextlib.suppress(OSError):
            lifeline.send(json.dumps({"exit": status, "reason": reason}).encode())
        os._exit(0)

    while True:
        for fd, _ in poll.poll(100):
            if fd == lifeline.fileno():
                message = lifeline.recv(64)
                if not message:
                    os._exit(0)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(kernel, int(message))
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == kernel:
                leave(os.waitstatus_to_exitcode(status), None)
            if pid == 0:
                break
        if memory.exceeded():
            leave(-signal.SIGKILL, "memory")


class Memory:
    """Watches the memory of all processes here together, and of what hangs on them.

    `RLIMIT_DATA` bounds each process, and neither many of them, mappings that they share, page
    tables, nor what lies in sockets and pipes.

    Args:
        kernel: the first of them.
        more: what may be used above what is there now, shared with the template for the most.
    """

    def __init__(self, kernel: int, more: int) -> None:
        warm = fields_of("self", "status", ("RssAnon", "VmPTE"))
        self.most = warm + more + self.hanging([str(kernel)])

    def exceeded(self) -> bool:
        """Whether it is too much; cheaply while it is not."""
        processes = [name for name in os.listdir("/proc") if name.isdecimal() and name != "1"]
        wanted = ("RssAnon", "RssShmem", "VmPTE")
        resident = {name: fields_of(name, "status", wanted) for name in processes}
        hanging = self.hanging(processes)
        if sum(resident.values()) + hanging <= self.most:
            return False
        total = hanging
        for name in processes:
            try:
                # Each page counted once, and page tables, which are each process's own.
                total += fields_of(name, "smaps_rollup", ("Pss_Anon", "Pss_Shmem", "SwapPss"))
                total += fields_of(name, "status", ("VmPTE",))
            except PermissionError:  # it hides: then what it shares is counted for it alone
                total += resident[name]
        return total > self.most

    def hanging(self, processes: list[str]) -> int:
        """The most that sockets, pipes and other open files can hold, by their number.

        Sockets that nobody has accepted or received yet are among the first.
        """
        with open("/proc/net/sockstat") as file:
            sockets = int(file.readline().split()[2])
        descriptors = sum(fields_of(name, "status", ("FDSize",)) for name in processes) // 1024
        return sockets * SOCKET_BYTES + descriptors * DESCRIPTOR_BYTES


def fields_of(process: str, file: str, fields: tuple[str, ...]) -> int:
    """The sum of some fields in a file of /proc, in bytes; 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(fields))


# Kernel -------------------------------------------------------------------------------------------


def drop_capabilities() -> None:
    """Give up every capability, also for programs that are started later."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def install_filter(program: bytes) -> None:
    """Install a seccomp filter: an array of `struct sock_filter`."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    call(
        "prctl",
        PR_SET_SECCOMP,
        SECCOMP_MODE_FILTER,
        ctypes.byref(Program(len(program) // 8, program)),
        0,
        0,
    )


def confine(request: dict[str, Any], keep: int) -> None:
    """Take from this process all that the submission must not have; for good."""
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, keep)
    os.closerange(keep + 1, highest)
    data = int(Path("/proc/self/statm").read_text().split()[5]) * PAGE
    limits = {
        resource.RLIMIT_DATA: data + request["memory_bytes"],
        resource.RLIMIT_FSIZE: request["file_bytes"],
        resource.RLIMIT_NOFILE: request["open_files"],
        resource.RLIMIT_NPROC: request["processes"],
        resource.RLIMIT_MEMLOCK: 65536,
        resource.RLIMIT_MSGQUEUE: 0,
        # Not 0: a core dump piped to a program ignores that, and is left out for 1.
        resource.RLIMIT_CORE: 1,
    }
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        most = value + RESERVES.get(which, 0)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (min(value, most), most))
    stack = 8 * 2**20
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if hard == resource.RLIM_INFINITY or hard > 8 * stack:
        resource.setrlimit(resource.RLIMIT_STACK, (stack, 8 * stack))
    # Where the machine itself runs out of memory, this is what has to go.
    Path("/proc/self/oom_score_adj").write_text("1000")
    drop_capabilities()
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
    install_filter(base64.b64decode(request["filter"]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["ipykernel_launcher.py"]


def fork_workers() -> None:
    """Fork worker processes by whatever method they are to be started.

    The others import torch anew, which takes seconds for each worker, and its memory.
    """
    from multiprocessing import context

    for process in (context.SpawnProcess, context.ForkServerProcess):
        process._Popen = staticmethod(context.ForkProcess._Popen)  # type: ignore[assignment]


def set_seed(seed: int) -> None:
    """The same random state for every submission with the same seed."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def make_application(request: dict[str, Any]) -> Any:
    """An ipykernel application on the requested sockets that writes no file."""
    from ipykernel.compiler import XCachingCompiler, get_tmp_directory
    from ipykernel.iostream import OutStream
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.zmqshell import ZMQInteractiveShell
    from traitlets import observe
    from traitlets.config import Config

    class Compiler(XCachingCompiler):
        """Names cells by a checksum that is not computed byte by byte in Python."""

        def get_code_name(self, raw_code: str, code: str, number: int) -> str:
            return f"{get_tmp_directory()}/{zlib.crc32(raw_code.encode())}.py"

    class Stream(OutStream):
        """Flushed after every cell: a thread need not be waited for where nothing was written."""

        def flush(self) -> None:
            if self._flush_pending or self._subprocess_flush_pending or self._buffers:
                super().flush()

    streams: dict[str, Any] = {}

    def mend_streams() -> None:
        """Put ipykernel's streams back where the notebook's own have no `flush` that works.

        It is called after each cell, whose answer would never be sent otherwise.
        """
        for name, stream in streams.items():
            try:
                getattr(sys, name).flush()
            except Exception:
                setattr(sys, name, stream)

    class Shell(ZMQInteractiveShell):
        """Stays where `exit()` is called: its end would come in the midst of another cell."""

        @observe("exit_now")
        def _update_exit_now(self, change: Any) -> None:
            if change["new"]:
                self.exit_now = False
                print(EXIT_NOTE)

        def showtraceback(self, *args: Any, **named: Any) -> None:
            mend_streams()
            super().showtraceback(*args, **named)

    class NoThread:
        """Stands for the thread that handles subshells; ipykernel asks it who its parent is."""

        parent_thread = threading.main_thread()

        def __bool__(self) -> bool:
            return False

    class Kernel(IPythonKernel):
        """Has no subshells: nobody asks for them, and without their thread all answers come sooner.

        Where there is neither that thread nor what stands for it, a cell with `await` never ends.
        """

        _supports_kernel_subshells = False
        shell_class = Shell

        async def do_execute(self, *args: Any, **named: Any) -> Any:
            try:
                return await super().do_execute(*args, **named)
            finally:
                mend_streams()

    class Application(IPKernelApp):
        """The connection is known, and no other client shall be able to read it from a file."""

        def init_connection_file(self) -> None:
            connection = request["connection"]
            self.transport, self.ip = "ipc", f"{SOCKETS}/{connection['name']}"
            for name, port in connection["ports"].items():
                setattr(self, name, port)
            self.session.key = connection["key"].encode()
            self.session.signature_scheme = connection["signature_scheme"]

        def write_connection_file(self, **kwargs: Any) -> None:
            pass

        def cleanup_connection_file(self) -> None:
            pass

        def log_connection_info(self) -> None:
            self._ports = dict(request["connection"]["ports"])

        def init_crash_handler(self) -> None:
            pass

        def init_io(self) -> None:
            super().init_io()
            streams.update(stdout=sys.stdout, stderr=sys.stderr)
            for stream in streams.values():
                stream.__class__ = Stream

        def init_control(self, context: Any) -> None:
            super().init_control(context)
            self.shell_channel_thread = NoThread()

    config = Config()
    # No history: it would cost a database and a thread.
    config.HistoryManager.enabled = False
    # A pause before every answer, against a fault that ipykernel's authors could not find again.
    config.IPythonKernel._execute_sleep = 0.0
    # Context and colours take 0.05 to 0.25 s an error, for a look through all modules.
    config.InteractiveShell.xmode = "Plain"
    Application.clear_instance()
    application: Any = Application.instance(config=config, kernel_class=Kernel)
    application.initialize(["--IPKernelApp.log_level=CRITICAL"])
    application.shell.compile = Compiler()
    return application


def give_reserve(shell: Any, kind: Any, value: Any, trace: Any, tb_offset: Any = None) -> None:
    """Show an error as always, but give a part of the reserves first where it is for want.

    Of an endless recursion only the first steps: IPython takes many seconds to show a thousand.
    """
    if isinstance(value, RecursionError):
        last = trace
        for _ in range(RECURSION_STEPS):
            last = last.tb_next or last
        last.tb_next = None
    for which, reserve in RESERVES.items():
        soft, hard = resource.getrlimit(which)
        out_of_files = getattr(value, "errno", None) in (errno.EMFILE, errno.ENFILE)
        if out_of_files if which == resource.RLIMIT_NOFILE else not isinstance(value, OSError):
            resource.setrlimit(which, (min(soft + reserve // RESERVE_STEPS, hard), hard))
    shell.showtraceback((kind, value, trace), tb_offset=tb_offset)


def run_kernel(request: dict[str, Any], door: socket.socket) -> NoReturn:
    """Run the kernel to its end."""
    try:
        confine(request, door.fileno())
        fork_workers()
        application = make_application(request)
        # What Python and torch raise where there is no more memory, or no more descriptors.
        application.shell.set_custom_exc((MemoryError, RuntimeError, OSError), give_reserve)
        request.clear()
        door.send(b"bound")
    except BaseException:
        door.send(traceback.format_exc().encode()[-(2**16) :])
        os._exit(1)
    seed = door.recv(64)
    if not seed:
        os._exit(1)
    set_seed(int(seed))
    door.close()
    del door
    try:
        application.start()
        application.close()
    finally:
        os._exit(0)


def probe(program: str) -> NoReturn:
    """Do all that needs the machine's consent, once, and say on standard error what fails."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        enter_namespaces()
        build_view(2**20, 2**20, [])
        drop_capabilities()
        install_filter(base64.b64decode(program))
        os.write(writer, b"ok")
        os._exit(0)
    os.close(writer)
    os._exit(0 if os.read(reader, 2) == b"ok" else 1)


def main() -> NoReturn:
    """Be the template, then in its children an init, then in that one's child a kernel."""
    options = json.loads(sys.argv[1])
    become_unprivileged()
    if options["probe"]:
        probe(options["filter"])
    control = socket.socket(fileno=options["control"])
    # Nothing is imported from the working folder here; IPython adds it for each kernel.
    sys.path[:] = filter(None, sys.path)
    with ending_with(control):
        warm_up(options["modules"])
    control.send(b"ready")
    lifeline = serve(control)
    try:
        request, door = become_kernel(lifeline)
    except BaseException:
        lifeline.send(json.dumps({"error": traceback.format_exc()[-20000:]}).encode())
        os._exit(1)
    run_kernel(request, door)


main()
