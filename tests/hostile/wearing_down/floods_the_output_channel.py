"""Floods the channel of outputs from threads, past IPython, in this cell, later ones and in probes.

Each cell and probe has its time; what is too much is dropped.
"""
# score: 100

# cell: before MyLinear
import threading
import time

import zmq

kernel, until = get_ipython().kernel, time.monotonic() + 15
parents = [kernel.get_parent()]
get_ipython().events.register("pre_run_cell", lambda *a: parents.append(kernel.get_parent()))
thread = kernel.iopub_thread


def flood():
    text = "flooding " * 10
    while time.monotonic() < until:
        content = {"name": "stdout", "text": text}
        message = kernel.session.msg("stream", content, parent=parents[-1])
        parts = kernel.session.serialize(message, b"stream")
        try:
            thread.socket.send_multipart(parts, zmq.NOBLOCK)
        except Exception:
            pass


# From the thread that owns the socket: nothing else gets a turn there.
thread.schedule(flood)
print("flooding")
