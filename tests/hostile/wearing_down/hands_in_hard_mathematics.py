"""Hands in mathematics that takes a parser its stack, or a browser its time: nested, endless, broken.

A formula within bounds becomes MathML; any other stays the text that it is.
"""
# score: 100
# says: \$\{\{\{\{|could not

# handed in:
from nbformat.v4 import new_markdown_cell

size = 2**18
for piece in (
    "{",
    "x^{",
    "x_{",
    r"\frac",
    r"\sqrt{",
    r"\left(",
    r"\begin{matrix}",
    r"\overline{",
    r"\text{",
    r"\def\a{\a\a}\a",
    "'",
    "&",
    r"\\[",
    r"\color{red}",
):
    for length in (1_900, size // 2):
        nb.cells.append(new_markdown_cell(f"${piece * (length // len(piece))}$"))
    few = 600 // len(piece)
    nb.cells.append(new_markdown_cell(f"${piece * few}x{'}' * few}$ " * 200))
for piece in ("$x$ ", "$$x$$\n\n", "$ $", r"\begin{a}x\end{a}", "$x"):
    nb.cells.append(new_markdown_cell(piece * (size // len(piece))))
