"""Sends hundreds of thousands of outputs that hold nothing, so that no size adds up.

The number of a cell's outputs is bounded too.
"""
# score: 100
# says: sent|cut here|TimeLimit|came too fast

# cell: before MLP
kernel = get_ipython().kernel
parent = kernel.get_parent()
for number in range(200_000):
    content = {"name": ("stdout", "stderr")[number % 2], "text": ""}
    kernel.session.send(kernel.iopub_socket, "stream", content, parent=parent)
print("sent")
