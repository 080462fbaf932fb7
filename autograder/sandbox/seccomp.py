"""The system calls that no notebook needs, as a classic BPF program for seccomp.

The program is made here, by the grader, and installed by the kernel's own first lines with
`prctl`: no library is needed. It names what is refused, so that what Python, torch and their
libraries need stays as it is; calls newer than the ones known here do not exist.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

# System call: its number on x86_64 and on aarch64, None where it does not exist.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "_sysctl": (156, None),
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fcntl": (72, 25),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "get_kernel_syms": (177, None),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "query_module": (178, None),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semctl": (66, 191),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setsockopt": (54, 208),
    "settimeofday": (164, 170),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "sysfs": (139, None),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
    "vserver": (236, None),
}

_FIRST_UNKNOWN = 463
"""All architectures share the numbers from 424 on; `mseal`, 462, is the last one judged here."""


@dataclass(frozen=True)
class _When:
    """Refuse a call where `(argument & mask)` is one of `values` (or, `inverted`, none of them).

    Only the low 32 bits are looked at: enough for the `int` arguments and flags used here.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    inverted: bool = False
    error: int = errno.EPERM


_NEW_NAMESPACE = 0x7E020000
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} in the flags of `clone`."""

_THE_KERNELS_INIT = 1
"""Process 1 of a kernel's PID namespace is ours and watches the rest: hands off its limits."""

_CONDITIONS: dict[str, tuple[_When, ...]] = {
    "clone": (_When(0, (0,), mask=_NEW_NAMESPACE, inverted=True),),
    # Asking for the personality is fine, changing it (no address randomisation, say) is not.
    "personality": (_When(0, (0xFFFFFFFF,), inverted=True),),
    # Unix, IPv4, IPv6 and netlink (libzmq lists the interfaces) end at the kernel's own network
    # namespace; others do not, AF_VSOCK first. Of the protocols only the plain ones.
    "socket": (
        _When(0, (1, 2, 10, 16), inverted=True, error=errno.EAFNOSUPPORT),
        _When(2, (0, 6, 17), inverted=True, error=errno.EPROTONOSUPPORT),
    ),
    "socketpair": (_When(0, (1,), inverted=True, error=errno.EAFNOSUPPORT),),
    # What lies in a socket or a pipe is nobody's memory: SO_SNDBUF and SO_RCVBUF do nothing,
    # F_SETPIPE_SZ fails.
    "setsockopt": (_When(2, (7, 8), error=0),),
    "fcntl": (_When(1, (1031,)),),
    # TIOCSTI and TIOCLINUX put words into a terminal's mouth.
    "ioctl": (_When(1, (0x5412, 0x541C)),),
    # One may limit oneself (0), and nobody else.
    "prlimit64": (_When(0, (0,), inverted=True),),
    "sched_setaffinity": (_When(0, (_THE_KERNELS_INIT,)),),
    "sched_setattr": (_When(0, (_THE_KERNELS_INIT,)),),
    "sched_setparam": (_When(0, (_THE_KERNELS_INIT,)),),
    "sched_setscheduler": (_When(0, (_THE_KERNELS_INIT,)),),
    # Whose priority: a process's, and one's own. Those of a user are init's too.
    "setpriority": (_When(0, (0,), inverted=True), _When(1, (0,), inverted=True)),
    "ioprio_set": (_When(0, (1,), inverted=True), _When(1, (0,), inverted=True)),
}

_ERRORS: dict[str, int] = {
    # Its flags are out of a filter's reach: libc falls back to clone.
    "clone3": errno.ENOSYS,
    # Memory that no limit counts; libraries fall back to files.
    "memfd_create": errno.ENOSYS,
    "memfd_secret": errno.ENOSYS,
}

_LOAD, _JUMP_IF, _JUMP_FROM, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_X32 = 0x40000000
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def supported(machine: str | None = None) -> bool:
    """Whether there is a filter for this machine's architecture."""
    return (machine or platform.machine()) in _ARCHITECTURES


def program(machine: str | None = None) -> bytes:
    """The filter for `machine` (this one where None): an array of `struct sock_filter`."""
    column, architecture = _ARCHITECTURES[machine or platform.machine()]
    code: list[bytes] = []

    def emit(op: int, k: int, if_true: int = 0, if_false: int = 0) -> None:
        code.append(struct.pack("=HBBI", op, if_true, if_false, k))

    emit(_LOAD, _ARCHITECTURE_AT)
    emit(_JUMP_IF, architecture, 1, 0)
    emit(_RETURN, _KILL)
    emit(_LOAD, _NUMBER_AT)
    if column == 0:
        emit(_JUMP_FROM, _X32, 0, 1)
        emit(_RETURN, _KILL)
    emit(_JUMP_FROM, _FIRST_UNKNOWN, 0, 1)
    emit(_RETURN, _ERRNO | errno.ENOSYS)
    for name, numbers in _NUMBERS.items():
        number = numbers[column]
        if number is None:
            continue
        if name not in _CONDITIONS:
            emit(_JUMP_IF, number, 0, 1)
            emit(_RETURN, _ERRNO | _ERRORS.get(name, errno.EPERM))
            continue
        # Each condition: load, mask, one test a value, refuse. After all of them: allow.
        lengths = [len(when.values) + 3 for when in _CONDITIONS[name]]
        emit(_JUMP_IF, number, 0, sum(lengths) + 1)
        for when in _CONDITIONS[name]:
            emit(_LOAD, _ARGUMENTS_AT + 8 * when.argument)
            emit(_AND, when.mask)
            for left, value in zip(reversed(range(len(when.values))), when.values, strict=True):
                if when.inverted:
                    emit(_JUMP_IF, value, left + 1, 0)
                else:
                    emit(_JUMP_IF, value, left, 0 if left else 1)
            emit(_RETURN, _ERRNO | when.error)
        emit(_RETURN, _ALLOW)
    emit(_RETURN, _ALLOW)
    return b"".join(code)
