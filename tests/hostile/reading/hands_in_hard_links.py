"""Hands in hard links, pipes and sockets beside the notebook.

What is no plain file of its own is left alone, and the feedback says so.
"""
# score: 100
# says: The file `?labels.csv`? was not used: it is a hard link
# says: The file `?pipe`? was not used: it is no regular file
# says: here: \[\]

# cell: before MLP
import os

here = sorted(n for n in os.listdir(".") if not n.endswith(".ipynb") and not n.startswith("."))
print("here:", here)

# handed in:
import os
import socket

os.link("<course>/holdout/labels.csv", folder / "labels.csv")
os.link("<course>/nbgrader_config.py", folder / "settings.py")
os.mkfifo(folder / "pipe")
here = os.open(folder, os.O_RDONLY)
server = socket.socket(socket.AF_UNIX)
server.bind(f"/proc/self/fd/{here}/socket")
