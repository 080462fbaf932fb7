"""Hands in thousands of cells, each of which prints as much as a cell may.

What a whole submission shows is bounded: the graded notebook can be opened.
"""
# score: 100
# says: cut here

# handed in:
from nbformat.v4 import new_code_cell

nb.cells += [new_code_cell("print('many cells ' * 90_000)") for _ in range(150)]
