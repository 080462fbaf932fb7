"""Writes a file into every folder that exists, and changes modes, owners and times.

The kernel writes to its own folder, /tmp and /dev/shm, which end with it.
"""
# score: 100
# says: wrote to \['/dev/shm', '/submission', '/tmp'\]

# cell: before MLP
import os
import pathlib
import sys

wrote = set()
for folder, folders, files in os.walk("/"):
    if folder.count("/") > 4 or folder.startswith("/proc/") or folder.startswith("/usr/share"):
        folders[:] = []
        continue
    path = os.path.join(folder, "<mark>-x")
    try:
        open(path, "w").close()
        wrote.add(folder)
    except OSError:
        pass
    for change in (lambda: os.chmod(folder, 0o777), lambda: os.chown(folder, 0, 0)):
        try:
            change()
        except OSError:
            pass
for path in ("<course>", "<home>", "<root>", "<site>", "<bin>", "/etc", "/root", "/var/tmp"):
    try:
        open(f"{path}/<mark>-x", "w").close()
        wrote.add(path)
    except OSError:
        pass
if sys.prefix.startswith("/tmp/"):  # folders of the kernel's own, on the way to Python
    wrote -= {sys.prefix, *map(str, pathlib.Path(sys.prefix).parents)} - {"/tmp"}
print("wrote to", sorted(f for f in wrote if "ipython" not in f and "matplotlib" not in f))
