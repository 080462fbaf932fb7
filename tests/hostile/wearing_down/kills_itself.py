"""Sends SIGKILL to itself.

A fresh kernel runs the cells before, and the rest is graded.
"""
# score: 100
# says: KernelDied

# cell: before MLP
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
