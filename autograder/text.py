"""Texts that students or their code made, before they are shown."""


def printable(text: str) -> str:
    """A text without what no file can hold, and what a terminal or a page would obey."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
