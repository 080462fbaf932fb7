"""Goes through everything that Python keeps alive for suites, failures, seeds and references.

The kernel was forked from a process that has never had any of it.
"""
# score: 100
# says: found in \d{5,} objects: \[\]

# cell: after test_MyLinear
import gc
import sys

gc.unfreeze()


def rate():
    pass


wanted = ("autog" + "rader.", "mis" + "conception", "test_My" + "Linear.py")
found, everything = [], gc.get_objects()
for each in everything:
    names = [type(each).__module__, vars(type(each)).get("__name__", "")]
    if isinstance(each, type | type(gc) | type(rate)):
        names.append(each.__name__)
    if any(word in str(name).lower() for name in names for word in wanted):
        found.append(type(each).__name__)
found += [name for name in sys.modules if name.split(".")[0] in ("autograder", "nbgrader")]
found = [name for name in found if name not in ("module",)]
print(f"found in {len(everything)} objects: {found[:5]}")
