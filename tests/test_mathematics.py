"""Mathematics becomes MathML with the page: all of the course's, and nothing else comes with it."""

import html.parser
import re

import nbformat
import pytest

from autograder import ROOT
from autograder.pipeline.mathematics import mathml, rendered
from autograder.pipeline.safe import clean_markdown, clean_output

SOURCES = sorted((ROOT / "source").glob("*/*.ipynb"))

#: Names of elements and attributes that MathML may have here.
ELEMENTS = {
    *("math", "mi", "mo", "mn", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mroot", "msub"),
    *("msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "menclose"),
    *("b", "i", "em", "code", "mphantom"),
}


def names(text: str) -> set[str]:
    """The names of all elements and attributes of some HTML."""
    found = set()

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.update([tag], (name for name, _ in attrs))

    Reader().feed(text)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_all_mathematics_of_the_course_is_rendered(path) -> None:
    prose = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    pages = [clean_markdown(each, {}) for each in prose]
    text = "\n".join(re.sub(r"<(code|pre)>.*?</\1>", "", page, flags=re.DOTALL) for page in pages)
    assert text.count("<math") > 5
    assert "$" not in text
    assert "\\" not in re.sub(r"<mo>.*?</mo>", "", text)
    assert "[2pt]" not in text


def test_a_formula_is_read_as_one() -> None:
    assert mathml("x^2") == "<math><msup><mi>x</mi><mn>2</mn></msup></math>"
    page = rendered("So $a < b$ holds.\n\n$$\n\\sum_i x_i\n$$\n", str)
    assert "So <math><mi>a</mi><mo>&lt;</mo><mi>b</mi></math> holds." in page
    assert '<math display="block">' in page
    assert rendered(r"\begin{align}a &= b\end{align}", str).count("<mtable") == 1
    output = {"output_type": "display_data", "data": {"text/latex": "$x$", "text/plain": "x"}}
    made = clean_output(output)
    assert made is not None
    assert "<math><mi>x</mi></math>" in made.data["text/html"]


def test_code_has_no_mathematics() -> None:
    assert "<math" not in clean_markdown("`$x$` and\n\n```\n$y$\n```\n", {})


@pytest.mark.parametrize(
    "latex",
    [r"\frac{1}", r"\nothing{x}", "}{", r"x^2^2", r"\begin{matrix}", r"\left( x", r"a & b", "\\"],
)
def test_what_is_malformed_stays_text(latex: str) -> None:
    assert mathml(latex) is None
    page = clean_markdown(f"before ${latex}$ after", {})
    assert "<math" not in page
    assert "before" in page
    assert "after" in page


@pytest.mark.parametrize(
    "latex",
    [
        "<script>alert(1)</script>",
        r"\text{<script>alert(1)</script>}",
        r"\text{</math><img src=x onerror=alert(1)>}",
        r"\href{javascript:alert(1)}{x}",
        r"\texttt{<style>*{display:none}</style>}",
        r'\tag{"><script>alert(1)</script>}x',
        r"\begin{equation}\label{a'><script>}x\end{equation}",
        r"\eqref{a}",
        r"\textcolor{red}{x}",
        r'\mathrm{" onclick="alert(1)}',
        r"x\hspace{-999em}y\hspace{999em}z\!",
        r"\begin{array}{c}x\end{array}\boxed{y}\cancel{z}",
        "\x00\ud7ff￿&lt;b&gt;",
    ],
)
def test_nothing_but_mathematics_comes_with_it(latex: str) -> None:
    made = mathml(latex) or ""
    attributes = {"display", "style", "displaystyle", "scriptlevel", "notation", "width"}
    attributes |= {"lspace", "rspace", "stretchy", "form", "mathvariant"}
    assert names(made) <= ELEMENTS | attributes
    assert not re.search(r"color|url|position|margin|999|-\d", re.sub(r">[^<]*<", "><", made))


@pytest.mark.parametrize(
    "source",
    [
        '<b title="\n\n$$x$$\n\n">bold</b>',
        '<img alt="$x$">',
        "<img alt=$x$>",
        '<div title="\n\n$$"><script>$$\n\n">',
        "<textarea>\n\n$$x$$\n\n</textarea>",
        "[link $x$](javascript:alert(1)) [$y$](https://example.org '$z$')",
        '<a title="$x$" href="https://example.org/$x$">$y$</a>',
    ],
)
def test_a_formula_takes_no_place_but_a_texts(source: str) -> None:
    """MathML has quotation marks: within an attribute it would end it."""
    made = clean_markdown(source, {})
    inside = [value for tag in re.findall(r"<[^<>]*>", made) for value in re.findall('"(.*)"', tag)]
    assert not any("math" in value or "<" in value for value in inside)
    assert names(made) <= ELEMENTS | {"div", "p", "a", "href", "title", "img", "alt", "display"}


@pytest.mark.parametrize(
    "latex",
    [
        "{" * 2_000,
        "x^{" * 600 + "}" * 600,
        r"\frac" * 380,
        r"\left(" * 330,
        r"\begin{matrix}" * 140,
        r"\sqrt{" * 280 + "}" * 280,
        "x" + "'" * 1_900,
        r"\def\a{\a\a}\a",
        r"\newcommand\a[1]{#1#1}\a{\a{\a{\a{x}}}}",
        "x" * 100_000,
        "(" * 600,
        "[x" * 600,
        r"\\[" * 600,
        r"\{" * 600,
        r"\lfloor x" * 150,
        r"\bigl|" * 200,
    ],
)
def test_mathematics_without_end_stays_text(latex: str) -> None:
    assert mathml(latex) is None
    assert "<math" not in clean_markdown(f"$${latex}$$", {})


def test_formulas_without_end_stay_text() -> None:
    page = clean_markdown("$x$ " * 2_000, {})
    assert page.count("<math") == 500
    assert page.count("$x$") == 1_500
