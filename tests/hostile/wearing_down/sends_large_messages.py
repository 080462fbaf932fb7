"""Sends messages of hundreds of megabytes on every channel, more than the grader could hold.

A connection with a message beyond the limit is broken, and messages wait in the kernel's own
memory: the grader stays small.
"""
# score: 100
# says: sent|TimeLimit|came too fast

# cell: before MLP
import zmq

kernel = get_ipython().kernel
ident = kernel._parent_ident["shell"]
number = 0
content = {"name": "stdout", "text": "x" * 2**27}
for _ in range(2):
    for socket, options in (
        (kernel.iopub_thread.socket, {"ident": b"stream"}),
        (kernel.shell_stream.socket, {"ident": ident}),
        (kernel.stdin_socket, {"ident": ident}),
        (kernel.control_stream.socket, {"ident": ident}),
    ):
        number += 1
        header = {**kernel.get_parent()["header"], "msg_id": f"nobody{number}"}
        try:
            message = kernel.session.msg("stream", content, parent={"header": header})
            parts = kernel.session.serialize(message, ident=options["ident"])
            socket.send_multipart(parts, zmq.NOBLOCK)
        except Exception:
            pass
print("sent", number)
