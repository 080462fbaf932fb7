"""Raises and prints text that no encoding knows: lone surrogates, in messages, names and keys.

They are replaced; the graded notebook can be written.
"""
# score: 80
# loses: parameter_names count_parameters

# cell: before MyLinear
print("a \ud800 b")
from IPython.display import HTML, display

display(HTML("<b>\udfff</b>"), display_id="\ud801")
get_ipython().kernel.session.send(
    get_ipython().kernel.iopub_socket,
    "error",
    {"ename": "\ud802", "evalue": "\ud803", "traceback": ["\ud804"]},
    parent=get_ipython().kernel.get_parent(),
)

# cell: parameter_names
def parameter_names(module):
    raise ValueError("a \ud800 b")


# cell: count_parameters
def count_parameters(module):
    return {"\ud800": "\udfff"}
