"""Markdown with its mathematics as MathML: it needs no script and no network to be read.

A formula that cannot be made stays the text that it is. What is made goes through nh3, as all that
a student wrote does, and takes its place only when the HTML around it has been cleaned.
"""

import re
import secrets
from collections.abc import Callable

import nh3
from math_core import LatexError, LatexToMathML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

#: Longer ones stay text: the course's longest has 300 characters, and a parser that calls itself
#: for each brace ends its process at some thousands of them.
_MAX_LENGTH = 2_000
#: Brackets that open: for each that may not be closed the parser takes twice the time; for these,
#: a hundredth of a second. The course's formulas have seven at most.
_MAX_OPEN = 20
#: Elements within elements: laying these out may take a browser exponential time.
_MAX_DEPTH = 40
#: Characters of MathML for one of LaTeX; primes come to 50.
_MAX_GROWTH, _FEW = 25, 200
#: Formulas of one text; no cell of the course has more than thirty.
_MAX_FORMULAS = 500
#: Formulas that may not fit into a line are reached by keyboard, to be scrolled.
_LONG = 60

_ROW_SPACING = re.compile(r"(\\\\)\s*\[[^][]*\]")
_OPEN = re.compile(
    # Of the commands that begin with an l, all but those that are known to be others.
    r"[(\[⟨⌊⌈⟦]|\\\{|\\[bB]igg?l(?![a-z])|\\mathopen|\\[ul]lcorner|\\l(?!ambda|eq?(?![a-z])|eft"
    r"|dots|n(?![a-z])|og|im|l(?![a-z])|ong|not|or|and|times|g(?![a-z]))[A-Za-z]+"
)
_TAG = re.compile(r"<(/?)[a-z]")
_LENGTH = re.compile(r"\d{1,2}(\.\d*)?(em|ex|%)?")
_LENGTHS = {"width", "height", "depth", "lspace", "rspace", "minsize", "maxsize", "linethickness"}
_WORDS = {
    *("display", "displaystyle", "scriptlevel", "accent", "accentunder", "stretchy", "symmetric"),
    *("largeop", "movablelimits", "form", "fence", "separator", "mathvariant", "columnspan"),
    *("notation", "style"),
}
_CLEANER = nh3.Cleaner(
    tags={
        *("math", "mi", "mo", "mn", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mroot", "msub"),
        *("msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts"),
        *("mtable", "mtr", "mtd", "mphantom", "menclose", "b", "i", "em", "code"),
    },
    clean_content_tags=set(),
    attributes={"*": _WORDS | _LENGTHS},
    # No colours: nobody knows whether they can be read; no place but its own.
    filter_style_properties={
        *("text-align", "justify-items", "padding-left", "padding-right"),
        *("border-top", "border-right", "border-left", "border-bottom"),
    },
    attribute_filter=lambda tag, name, value: (
        value if name not in _LENGTHS or _LENGTH.fullmatch(value) else None
    ),
    link_rel=None,
)
_CONVERTER = LatexToMathML(fancy_error=False, max_expansions=0, allow_unreliable_rendering=True)


def mathml(latex: str, block: bool = False) -> str | None:
    """A formula as harmless MathML; None where it is malformed, unknown, or beyond the limits.

    Args:
        latex: what stands between its delimiters.
        block: whether it stands on its own.
    """
    # LaTeX's space between rows would be shown as it is written.
    latex = _ROW_SPACING.sub(r"\1", latex) if len(latex) <= _MAX_LENGTH else latex
    if len(latex) > _MAX_LENGTH or len(_OPEN.findall(latex)) > _MAX_OPEN:
        return None
    try:
        made = _CONVERTER.convert_with_local_state(latex, displaystyle=block)
    except LatexError:
        return None
    if len(made) > _MAX_GROWTH * len(latex) + _FEW:
        return None
    made = _CLEANER.clean(made)
    return made if _depth(made) <= _MAX_DEPTH else None


def _depth(html: str) -> int:
    deepest = depth = 0
    for tag in _TAG.finditer(html):
        depth += -1 if tag[1] else 1
        deepest = max(deepest, depth)
    return deepest


def rendered(markdown: str, clean: Callable[[str], str]) -> str:
    """Markdown as HTML, with its formulas as MathML.

    Args:
        markdown: the text.
        clean: makes the HTML harmless. It sees a mark in the place of each formula.
    """
    renderer = _Renderer()
    return renderer.with_formulas(clean(MarkdownWithMath(renderer=renderer).render(markdown)))


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, which leaves marks for formulas."""

    def __init__(self) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        # A mark is an element that nobody can have written: none in the text, and none within an
        # attribute, where its quotation marks would be escaped.
        self._secret = secrets.token_hex(16)
        self._formulas: list[str] = []

    def block_math(self, body: str) -> str:
        """A formula that stands on its own."""
        return self._formula(body, True) or super().block_math(body)

    def inline_math(self, body: str) -> str:
        """A formula within a line."""
        return self._formula(body, False) or super().inline_math(body)

    def latex_environment(self, name: str, body: str) -> str:
        """A formula that is an environment of its own."""
        latex = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._formula(latex, True) or super().latex_environment(name, body)

    def _formula(self, latex: str, block: bool) -> str:
        made = mathml(latex, block) if len(self._formulas) < _MAX_FORMULAS else None
        if made is None:
            return ""
        if block and len(latex) > _LONG:
            made = (
                f'<span class="wide" role="group" aria-label="Formula" tabindex="0">{made}</span>'
            )
        self._formulas.append(made)
        return self._mark(len(self._formulas) - 1)

    def _mark(self, place: int | str) -> str:
        return f'<i title="{self._secret}-{place}"></i>'

    def with_formulas(self, html: str) -> str:
        """The HTML with each formula in its place."""
        mark = re.compile(self._mark(r"(\d+)"))
        html = mark.sub(lambda found: self._formulas[int(found[1])], html)
        return html.replace(self._secret, "")
