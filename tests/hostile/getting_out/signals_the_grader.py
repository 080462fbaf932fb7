"""Sends SIGSTOP, SIGKILL and others to its parent, to its group, to all it may and to every number.

Numbers of processes are the kernel's own: it reaches the sandbox's first process, which is deaf to
it, and itself. Here it spares itself until the last line.
"""
# score: 100
# says: nobody else is there
# says: all sent
# says: KernelDied

# cell: before MLP
import os
import signal

own = {int(name) for name in os.listdir("/proc/self/task")}
for pid in [os.getppid(), 1, *(number for number in range(3, 70_000) if number not in own)]:
    for number in (signal.SIGKILL, signal.SIGSTOP):
        try:
            os.kill(pid, number)
        except OSError:
            pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
try:
    os.kill(-1, signal.SIGTERM)
except ProcessLookupError:
    print("nobody else is there")
print("all", "sent")

# cell: before MLP
os.kill(os.getpid(), signal.SIGKILL)
