"""The feedback page, opened in a real browser: safe, readable, and it says what cost points."""

import shutil
from collections.abc import Callable, Iterator

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from playwright.sync_api import Browser, Page, sync_playwright

from autograder.commands.workspace import Workspace

pytestmark = pytest.mark.kernel

Notebook = nbformat.NotebookNode

HOSTILE = """\
from IPython.display import HTML, SVG, Javascript, Markdown, display

display(HTML("<script>document.title = 'hacked'</script><b>bold stays</b>"))
display(HTML("<img src=x onerror=\\"document.title = 'hacked'\\">"))
display(HTML("<style>* {display: none !important}</style>"))
display(HTML("<img src='https://example.org/pixel.png'>"))
display(Javascript("document.title = 'hacked'"))
display(Markdown("[link](javascript:alert(1)) <script>alert(2)</script>"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' onload=\\"alert(3)\\"><circle r='9'/></svg>"))
print("<script>alert(4)</script>")
raise ValueError("<script>alert(5)</script>")
"""
PROSE = """\
My notes: *emphasis*, `a < b` and $x^2$ <script>alert(6)</script>
<img src=x onerror=alert(7)> [link](javascript:alert(8)) ![](https://example.org/pixel.png)
"""


@pytest.fixture(scope="module")
def course(
    tmp_path_factory: pytest.TempPathFactory, solution: Callable[[str], Notebook]
) -> Workspace:
    """A course folder with feedback for a wrong and hostile submission and a perfect one."""
    workspace = Workspace.make(tmp_path_factory.mktemp("feedback"), ["parameters"])
    workspace.submit("perfect", "parameters", solution("parameters"))
    nb = solution("parameters")
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "MyLinear":
            cell.source = cell.source.replace("y + self.bias", "y - self.bias")
    nb.cells.insert(4, new_code_cell(HOSTILE))
    nb.cells.insert(4, new_markdown_cell(PROSE))
    nb.cells = [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "setup"]
    workspace.submit("wrong", "parameters", nb)
    workspace.nbgrader("autograde", "parameters")
    workspace.nbgrader("generate_feedback", "parameters")
    return workspace


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of the system's."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no Chromium is installed: see `make browser`"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that notes dialogs and requests to anywhere but the disk."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.noted = []  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: (page.noted.append(dialog.message), dialog.dismiss()))  # type: ignore[attr-defined]

    def answer(route: object) -> None:
        url = route.request.url  # type: ignore[attr-defined]
        if not url.startswith(("file:", "data:")):
            page.noted.append(url)  # type: ignore[attr-defined]
            route.abort()  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route("**/*", answer)
    yield page
    page.close()


def open_feedback(page: Page, course: Workspace, student: str) -> None:
    path = course.folder / "feedback" / student / "parameters" / "parameters.html"
    page.goto(path.as_uri(), wait_until="load")


def test_nothing_of_a_submission_runs_in_the_page(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "wrong")
    page.wait_for_timeout(500)
    assert page.title() == "parameters"
    # nbgrader's own template loads MathJax and RequireJS; nothing else may be asked for.
    asked = [url for url in page.noted if "mathjax" not in url.lower() and "require" not in url]  # type: ignore[attr-defined]
    assert asked == []
    assert page.locator("b:has-text('bold stays')").is_visible()
    assert page.locator("em:has-text('emphasis')").is_visible()
    assert page.locator("img[alt=figure]").count() == 1


def test_the_summary_says_what_cost_points(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "wrong")
    summary = page.locator("table").first
    assert summary.is_visible()
    text = summary.inner_text()
    assert "MyLinear" in text
    assert "25 / 30" in text
    assert "subtracts the bias" in text
    assert page.locator("li:has-text('The cell setup was missing')").is_visible()
    summary.locator("a").first.click()
    assert page.url.endswith("#test_MyLinear")


def test_the_report_of_a_grade_cell(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "wrong")
    row = page.locator("tr:has(details)").first
    assert "✗" in row.inner_text()
    assert "0 / 5" in row.inner_text()
    example = row.locator("details pre")
    assert not example.is_visible()
    row.locator("summary").click()
    assert example.is_visible()
    assert "layer = MyLinear(" in example.inner_text()


def test_the_page_fits_and_is_readable(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "wrong")
    for table in page.locator("table:has-text('What was checked')").all():
        box = table.bounding_box()
        assert box is not None
        assert 300 < box["width"] <= 1200
    page.set_viewport_size({"width": 500, "height": 900})
    box = page.locator("table:has-text('What was checked')").first.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 520


def test_a_perfect_submission_has_no_complaint(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "perfect")
    assert page.locator("text=What happened").count() == 0
    assert "Score: 100" in page.locator("h4").first.inner_text()
