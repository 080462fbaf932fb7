"""Sends messages that are small on the way and enormous when read: millions of empty lists.

How many values a message holds is bounded before it is read.
"""
# score: 100
# says: sent|came too fast

# cell: before MLP
import json

kernel = get_ipython().kernel
pack = kernel.session.pack
bomb = b'{"data": {"text/plain": "x", "application/json": [' + b"[]," * 10**7 + b'[]]}, "metadata": {}}'
kernel.session.pack = lambda value: bomb if value == {"bomb": 1} else pack(value)
for _ in range(3):
    kernel.session.send(
        kernel.iopub_socket, "display_data", {"bomb": 1}, parent=kernel.get_parent()
    )
print("sent")
