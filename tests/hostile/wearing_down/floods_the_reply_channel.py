"""Floods the channel of replies with replies to nobody, while a cell runs and while probes run.

The grader keeps looking at the clock.
"""
# score: 100
# says: TimeLimit|flood

# cell: before MLP
import time

kernel, until = get_ipython().kernel, time.monotonic() + 30
ident, parent = kernel._parent_ident["shell"], kernel.get_parent()
number = 0
print("flood")
while time.monotonic() < until:
    number += 1
    header = {**parent["header"], "msg_id": f"nobody{number}"}
    kernel.session.send(
        kernel.shell_stream.socket,
        "execute_reply",
        {"status": "ok", "execution_count": 1, "user_expressions": {}},
        parent={"header": header},
        ident=ident,
    )
