"""The student's round in a real JupyterLab: fetch, work, check, validate, submit, feedback."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from autograder.commands.workspace import Workspace
from autograder.submission.cells import cell_of
from tests.exchange import Exchange
from tests.lab import lab

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

Notebook = nbformat.NotebookNode
A = "parameters"
#: The machine may have other things to do.
SECONDS = 120
TASKS = ("MyLinear", "parameter_names", "count_parameters", "Standardize", "MLP")
#: Makes a cell the active one, in view.
GO_TO = """id => {
    const notebook = jupyterapp.shell.currentWidget.content;
    const place = notebook.widgets.findIndex(cell => cell.model.id === id);
    notebook.activeCellIndex = place;
    return notebook.scrollToItem(place);
}"""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A course with an exchange that is watched."""
    course = Workspace.make(tmp_path / "course", [A])
    exchange = Exchange(tmp_path, course, A)
    with (tmp_path / "watch").open("w") as log:
        command = [sys.executable, "-m", "autograder", "watch"]
        watch = subprocess.Popen(command, cwd=course.folder, stdout=log, stderr=log)
        yield exchange
        watch.terminate()
        watch.wait()


@pytest.fixture
def page(exchange: Exchange, browser: Browser) -> Iterator[Page]:
    """JupyterLab in the home of a student who has nothing yet."""
    home = exchange.home("ann")
    command = [sys.executable, "-m", "autograder", "student", str(home)]
    subprocess.run(command, cwd=exchange.course.folder, check=True)
    shutil.rmtree(home / A)
    with lab(home) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 900}, base_url=address)
        page.set_default_timeout(SECONDS * 1000)
        yield page
        page.close()


def test_from_fetching_to_feedback(
    page: Page, exchange: Exchange, solution: Callable[[str], Notebook], tmp_path: Path
) -> None:
    expect.set_options(timeout=SECONDS * 1000)
    stations = iter(range(1, 100))

    def picture(name: str) -> None:
        page.screenshot(path=tmp_path / f"{next(stations)}-{name}.png")

    # Fetch.
    page.goto("/lab?reset")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Assignment List").click()
    page.get_by_role("button", name="Fetch", exact=True).click()
    page.get_by_role("button", name="Submit", exact=True).wait_for()
    picture("fetched")

    # Work: what only draws is folded, and a click opens it.
    page.goto(f"/lab/tree/{A}/{A}.ipynb?reset")
    page.get_by_role("heading", name="Parameters: what a module knows").wait_for()
    page.wait_for_function("jupyterapp.shell.currentWidget?.context?.sessionContext.isReady")
    page.evaluate(GO_TO, "tree-picture")
    placeholder = page.locator(".jp-mod-active .jp-Placeholder-content").first
    assert "tree = [" in placeholder.inner_text()
    picture("folded")
    placeholder.click()
    page.locator(".jp-mod-active .cm-content", has_text="legend = [").wait_for()

    nb = solution(A)
    for task in TASKS:
        source = cell_of(nb, task).source
        write(page, f"{task}", nb, source.replace("torch.relu(layer(x))", "layer(x)"))
    picture("written")

    # Check: the last cell lists all checks.
    run_all(page, "4 of 5 visible checks pass.")
    picture("checked")
    assert "MLP                fails: the network is linear" in listed(page)
    write(page, "MLP", nb, cell_of(nb, "MLP").source)
    run_all(page, "5 of 5 visible checks pass.")

    # Validate.
    page.get_by_role("button", name="Validate").click()
    page.get_by_text("Success! Your notebook passes all the tests.").wait_for()
    picture("validated")
    page.get_by_role("button", name="Ok", exact=True).click()

    # Submit; the feedback comes by itself.
    page.goto("/lab?reset")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Assignment List").click()
    page.get_by_role("button", name="Submit", exact=True).click()
    page.locator("#submitted_assignments_list").get_by_text(A).first.wait_for()
    picture("submitted")
    inbound = exchange.root / "pytorch-autograd" / "feedback"
    for _ in range(SECONDS):
        if list(inbound.glob("*.html")):
            break
        page.wait_for_timeout(1000)
    page.locator("#refresh_assignments_list").click()
    page.get_by_role("button", name="Fetch Feedback").click()
    page.get_by_text("view feedback").first.wait_for()
    picture("feedback fetched")
    (path,) = (exchange.home("ann") / A / "feedback").rglob(f"{A}.html")
    page.goto(path.as_uri())
    assert page.get_by_text("All of it is right.").is_visible()
    picture("feedback")


def write(page: Page, task: str, nb: Notebook, source: str) -> None:
    """Write into the cell of a task, with the keyboard, in the place of what is there."""
    page.evaluate(GO_TO, cell_of(nb, task).id)
    editor = page.locator(".jp-mod-active .cm-content")
    editor.click()
    expect(editor).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(source)
    page.wait_for_function(
        "source => jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.source"
        " === source",
        arg=source,
    )


def run_all(page: Page, until: str) -> None:
    """Run all cells, look at the last one, and save."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        f"until => ({OUTPUT})().includes(until)",
        arg=until,
    )
    page.evaluate(GO_TO, "picture-checks")
    page.keyboard.press("Control+s")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")


#: What the last cell has printed.
OUTPUT = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    const outputs = notebook.widgets[notebook.widgets.length - 1].model.outputs;
    return outputs.length ? outputs.get(0).toJSON().text?.toString() ?? '' : '';
}"""


def listed(page: Page) -> str:
    text: str = page.evaluate(OUTPUT)
    return text
