"""Recurses until Python stops it, then without Python's limit until the stack is full.

The second crashes the kernel, which is replaced.
"""
# score: 100
# says: RecursionError
# says: KernelDied

# cell: before MLP
def down(n):
    return down(n + 1)


down(0)

# cell: before MLP
import sys

sys.setrecursionlimit(10**9)


class Down:
    def __getattr__(self, name):
        return getattr(self, name + "x")


import json

deep = []
for _ in range(10**6):
    deep = [deep]
repr(deep)
eval("-" * 10**6 + "1")
down(0)
