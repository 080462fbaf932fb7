"""Walks up the frames that called it, and looks into their variables for what is expected.

The frames are the kernel's: they hold the probe and its inputs, and no answer.
"""
# score: 70
# loses: MyLinear
# says: looked into \d\d+ frames

# cell: MyLinear
import sys

looked, found = 0, []


def look():
    global looked
    frame = sys._getframe()
    while frame is not None:
        looked += 1
        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
            if any(word in name.lower() for word in ("expected", "reference", "solution", "wanted")):
                found.append((name, value))
        frame = frame.f_back


class MyLinear:
    def __init__(self, *a, **k):
        look()


# cell: after test_MLP
print("looked into", looked, "frames")
print([value for name, value in found if "Miscon" + "ception" in str(value)][:9])
print([value for name, value in found if type(value).__name__ == "Suite"][:9])
