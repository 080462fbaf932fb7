"""Changes settings of the system: /proc/sys, core patterns, cgroups, the clock, the host name.

It may not, and what it may look at is its own.
"""
# score: 100
# says: changed: \[\]

# cell: before MLP
import ctypes
import glob
import os
import socket
import time
from pathlib import Path

changed = []
for path in (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/sysrq-trigger",
    "/proc/self/attr/current",
    "/proc/1/oom_score_adj",
    "/proc/irq/0/smp_affinity",
    *glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True),
    *glob.glob("/sys/devices/system/cpu/cpu*/online"),
):
    try:
        content = open(path).read()
        Path(path).write_text(content)
        changed.append(path)
    except OSError:
        pass
for change in (
    lambda: socket.sethostname("<mark>-name"),
    lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
    lambda: os.sched_setaffinity(1, {0}),
    lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
    lambda: os.setpriority(os.PRIO_USER, 0, 19),
):
    try:
        change()
        changed.append(change.__code__.co_names)
    except OSError:
        pass
libc = ctypes.CDLL(None)
for call in (lambda: libc.reboot(0x01234567), lambda: libc.swapoff(b"/swap"), lambda: libc.acct(None)):
    if call() == 0:
        changed.append(call.__code__.co_names)
print("changed:", changed)
