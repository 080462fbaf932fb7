"""Sends SIGSTOP to itself: the kernel is there, and answers nobody.

Its time runs all the same; then it is replaced.
"""
# score: 100
# says: TimeLimit

# cell: before MLP
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
