"""Takes memory in many processes, each below its limit.

All of them together have a limit too: the kernel is ended, and the feedback says why.
"""
# score: 100
# says: used more than its 1 GiB of memory

# cell: before MLP
import os
import time

for _ in range(6):
    if os.fork() == 0:
        hoard = b"x" * (6 * 10**8)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
