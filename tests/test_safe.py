"""What a submission shows is safe to open, and still shows what it should."""

import base64

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from autograder.pipeline.safe import bare, clean, clean_html, clean_markdown, clean_output

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
    assert made.metadata["autograder"] == {"notes": ["n"]}
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
