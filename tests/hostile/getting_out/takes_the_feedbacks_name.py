"""Hands in files and folders under the names that grading and feedback write to.

What the grader writes is written, whatever lay there.
"""
# score: 100

# cell: before MLP
import os

print(sorted(os.listdir(".")))

# handed in:
import nbformat

(folder / "parameters.html").mkdir()
(folder / "parameters.html" / "x").write_text("x")
(folder / "gradebook.db").write_text("x")
(folder / "kernel.json").write_text("x")
(folder / "metadata.json").write_text("{")
nbformat.write(nb, folder / "other.ipynb")
(folder / "broken.ipynb").write_text("{")
(folder / "folder.ipynb").mkdir()
