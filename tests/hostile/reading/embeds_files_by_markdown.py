"""Refers to the grader's files in markdown and HTML, for whoever turns the notebook into a page.

Images come from attachments alone; no address, relative or not, is left in place or looked up.
"""
# score: 100
# never: <img[^>]*src="[^d]
# never: \]\(\.\./
# never: file:///

# markdown: before MLP
![a](../../../gradebook.db) ![b](file:///etc/passwd) ![c](<course>/source/notes.txt)

<img src="../../../source/notes.txt"><embed src="/etc/passwd"><object data="/etc/passwd"></object>

![d](attachment:../../../gradebook.db)

{% include '/etc/passwd' %} {{ cycler.__init__.__globals__.os.popen('id').read() }}

.. include:: /etc/passwd

# cell: before MLP
from IPython.display import HTML, Image, Markdown, display

display(Markdown("![x]" "(../../../source/notes.txt) {{ 7 * 7 }}"))
display(HTML("<img src='../../../source/notes.txt'><iframe src='/etc/passwd'></iframe>"))
display(Image(url="../../../source/notes.txt"))
