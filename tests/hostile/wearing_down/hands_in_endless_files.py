"""Hands in files that never end, or that nobody writes to, under the names of notebooks.

Nothing but a regular file is opened at all.
"""
# score: 100
# says: The file `?.zero.ipynb`? was not used: it is a symbolic link
# says: The file `?.x.ipynb`? was not used: it is no regular file
# says: The file `?a\[b\]/zero.bin`? was not used: it is a symbolic link
# says: The file `?sparse.ipynb`? was not used: it is larger than 50 MiB

# handed in:
import os

(folder / ".zero.ipynb").symlink_to("/dev/zero")
(folder / "sparse.ipynb").touch()
os.truncate(folder / "sparse.ipynb", 10**8)
os.mkfifo(folder / ".x.ipynb")
(folder / "a[b]").mkdir()
(folder / "a[b]" / "zero.bin").symlink_to("/dev/zero")
os.mkfifo(folder / "a[b]" / "pipe")
