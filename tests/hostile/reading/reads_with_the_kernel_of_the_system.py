"""Uses system calls that pass by names and permissions: handles, io_uring, bpf, perf, userfaultfd.

The filter refuses them.
"""
# score: 100
# says: allowed: \[\]

# cell: before MLP
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
calls = {
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "memfd_create": (319, 279),
    "quotactl": (179, 60),
    "syslog": (103, 116),
}
allowed = []
for name, numbers in calls.items():
    child = os.fork()
    if child == 0:
        result = libc.syscall(numbers[not x86], *[ctypes.c_long(0)] * 6)
        os._exit(0 if result >= 0 or ctypes.get_errno() not in (1, 38) else 1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        allowed.append(name)
print("allowed:", allowed)
