"""Sends messages in the form of the grader's own result while a grade cell runs.

What the kernel shows in a grade cell is dropped, and replaced by the result that the grader kept.
"""
# score: 70
# loses: MyLinear
# never: forged-report

# cell: MyLinear
from IPython.display import publish_display_data


def forge():
    name = "-".join(["forged", "report"])
    session, kernel = get_ipython().kernel.session, get_ipython().kernel
    for kind in ("execute_result", "display_data"):
        session.send(
            kernel.iopub_socket,
            kind,
            content={
                "execution_count": 1,
                "data": {"text/plain": "30", "text/html": f"<b>{name}</b>"},
                "metadata": {"autograder": {"seed": "1", "tests": [{"id": name}]}},
            },
            parent=kernel.get_parent(),
        )


class MyLinear:
    def __init__(self, *sizes, **options):
        forge()


# cell: before parameter_names
del MyLinear
