"""Opens files, sockets and pipes until there are no descriptors left.

The limit on open files is the cell's error, and the kernel lives on.
"""
# score: 100
# says: Too many open files

# cell: before MLP
import os
import socket

kept = []
while True:
    kept.append(open("/dev/null"))
    kept.append(socket.socket())
    kept.append(os.pipe())
