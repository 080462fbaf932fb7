"""Sends SIGSTOP, SIGKILL and others to its parent, to its group, to all it may and to every number.

Numbers of processes are the kernel's own: it reaches the sandbox's first process, which is deaf to
it, and itself. Here it spares itself until the last line.
"""
# score: 100
# says: KernelDied

# cell: before MLP
import os
import signal

for pid in [os.getppid(), 1, *range(3, 70_000)]:
    for number in (signal.SIGKILL, signal.SIGSTOP):
        try:
            os.kill(pid, number)
        except OSError:
            pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGTERM)
os.kill(-1, signal.SIGTERM)

# cell: before MLP
os.kill(-1, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
