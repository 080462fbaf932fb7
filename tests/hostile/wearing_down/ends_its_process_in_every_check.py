"""Ends the kernel's process in every check of one task.

The checks fail that did it. Kernels are replaced a few times, then the rest has none.
"""
# score: 90
# loses: count_parameters
# says: The kernel died

# cell: count_parameters
import os


def count_parameters(module):
    os._exit(1)
