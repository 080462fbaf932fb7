"""Attaches one large image under an empty name, and refers to it ten thousand times.

What would grow beyond all bounds is left as it is.
"""
# score: 100
# says: missing-

# handed in:
from nbformat.v4 import new_markdown_cell

cell = new_markdown_cell("attachment:" * 20_000)
cell["attachments"] = {"": {"image/png": "A" * 4 * 10**6}, "a": {"image/png": "A" * 4 * 10**6}}
nb.cells.append(cell)
