"""Fills /dev/shm, shared mappings and memory files.

/dev/shm is the kernel's own and small; memory files cannot be made.
"""
# score: 100
# says: filled \d+ MB of /dev/shm

# cell: before MLP
import os

size = 0
try:
    with open("/dev/shm/x", "wb") as file:
        while True:
            size += file.write(bytes(2**20))
            file.flush()
except OSError:
    print("filled", size // 2**20, "MB of /dev/shm")
os.remove("/dev/shm/x")
try:
    os.memfd_create("x")
    print("memory file made")
except OSError as error:
    print(error)
