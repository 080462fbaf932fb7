"""Hands in thousands of other notebooks: empty ones in a folder, and one whose name begins with a dot.

Only the assignment's own is a notebook; the others are files like any, and there may not be many.
"""
# score: 100
# says: more than 500 files and folders
# says: there are 1 notebooks here

# cell: before MLP
import os

names = [name for name in os.listdir(".") if name.endswith(".ipynb")]
print("there are", len(names) - 1, "notebooks here")

# handed in:
(folder / ".x.ipynb").write_text("[" * 10**6)
(folder / "sub").mkdir()
for number in range(6_000):
    (folder / "sub" / f"{number}.ipynb").touch()
