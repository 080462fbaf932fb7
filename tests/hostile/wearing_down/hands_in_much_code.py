"""Hands in megabytes of code in cells that are each just short enough.

What nobody could have written is not graded, and the feedback says why.
"""
# score: 0
# loses: MyLinear parameter_names count_parameters Standardize MLP
# says: more than \d+ MiB of text

# handed in:
from nbformat.v4 import new_code_cell

nb.cells += [new_code_cell("a = b\n" * 40_000) for _ in range(40)]
