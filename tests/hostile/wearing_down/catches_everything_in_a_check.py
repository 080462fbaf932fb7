"""Catches the interrupt inside a check, and goes on for ever.

The check fails; a fresh kernel does the next.
"""
# score: 90
# loses: count_parameters
# says: stopped after|ran too long

# cell: count_parameters
def count_parameters(module):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
