"""Displays small things under many identities, and updates each to something large.

An update counts as output, like any other.
"""
# score: 100
# says: updated|TimeLimit|came too fast|cut here|KernelDied

# cell: before MLP
from IPython.display import publish_display_data as publish

for number in range(150):
    publish({"text/plain": "x"}, transient={"display_id": f"d{number}"})
for number in range(150):
    publish({"text/plain": "y" * 10**7}, transient={"display_id": f"d{number}"}, update=True)
print("updated")
