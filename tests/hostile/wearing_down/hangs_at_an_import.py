"""Imports a module that it brought along and that never ends, in a cell and in a check.

Both have their time.
"""
# score: 90
# loses: count_parameters
# says: TimeLimit
# says: stopped after|ran too long

# cell: before count_parameters
import endless

# cell: count_parameters
def count_parameters(module):
    import endless

    return endless.number

# handed in:
(folder / "endless.py").write_text("import time\nwhile True:\n    time.sleep(1)\n")
