"""What a submission shows is safe to open, and still shows what it should."""

import base64
from html.parser import HTMLParser

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from autograder.pipeline.harmless import clean_html
from autograder.pipeline.safe import bare, clean, clean_markdown, clean_output

PNG = base64.b64encode(b"\x89PNG\r\n").decode()


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<scr<script>ipt>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><circle/></svg>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<iframe src='https://example.org'></iframe>",
        "<img src='https://example.org/seen.png'>",
        "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
        "<style>body{background:url(https://example.org)}</style>",
        "<div style='position:fixed;background:url(https://example.org)'>x</div>",
        "<form action='https://example.org'><input name=a></form>",
        "<meta http-equiv=refresh content='0;url=https://example.org'>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<base href='https://example.org'>",
        "<link rel=stylesheet href='https://example.org'>",
        "<div id=score class=score name=top>x</div>",
    ],
)
@pytest.mark.parametrize("clean", [clean_html, lambda text: clean_markdown(text, {})])
def test_nothing_active_is_left(html: str, clean: object) -> None:
    assert callable(clean)
    left = clean(html).lower()
    for word in ("<script", "onerror=", "onload=", "javascript:", "<iframe", "<style", "<svg"):
        assert word not in left.replace("&lt;", "").replace("<p>", "")
    for word in ("<form", "<input", "<meta", "<base", "<link", "style=", "class=", "id=", "src="):
        assert f"{word}" not in left


class Seen(HTMLParser):
    """What another parser than the cleaner's finds: the tags, the attributes and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


IMAGE = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("size", [1, 2_000], ids=["here", "apart"])
@pytest.mark.parametrize(
    ("html", "tags", "text"),
    [
        # Elements in which HTML is read by other rules: tags that are text, texts that are code.
        (f"<svg><style>{IMAGE}</style><title>a</title><text>b</text></svg>c", set(), "abc"),
        (f"<svg></p><style><a id='</style>{IMAGE}'>a</svg>b", {"img", "p"}, "'>ab"),
        (f"<svg><desc><b>a</b>{IMAGE}</desc><foreignObject>b</foreignObject></svg>", None, "ab"),
        (f"<math><mtext><table><mglyph><style><!--</style>{IMAGE}--></table>a", None, "-->a"),
        (
            "<math><mi>x</mi><annotation-xml encoding='text/html'>y</annotation-xml></math>",
            None,
            "xy",
        ),
        (f"<noscript><p title='</noscript>{IMAGE}'>a</noscript>b", {"p"}, "ab"),
        (f"<template><b>a</b>{IMAGE}</template>b", {"b", "img"}, "ab"),
        (f"<iframe srcdoc='{IMAGE}'>a<b>b</b></iframe>c", {"b"}, "abc"),
        (f"<textarea></textarea>{IMAGE}<textarea><b>a</b>", {"b", "img"}, "a"),
        ("<title><b>a</b></title><xmp><i>b</i></xmp>", {"b", "i"}, "ab"),
        ("<noembed><b>a</b></noembed><noframes>b</noframes>", {"b"}, "ab"),
        ("<select><option>a<script>b</script></select>c", set(), "ac"),
        ("<p>a<plaintext><b>b</b>", {"p", "b"}, "ab"),
        ("<object data=x><embed src=y>a</object><video src=z>b</video>", set(), "ab"),
        ("<html onload=x><head><title>a</title></head><body onload=y>b</body></html>", set(), "ab"),
        ("<scr\0ipt>a</scr\0ipt><ſcript>b</ſcript><SCRIPT/x>c</SCRIPT >d", None, "a<ſcript>bd"),
        # What is no tag.
        ("a<!-- <b>x</b> -->b<!doctype html>c<?php x ?>d<![CDATA[e]]>f", set(), "abcdf"),
        (f"<!-->{IMAGE}<!--a--!>b", {"img"}, "b"),
        ("a < b &lt; c && d", set(), "a < b < c && d"),
        ("&bogus; &#0; &#x110000; &#xD800; &amp;lt;script&amp;gt;", set(), None),
        ("a <b then c", set(), "a <b then c"),
        # Attributes.
        ("<b/title=a/onclick=b>c</b>", {"b"}, "c"),
        ("<a\nhref\n=\n'JavaScript:x'>a</a><a href='&#106;avascript:x'>b</a>", {"a"}, "ab"),
        ("<a href='//example.org'>a</a><a href='/b'>b</a><a href='#c'>c</a>", {"a"}, "abc"),
        ("<a href='https://example.org' href='javascript:x' target=y>a</a>", {"a"}, "a"),
        ("<img src='data:image/png;base64,AAAA onerror=x' srcset=y alt='\"`>'>", {"img"}, ""),
        ("<p style='color:red;background:url(x)' lang=a data-x=b>c</p>", {"p"}, "c"),
        ("<table background=x><td colspan=2 rowspan='2 onload'>a</table>", None, "a"),
    ],
)
def test_only_the_harmless_is_left_with_the_text(
    html: str, tags: set[str] | None, text: str | None, size: int
) -> None:
    seen = Seen(clean_html(html + " " * 16 * size if size > 1 else html))
    harmless = {"a", "b", "i", "img", "p", "table", "tbody", "td", "tr"}
    assert seen.tags <= harmless
    assert tags is None or seen.tags == tags
    assert seen.attributes <= {"alt", "title", "colspan", "href"}
    assert text is None or seen.text.rstrip() == text


@pytest.mark.parametrize("html", ["<b title='&quot;&lt;'>a &amp;&lt; b</b>", "<p>a<li>b<table>c"])
def test_what_is_clean_stays_as_it_is(html: str) -> None:
    assert clean_html(clean_html(html)) == clean_html(html)


MEGABYTE = 10**6


@pytest.mark.parametrize(
    "html",
    [
        "<" * MEGABYTE,
        "<p>a && b</p>" * (MEGABYTE // 13),
        "&amp" * (MEGABYTE // 4),
        "<!--" * (MEGABYTE // 4),
        "<svg" * (MEGABYTE // 4),
        "<b><i>" * (MEGABYTE // 6),
        "<path d='M1 2'/>" * (MEGABYTE // 16),
        "<a href='" * (MEGABYTE // 9),
        "<script" * (MEGABYTE // 7),
        "<table>" + "<tr><td>1</td><td>2</td></tr>" * (MEGABYTE // 29) + "</table>",
    ],
    ids=lambda html: html[:8],
)
def test_a_megabyte_is_cleaned_in_time(html: str) -> None:
    clean_html(html)  # in two seconds of processor time, or not at all


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * (MEGABYTE // 5),
        "<p " + " ".join(f"a{n}" for n in range(MEGABYTE // 7)) + ">",
        # Each <p> opens all that was open anew.
        "<p>" + "".join(f"<b title={n}>" for n in range(600)) + "<p>x" * 600,
        "<p>" + "".join(f"<b title={n}>" for n in range(30_000)) + "<p>x" * 100_000,
    ],
    ids=lambda html: html[:8],
)
def test_what_takes_too_long_is_not_cleaned(html: str) -> None:
    with pytest.raises(ValueError, match=r"too hard|without end"):
        clean_html(html)


def test_time_that_is_spent_apart_counts() -> None:
    shown = new_output("display_data", {"text/html": "<div>" * 10**5})
    last = new_output("display_data", {"text/html": "<b>short</b>"})
    cell = new_code_cell("x", outputs=[shown, last])
    made = clean(new_notebook(cells=[cell]), 2**20, 2**20, 1)
    assert [output.text for output in made.cells[0].outputs] == [
        "[Some output took too long to be made safe, and is not shown.]\n"
    ] * 2


def test_tables_and_images_stay() -> None:
    table = '<table><tr><th>a</th></tr><tr><td colspan="2">1 &lt; 2</td></tr></table>'
    assert clean_html(table).replace("<tbody>", "").replace("</tbody>", "") == table
    image = f'<img alt="a" src="data:image/png;base64,{PNG}">'
    assert clean_html(image) == image
    assert 'href="https://pytorch.org/docs"' in clean_html(
        '<a href="https://pytorch.org/docs">d</a>'
    )


def test_markdown_is_rendered_once_and_stays_html() -> None:
    source = (
        "# Title\n\nSome *text*, `a < b`, $x_1^2$.\n\n```python\nx = 1\n\n\ny = 2\n```\n\n- item"
    )
    html = clean_markdown(source, {})
    assert "<h1>Title</h1>" in html
    assert "<em>text</em>" in html
    assert "a &lt; b" in html
    assert "<li>item</li>" in html
    assert "\n\n" not in html
    assert "¶" not in html


def test_attached_images_are_inlined_where_they_are_images() -> None:
    source = "![a](attachment:a.png) ![b](attachment:b.png)"
    html = clean_markdown(source, {"a.png": {"image/png": PNG}, "b.png": {"image/png": "<script>"}})
    assert html.count("<img") == 2
    assert html.count("src=") == 1
    assert f"data:image/png;base64,{PNG}" in html


@pytest.mark.parametrize("source", [">" * 50_000, "[" * 50_000, "*a" * 20_000, "- " * 5_000])
def test_markdown_that_is_too_much_stays_text(source: str) -> None:
    assert clean_markdown(source, {}).startswith("<div>")


@pytest.mark.parametrize(
    ("output", "left"),
    [
        ({"output_type": "stream", "name": "stdout", "text": "hello"}, {"text": "hello"}),
        ({"output_type": "stream", "name": "stdout", "text": ["a", "b"]}, {"text": "ab"}),
        (
            {"output_type": "stream", "name": "stderr", "text": " 1%\r 50%\r100%\r\ndone\r\n"},
            {"text": "100%\ndone\n"},
        ),
        ({"output_type": "stream", "name": 3, "text": None}, {"text": "", "name": "stdout"}),
        (
            {"output_type": "error", "ename": "E", "evalue": 5, "traceback": "x"},
            {"ename": "E", "evalue": "", "traceback": []},
        ),
        (
            {"output_type": "display_data", "data": {"image/png": PNG, "text/html": "<b>x</b>"}},
            {"data": {"image/png": PNG}},
        ),
        (
            {"output_type": "execute_result", "data": {"text/plain": "3"}, "metadata": {"a": 1}},
            {"output_type": "display_data", "data": {"text/plain": "3"}, "metadata": {}},
        ),
        (
            {"output_type": "display_data", "data": {"text/html": "<b>x</b><script>1</script>"}},
            {"data": {"text/html": "<b>x</b>"}},
        ),
    ],
)
def test_outputs(output: dict, left: dict) -> None:
    cleaned = clean_output(output)
    assert cleaned is not None
    assert left.items() <= cleaned.items()


def test_an_svg_becomes_an_image() -> None:
    svg = "<svg onload='alert(1)'/>"
    cleaned = clean_output({"output_type": "display_data", "data": {"image/svg+xml": svg}})
    assert cleaned is not None
    assert cleaned.data["text/html"].startswith('<img alt="figure" src="data:image/svg+xml;base64,')


@pytest.mark.parametrize(
    "output",
    [
        None,
        "text",
        {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}},
        {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}}},
        {"output_type": "display_data", "data": "x"},
        {"output_type": "display_data", "data": {"image/png": "<script>"}},
    ],
)
def test_unknown_outputs_go(output: object) -> None:
    assert clean_output(output) is None


@pytest.mark.parametrize("source", ["x = a" + ".b" * 10_000, "x = 1\n" * 10_000])
def test_code_that_no_person_wrote_is_not_coloured(source: str) -> None:
    cells = [new_code_cell(source), new_code_cell("x = 1")]
    made = clean(new_notebook(cells=cells), 2**20, 2**20, 20)
    assert [cell.metadata.get("magics_language") for cell in made.cells] == ["text", None]


def test_what_is_shown_without_a_look_is_text_alone() -> None:
    evil = "<script>alert(1)</script>\n\n[a](javascript:alert(2))"
    printed = {"output_type": "stream", "name": "stdout", "text": "hours of work"}
    cells = [new_markdown_cell(evil), new_raw_cell(evil), new_code_cell("x", outputs=[printed])]
    made = bare(new_notebook(cells=cells, metadata={"autograder": {"notes": ["n"]}, "x": evil}))
    for cell in made.cells[:2]:
        assert "<script" not in cell.source
        assert "[a]" not in cell.source
        assert "\n\n" not in cell.source
    assert "hours of work" not in str(made.cells[2].outputs)
    assert "autograder" not in made.metadata
    assert "x" not in made.metadata


@pytest.mark.parametrize(
    ("sources", "marked", "lexer"),
    [
        (["x = 1" + " \n" * 6_000 + "x", "y = 2"], ["text", None], "ipython3"),
        (["%%perl\n" + "x = 1\n" * 10_000, "y = 2"], ["text", None], "text"),
        (["%%perl\nprint 1", "y = 2"], [None, None], "ipython3"),
        (["x = 1\n" * 500], [None], "ipython3"),
    ],
)
def test_code_whose_colours_take_long_has_none(
    sources: list[str], marked: list[str | None], lexer: str
) -> None:
    cells = list(map(new_code_cell, sources))
    made = clean(new_notebook(cells=cells), 2**20, 2**20, 20)
    assert [cell.metadata.get("magics_language") for cell in made.cells] == marked
    # nbconvert gives other languages' magics their own colours, whatever a cell is marked with;
    # not so where the notebook as a whole is in no language.
    assert made.metadata.language_info["pygments_lexer"] == lexer


def test_the_time_for_colours_is_bounded_for_all_cells_together() -> None:
    cells = [new_code_cell("x" + "\n \n" * 330 + "x") for _ in range(400)]
    made = clean(new_notebook(cells=cells), 2**20, 2**20, 1)
    assert made.cells[0].metadata.get("magics_language") is None
    assert made.cells[-1].metadata["magics_language"] == "text"


def test_outputs_and_colours_are_few_in_all() -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["\x1b[31mx"] * 1_500}
    cells = [new_code_cell("x") for _ in range(20)]
    for cell in cells:
        cell.outputs = [
            *({"output_type": "stream", "name": "stdout", "text": "x"} for _ in range(500)),
            error,
        ]
    made = clean(new_notebook(cells=cells), 2**20, 10 * 2**20, 20)
    assert sum(len(cell.outputs) for cell in made.cells) < 2_100
    assert [cell.outputs[-1].output_type for cell in made.cells] == ["error"] * 20
    assert sum(str(cell.outputs).count("[31m") for cell in made.cells) <= 20_000
