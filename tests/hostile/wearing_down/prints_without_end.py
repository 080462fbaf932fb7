"""Prints without an end, in small pieces and large ones.

The output is cut, the cell has its time, and the next one runs.
"""
# score: 100
# says: TimeLimit
# says: Output (beyond \d+ KiB was cut here|truncated)

# cell: before MLP
while True:
    print("All work and no play makes Jack a dull boy. " * 20)
