"""Hands in markdown that takes a parser hours: quotes in quotes, brackets, fences, tables, formulas.

Turning it into a page has a time of its own; what takes longer stays text.
"""
# score: 100
# says: >>>>|could not

# handed in:
from nbformat.v4 import new_markdown_cell

size = 2**18
for piece in (
    ">",
    "[",
    "![](",
    "*a **b ",
    "<div>\n",
    "```\n",
    "\\\\(",
    "\\begin{a}",
    "|a|\n|-|\n",
    "1. a\n",
    "<a ",
    "&a;",
    "~~a",
    "<!--",
    "\t- a\n",
    "[^1]",
    "<b><i>",
    "`" * 7 + " ",
):
    nb.cells.append(new_markdown_cell(piece * (size // len(piece))))
