"""Sends SIGSTOP to itself inside a check.

The check has its time and fails; a fresh kernel does the next.
"""
# score: 90
# loses: count_parameters
# says: stopped after

# cell: count_parameters
import os
import signal


def count_parameters(module):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 5
