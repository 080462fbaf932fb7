"""Has many cells that never end: each has its time, and all together more than the submission's.

The submission's time ends them all; what came before is graded.
"""
# score: 40
# loses: count_parameters Standardize MLP
# says: The submission ran longer than its time limit|used up its time limit

# handed in:
from nbformat.v4 import new_code_cell

place = next(
    n for n, c in enumerate(nb.cells)
    if c.metadata.get("nbgrader", {}).get("grade_id") == "count_parameters"
)
nb.cells[place:place] = [new_code_cell("while True: pass") for _ in range(40)]
