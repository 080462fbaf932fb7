"""Ends the kernel's process in a cell, by `os._exit`.

A fresh kernel runs the cells before, and the rest is graded.
"""
# score: 100
# says: KernelDied

# cell: before MLP
import os

print("leaving")
os._exit(0)
