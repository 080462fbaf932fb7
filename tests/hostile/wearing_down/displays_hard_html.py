"""Displays HTML that takes a parser hours: open elements in open elements, attributes, entities.

Making it harmless has a time of its own; what takes longer is not shown.
"""
# score: 100
# says: shown

# cell: before MLP
from IPython.display import HTML, Markdown, display

size = 9 * 10**5
pieces = ("<div>", "<b><i>", "<a><p>", "<table>x", "&", "<", "<!--", "<li>", '<a class="anchor-link"')
for piece in pieces:
    display(HTML(piece * (size // len(piece) // len(pieces))))
print("shown")

# cell: before MLP
display(HTML("<div>" * (size // 5)))

# cell: before MLP
display(HTML("<p " + " ".join(f"a{n}=1" for n in range(10**5)) + ">"))

# cell: before MLP
display(HTML('<a class="anchor-link"' * (size // 23)))

# cell: before MLP
display(Markdown(">" * size))
