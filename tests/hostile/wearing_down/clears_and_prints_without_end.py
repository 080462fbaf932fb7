"""Prints and clears by turns, waiting or not, so that what it has printed is never counted.

What is kept of it is bounded all the same.
"""
# score: 100
# says: round 399|cut here|TimeLimit|came too fast

# cell: before MLP
from IPython.display import clear_output, display

for number in range(400):
    print("x" * 10**6)
    clear_output(wait=True)
print("round", number)

# cell: before MLP
for number in range(100):
    display({"text/plain": "x" * 10**6}, raw=True)
    clear_output(wait=number % 2)
print("round", number)
