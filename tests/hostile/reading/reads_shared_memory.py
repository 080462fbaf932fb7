"""Looks for shared memory of the grader's or of another kernel's: POSIX, System V, queues, keys.

Each kernel has its own, empty.
"""
# score: 100
# says: found: \[\]

# cell: before MLP
import ctypes
import os
from multiprocessing import shared_memory

found = [name for name in os.listdir("/dev/shm")]
try:
    found.append(bytes(shared_memory.SharedMemory("<mark>-note").buf))
except OSError:
    pass
libc = ctypes.CDLL(None, use_errno=True)
for key in range(200):
    for get in ("shmget", "semget", "msgget"):
        arguments = {"shmget": (key, 1, 0), "semget": (key, 1, 0), "msgget": (key, 0)}[get]
        if getattr(libc, get)(*arguments) >= 0:
            found.append((get, key))
for name in ("/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"):
    if os.path.exists(name):
        found += open(name).read().splitlines()[1:]
for path in ("/dev/mqueue", "/proc/keys", "/proc/key-users"):
    try:
        found += os.listdir(path) if os.path.isdir(path) else open(path).read().splitlines()
    except OSError:
        pass
if libc.syscall(250, 11, -3, 0, 0, 0) >= 0:  # keyctl(KEYCTL_READ, the session's keyring)
    found.append("keyring")
print("found:", found)
