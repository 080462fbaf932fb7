"""Leaves daemons behind: forked twice, in sessions of their own, deaf to signals, under other names.

When the kernel ends, all that it has started ends.
"""
# score: 100
# says: daemons: 4

# cell: before MLP
import os
import signal
import subprocess
import sys
import time

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            with open("/proc/self/comm", "w") as file:
                file.write("kworker/0:1")
            for fd in range(3, 200):
                try:
                    os.close(fd)
                except OSError:
                    pass
            while True:
                time.sleep(1)
        os._exit(0)
    os.wait()
subprocess.Popen(
    ["nohup", "setsid", sys.executable, "-c", "import time; time.sleep(10**6)"],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
print("daemons:", 4)
