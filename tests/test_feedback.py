"""The feedback page, opened in a real browser: safe, readable, and it says what stands and why."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_markdown_cell
from playwright.sync_api import Browser, Page

from autograder.commands.workspace import Workspace
from autograder.grading import report
from autograder.language import Text
from autograder.pipeline.page import STYLE
from autograder.submission.cells import cell_of

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
DYING = """\
import os, signal

os.kill(os.getpid(), signal.SIGKILL)
"""
SHOWN = """\
import matplotlib.pyplot as plt
from IPython.display import HTML, display

display(HTML("<table><tr><th></th><th>a</th></tr><tr><th>0</th><td>1</td></tr></table>"))
plt.plot([1, 3, 2])
plt.show()
print("\\x1b[38;5;226mpale\\x1b[0m \\x1b[33;47myellow on white\\x1b[0m", "x" * 500)
for i in range(100):
    print(i)
1 / 0  # a line that is far longer than any page is wide, so that one has to scroll: {}
""".replace("{}", "x" * 200)
PROSE = """\
### My notes

*emphasis*, `a < b` and $x^2$ <script>alert(6)</script>
<img src=x onerror=alert(7)> [link](javascript:alert(8)) ![](https://example.org/pixel.png)

| a | b |
|---|---|
| 1 | 2 |

#

$$
\\frac{\\partial L}{\\partial x} = \\frac{1}{\\sqrt{\\sigma^2 + \\varepsilon}}
\\left( h - \\overline{h} - n \\cdot \\overline{h \\cdot n} \\right)
$$
"""
STUDENTS = ("perfect", "wrong", "dead", "unreadable", "overruled")


@pytest.fixture(scope="module")
def course(
    tmp_path_factory: pytest.TempPathFactory, solution: Callable[[str], Notebook]
) -> Workspace:
    """A course folder with feedback for each kind of submission; a person overruled one later."""
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
    workspace.submit("overruled", "parameters", nb)
    nb = solution("parameters")
    cell_of(nb, "picture_tree").source = "tree = 'mine'"
    cell_of(nb, "picture_tree").metadata.pop("jupyter")
    nb.cells[4:4] = [new_code_cell(DYING), new_code_cell(SHOWN)]
    workspace.submit("dead", "parameters", nb)
    workspace.submit("unreadable", "parameters", nb).write_text("no notebook")
    workspace.nbgrader("autograde", "parameters", check=False)
    workspace.nbgrader("generate_feedback", "parameters")
    return workspace


@pytest.fixture(scope="module")
def renewed(course: Workspace) -> dict[str, bool]:
    """By student, whether the second plain run of nbgrader made a page anew."""

    def times() -> dict[str, int]:
        return {student: page_of(course, student).stat().st_mtime_ns for student in STUDENTS}

    before = times()
    with course.gradebook() as gradebook:
        where = "parameters", "parameters", "overruled"
        gradebook.find_grade("test_MyLinear", *where).manual_score = 28.5
        gradebook.find_grade("test_MLP", *where).extra_credit = 2
        comment = gradebook.find_comment("MyLinear", *where)
        comment.manual_comment = "Nearly: **mind the sign** of $b$. <script>alert(9)</script>"
        gradebook.db.commit()
    course.nbgrader("generate_feedback", "parameters")
    return {student: after != before[student] for student, after in times().items()}


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


def page_of(course: Workspace, student: str) -> Path:
    return course.folder / "feedback" / student / "parameters" / "parameters.html"


def open_feedback(page: Page, course: Workspace, student: str) -> None:
    page.goto(page_of(course, student).as_uri(), wait_until="load")


def test_nothing_of_a_submission_runs_in_the_page(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "wrong")
    page.wait_for_timeout(500)
    assert page.title() == "Feedback: parameters"
    assert page.noted == []  # type: ignore[attr-defined]
    assert page.locator("script").count() == 0
    assert page.locator("b:has-text('bold stays')").is_visible()
    assert page.locator("em:has-text('emphasis')").is_visible()
    assert page.locator("img[alt=figure]").count() == 1


def test_mathematics_needs_no_network(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "wrong")
    assert page.locator("p > math msup", has_text="x").first.is_visible()
    assert page.locator("math[display=block] mfrac").first.is_visible()
    assert "$" not in page.locator(".prose").all_inner_texts()


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
    assert page.locator("h1 + p").inner_text() == "100 of 100 points"


def test_a_dead_kernel_is_told_with_its_cell_and_what_it_cost(
    page: Page, course: Workspace
) -> None:
    open_feedback(page, course, "dead")
    assert page.locator("h1 + p").inner_text() == "100 of 100 points"
    note = page.locator(".ag-note li").first.inner_text()
    assert note.startswith(
        "In your cell that begins import os, signal: KernelDied: The kernel died"
    )
    assert note.endswith("It cost no points.")


def test_a_picture_that_was_opened_and_changed_is_put_back_folded(
    page: Page, course: Workspace
) -> None:
    open_feedback(page, course, "dead")
    assert "mine" not in page.locator("main").inner_text()
    folded = page.locator("details", has_text="Given code").filter(has_text="tree = [")
    code = folded.locator("pre")
    assert not code.is_visible()
    folded.locator("summary").click()
    assert code.is_visible()


def test_what_could_not_be_graded_is_no_zero(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "unreadable")
    head = page.locator("header").inner_text()
    assert "Not graded yet. That costs you nothing" in head
    assert head.count("not graded yet") == 5
    assert head.count("is not JSON") == 1
    assert " 0 " not in head
    assert "not graded yet" in page.locator("#test_MLP .heading").inner_text()


def test_a_person_has_the_last_word(
    page: Page, course: Workspace, renewed: dict[str, bool]
) -> None:
    assert renewed == {student: student == "overruled" for student in STUDENTS}
    open_feedback(page, course, "overruled")
    assert page.locator("h1 + p").inner_text() == "100.5 of 100 points"
    row = page.locator("header tr", has_text="MyLinear").inner_text()
    assert "28.5 / 30" in row
    assert "A person decided: 28.5 of 30. The checks alone came to 25." in row
    page.set_viewport_size({"width": 400, "height": 900})
    boxes = [reason.bounding_box() for reason in page.locator("header td > div").all()[:2]]
    first, second = (box for box in boxes if box is not None)
    assert second["y"] >= first["y"] + first["height"] + 4, "reasons look like one paragraph"
    report = page.locator("#test_MyLinear")
    assert "28.5 of 30 points, decided by a person" in report.locator(".heading").inner_text()
    assert "Sum of the checks" in report.inner_text()
    assert "30 / 30" not in report.inner_text()
    page.locator("header a[href='#comment-MyLinear']").click()
    comment = page.locator("#comment-MyLinear")
    assert comment.locator("strong", has_text="mind the sign").is_visible()
    assert comment.locator("math").is_visible()
    assert page.noted == []  # type: ignore[attr-defined]


def test_only_persons_comment(course: Workspace) -> None:
    """nbgrader would write `No response.` where an answer was not begun."""
    with course.gradebook() as gradebook:
        book = gradebook.find_submission_notebook("parameters", "parameters", "unreadable")
        assert len(book.comments) == 5
        assert {each.comment for each in book.comments} == {None}


@pytest.mark.parametrize("zoom", [1, 2])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("student", STUDENTS)
def test_everybody_can_read_it(
    browser: Browser,
    course: Workspace,
    renewed: dict[str, bool],
    student: str,
    scheme: Literal["light", "dark"],
    zoom: int,
) -> None:
    assert_everybody_can_read(browser, page_of(course, student), scheme, zoom)


@pytest.mark.parametrize("zoom", [1, 2])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_a_page_without_results(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"], zoom: int
) -> None:
    says = Text("It is graded `later`, <b>at {time}</b>.", time="00:00")
    path = tmp_path / "waiting.html"
    path.write_text(report.waiting("parameters", says, STYLE))
    assert_everybody_can_read(browser, path, scheme, zoom)
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.title() == "Not graded yet: parameters"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main").inner_text().split("\n\n") == [
        *("parameters", "Not graded yet", "It is graded later, <b>at 00:00</b>."),
    ]
    page.close()


def assert_everybody_can_read(
    browser: Browser, path: Path, scheme: Literal["light", "dark"], zoom: int
) -> None:
    """axe finds nothing, and no page is wider than its window."""
    context = browser.new_context(
        viewport={"width": 1280 // zoom, "height": 900 // zoom},
        device_scale_factor=zoom,
        color_scheme=scheme,
    )
    page = context.new_page()
    page.goto(path.as_uri())
    for details in page.locator("details").all():
        details.evaluate("it => { it.open = true }")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280 // zoom
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


def test_axe_would_find_something(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "dead")
    page.add_style_tag(content=":root { --remark: #999999 }")
    page.locator("html").evaluate("it => it.removeAttribute('lang')")
    rules = {each["id"] for each in Axe().run(page).response["violations"]}
    assert {"color-contrast", "html-has-lang"} <= rules


def test_a_keyboard_reaches_what_scrolls(page: Page, course: Workspace) -> None:
    open_feedback(page, course, "dead")
    code = page.locator("pre", has_text="far longer than any page").first
    assert code.get_attribute("role") == "group"
    assert (code.get_attribute("aria-label") or "").startswith("Code of cell ")
    code.focus()
    before = code.evaluate("it => it.scrollLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.activeElement.scrollLeft > before", arg=before)
