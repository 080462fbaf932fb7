"""Tries to become root: setuid programs, user namespaces, capabilities, changed ids.

It is an unprivileged user who can gain nothing.
"""
# score: 100
# says: uids: \{1000\}, capabilities: \{'0000000000000000'\}, no_new_privs: 1, gained: \[\]

# cell: before MLP
import ctypes
import glob
import os
import re
import subprocess
from pathlib import Path

gained = []
for change in (
    lambda: os.setuid(0),
    lambda: os.setresuid(0, 0, 0),
    lambda: os.setgroups([0]),
    lambda: os.setgid(0),
    lambda: Path("/proc/self/uid_map").write_text("0 0 4294967295"),
    lambda: Path("/proc/self/oom_score_adj").write_text("-1000"),
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)),
    lambda: os.nice(-5),
    lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)),
):
    try:
        change()
        gained.append(change.__code__.co_names)
    except OSError:
        pass
for program in ("su -c id", "sudo -n id", "mount /tmp", "unshare -Ur id", "newuidmap 1 0 0 1", "chsh", "pkexec id"):
    done = subprocess.run(program, shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if "uid=0" in done.stdout:
        gained.append(program)
libc = ctypes.CDLL(None)
for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x04000000, 0x08000000, 0x02000000):
    if libc.unshare(flag) == 0:
        gained.append(flag)
status = open("/proc/self/status").read()
uids = set(map(int, re.search(r"Uid:\s+(.*)", status)[1].split()))
capabilities = set(re.findall(r"Cap\w+:\s+(\w+)", status))
privileges = re.search(r"NoNewPrivs:\s+(\d)", status)[1]
print(f"uids: {uids}, capabilities: {capabilities}, no_new_privs: {privileges}, gained: {gained}")
