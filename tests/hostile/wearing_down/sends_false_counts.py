"""Sends execution counts that are text, HTML, huge numbers or deep lists.

Counts are the grader's to write.
"""
# score: 100
# never: <img src=x

# cell: before MLP
kernel = get_ipython().kernel
deep = []
for _ in range(200):
    deep = [deep]
for count in (10**4000, 1.5, None, deep, "<img src=x onerror=sto" "len()>", {"a": "b"}, "\ud800"):
    for kind in ("execute_input", "execute_result", "status"):
        kernel.session.send(
            kernel.iopub_socket,
            kind,
            {"execution_count": count, "code": "1", "data": {}, "metadata": {}, "execution_state": "busy"},
            parent=kernel.get_parent(),
        )

# cell: before MLP
kernel.session.send(
    kernel.iopub_socket,
    "execute_input",
    {"execution_count": "<img src=x onerror=sto" "len()>", "code": "1"},
    parent=kernel.get_parent(),
)
