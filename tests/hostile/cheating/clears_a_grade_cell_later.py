"""Clears the output of a grade cell that has lost points, from a later cell and in its name.

The result is not an output of the kernel's: there is nothing that it could clear.
"""
# score: 90
# loses: count_parameters
# says: cleared 4

# cell: count_parameters
parents = []


def count_parameters(module):
    parents.append(get_ipython().kernel.get_parent())
    return 5


# cell: before MLP
from IPython.display import clear_output

kernel, cleared = get_ipython().kernel, 0
for parent in (parents[0], kernel.get_parent()):
    for wait in (False, True):
        kernel.session.send(kernel.iopub_socket, "clear_output", {"wait": wait}, parent=parent)
        cleared += 1
clear_output(wait=False)
print("cleared", cleared)
