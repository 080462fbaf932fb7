"""Opens widgets' channels with states that are large, odd, or catch all output of later cells.

The grader has no widgets: such messages are let go.
"""
# score: 100
# says: hello from a later cell

# cell: before MLP
kernel = get_ipython().kernel
parent = kernel.get_parent()
state = {
    "_model_module": "@jupyter-widgets/output",
    "_model_name": "OutputModel",
    "outputs": ["x" * 10**5],
    "msg_id": "",
}
for number in range(2000):
    kernel.session.send(
        kernel.iopub_socket,
        "comm_open",
        {"comm_id": f"c{number}", "target_name": "jupyter.widget", "data": {"state": state}},
        parent=parent,
    )
kernel.session.send(
    kernel.iopub_socket,
    "comm_open",
    {"comm_id": "é", "target_name": "y" * 10**6, "data": {}},
    parent=parent,
)
session, _, turn = parent["header"]["msg_id"].rpartition("_")
for ahead in range(1, 30):
    kernel.session.send(
        kernel.iopub_socket,
        "comm_msg",
        {"comm_id": "c1", "data": {"state": {"msg_id": f"{session}_{int(turn) + ahead}"}}},
        parent=parent,
    )
print("opened")

# cell: before MLP
print("hello from a later cell")
