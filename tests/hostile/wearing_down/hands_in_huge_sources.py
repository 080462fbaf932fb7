"""Hands in cells of enormous size: code, markdown, and numbers of thousands of digits.

A notebook that no editor could show is not graded, and the feedback says why.
"""
# score: none
# says: longer than \d+ KiB

# handed in:
from nbformat.v4 import new_code_cell, new_markdown_cell

nb.cells.append(new_code_cell("x = 1\n" * 10**6))
nb.cells.append(new_markdown_cell("*" * 10**6))
