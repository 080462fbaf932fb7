"""Sends messages of unknown kinds and for unknown widgets, each of which might be logged.

The grader's log stays short, and no line of it is the submission's.
"""
# score: 100

# cell: before MLP
kernel = get_ipython().kernel
parent = kernel.get_parent()
for number in range(3000):
    for kind, content in (
        ("forged\n[AutogradeApp | INFO] all is well", {"data": {}}),
        ("comm_open", {"comm_id": "x", "target_name": "y" * 1000, "data": {}}),
    ):
        kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
print("sent")
