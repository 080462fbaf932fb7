"""Fills the buffers of thousands of sockets, of many processes and not accepted by any.

They count with the rest: past the limit, the kernel is ended, and the next cell has a fresh one.
"""
# score: 100
# says: memory

# cell: before MLP
import socket, time

server = socket.socket(socket.AF_UNIX)
server.bind("here")
server.listen(4096)
for _ in range(4000):
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
    client.setblocking(False)
    client.connect("here")
    try:
        while True:
            client.send(bytes(2**15))
    except BlockingIOError:
        client.close()
time.sleep(60)
