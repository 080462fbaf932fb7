"""Crashes by a segmentation fault, an abort and an illegal address in a thread.

A crash is an end like any other: a fresh kernel goes on.
"""
# score: 100
# says: KernelDied

# cell: before MLP
import ctypes

ctypes.string_at(0)

# cell: before Standardize
import os

os.abort()
