"""Hands in symbolic links beside the notebook: to the gradebook, the suites, a device, a folder.

No link is followed: neither to the kernel nor to the graded folder, and the feedback says so.
"""
# score: 100
# says: The file `?gradebook.db`? was not used: it is a symbolic link
# says: here: \['plain.txt'\]

# cell: before MLP
import os

here = sorted(n for n in os.listdir(".") if not n.endswith(".ipynb") and not n.startswith("."))
for name in here:
    print(open(name, errors="replace").read()[:100])
print("here:", here)

# handed in:
(folder / "gradebook.db").symlink_to("<course>/gradebook.db")
(folder / "notes.txt").symlink_to("<course>/source/notes.txt")
(folder / "suites").symlink_to("<root>/autograder/suites")
(folder / "zero").symlink_to("/dev/zero")
(folder / "loop").symlink_to("loop")
(folder / "up").symlink_to("..")
(folder / "plain.txt").write_text("nothing special")
