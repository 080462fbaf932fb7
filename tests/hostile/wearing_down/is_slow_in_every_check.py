"""Sleeps in every check for longer than a check may take.

Each check is stopped in its time; the other tasks keep theirs.
"""
# score: 75
# loses: Standardize
# says: stopped after|ran too long

# cell: Standardize
import time


class Standardize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        time.sleep(1000)
