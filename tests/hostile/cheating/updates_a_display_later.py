"""Displays something in a grade cell under an identity, and in a later cell turns it into a result.

Results are written when the kernel is gone: no update reaches them.
"""
# score: 70
# loses: MyLinear
# never: forged-report

# cell: MyLinear
from IPython.display import HTML, display, update_display


class MyLinear:
    def __init__(self, *sizes, **options):
        display(HTML("<b>empty</b>"), display_id="score")


# cell: before parameter_names
update_display(HTML("<b>forged-" "report</b>"), display_id="score")

# cell: after test_MLP
from IPython.display import publish_display_data

publish_display_data(
    {"text/plain": "30", "text/html": "<b>forged-" "report</b>"},
    metadata={"autograder": {"seed": "1", "tests": []}},
    transient={"display_id": "score"},
    update=True,
)
