"""Hands in text that programs which colour code need minutes for: blank lines above all.

Each cell is tried when it is graded, and none that takes long is ever coloured.
"""
# score: 100

# handed in:
from nbformat.v4 import new_code_cell

for source in (
    "x = 1" + " \n" * 9_900 + "x = 1",
    *("x = 1" + "\n \n" * 300 + "x = 1" for _ in range(200)),
    *(
        f"%%{name}\n" + "\n".join([piece * (1_800 // len(piece))] * 10)
        for name in ("perl", "R", "html", "javascript", "julia", "ruby", "latex", "bash", "sql")
        for piece in ("(", " ", '"', "a.", "\\")
    ),
    "%%perl\n" + " \n" * 9_900,
    "'''" + "{a.b}" * 3_000,
):
    nb.cells.append(new_code_cell(source))
