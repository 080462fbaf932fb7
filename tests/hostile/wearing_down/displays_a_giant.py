"""Displays single things of enormous size: text, HTML, an image, JSON.

What is beyond the limit of a cell's output is cut, with a note.
"""
# score: 100
# says: cut here

# cell: before MLP
from IPython.display import HTML, display

print("x" * 10**8)

# cell: before MLP
display(HTML("<p>" + "y" * 5 * 10**7))
display({"image/png": "A" * 5 * 10**7}, raw=True)
display({"application/json": [[]] * 10**6}, raw=True)

# cell: before MLP
"z" * 10**7
