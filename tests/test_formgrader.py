"""An instructor's round in the formgrader: a real server, a real browser, each button pressed."""

import csv
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Browser, Page, expect

from autograder.commands.workspace import Workspace
from tests.test_by_hand import cell, with_questions

pytestmark = [pytest.mark.kernel, pytest.mark.browser]

Solution = Callable[[str], NotebookNode]
TOKEN = "of-this-test"


@pytest.fixture
def course(tmp_path: Path, solution: Solution) -> Workspace:
    """A course folder with nothing released yet: ann made two mistakes, cyd's file is broken."""
    workspace = Workspace.make(tmp_path / "course", [])
    source = workspace.notebook("source", "parameters")
    source.parent.mkdir(parents=True)
    nbformat.write(with_questions(solution("parameters")), source)
    nb = with_questions(solution("parameters"))
    cell(nb, "why").source = "Because it is so."
    linear = cell(nb, "MyLinear")
    linear.source = linear.source.replace("y + self.bias", "y - self.bias")
    cell(nb, "MLP").source = "MLP = None"
    workspace.submit("ann", "parameters", nb)
    workspace.submit("cyd", "parameters", nb).write_text("{")
    roster = workspace.folder / "roster.csv"
    roster.write_text("id,first_name,last_name\nann,Ann,Arbor\n")
    return workspace


@pytest.fixture
def server(course: Workspace, tmp_path: Path) -> Iterator[str]:
    """The address of a Jupyter server in the course's folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {name: str(tmp_path / name) for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")}
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.root_dir": course.folder,
        "IdentityProvider.token": TOKEN,
    }
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(
        [*command, *(f"--{name}={value}" for name, value in options.items())],
        cwd=course.folder,
        env={**os.environ, **{f"JUPYTER_{name}": path for name, path in folders.items()}},
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/api")
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            time.sleep(0.25)
    yield address
    process.terminate()
    process.wait(30)
    log.close()


@pytest.fixture
def page(server: str, browser: Browser) -> Iterator[Page]:
    """A page that has been let in."""
    page = browser.new_page(viewport={"width": 1300, "height": 1000}, base_url=server)
    page.set_default_timeout(120_000)
    page.goto(f"/formgrader/manage_assignments?token={TOKEN}")
    yield page
    page.close()


def press(page: Page, button: str) -> str:
    """Press a button of a table, and return what the dialog says that comes then."""
    page.locator(f"{button} a").first.click()
    dialog = page.locator(".modal.in")
    dialog.wait_for()
    text = dialog.inner_text()
    page.evaluate("$('.modal').modal('hide')")
    page.locator(".modal-backdrop").wait_for(state="detached")
    return text


def graded(page: Page, student: str) -> str:
    """Autograde a student's work, and return what the dialog says."""
    page.goto("/formgrader/manage_submissions/parameters")
    return press(page, f"tr:has(.student-id:text-is('{student}')) .autograde")


def assert_is_no_zero(page: Page, student: str) -> None:
    """nbgrader writes 0 for what has no score: it is marked, and a click away is said why."""
    page.goto(f"/formgrader/manage_students/{student}/parameters")
    row = page.locator("tr:has-text('0 / 110')")
    expect(row.locator(".needs-manual-grade .glyphicon-ok")).to_be_visible()
    expect(row.locator(".tests-failed .glyphicon-ok")).to_have_count(0)
    row.locator("a").first.click()
    why = "This could not be graded: the file parameters.ipynb is cut off"
    expect(page.locator(".ag-note").first).to_contain_text(why)
    expect(page.locator("#test_MLP")).to_have_value("")
    expect(page.get_by_text("not graded yet")).to_have_count(5)


def test_from_the_release_to_the_export(page: Page, course: Workspace) -> None:
    said = press(page, "tr:has-text('parameters') .assign")
    assert "Success" in said
    assert "[DEBUG]" not in said
    assert "[INFO] Converting" not in said
    assert course.notebook("release", "parameters").exists()
    course.nbgrader("db", "student", "import", "roster.csv")

    said = graded(page, "ann")
    assert "ann: 70 of 100 points" in said
    assert "-5 MyLinear: Your `forward` subtracts the bias; it is added." in said
    assert "`why`: to be graded by hand" in said
    assert "[DEBUG]" not in said
    expect(page.locator("tr:has-text('Arbor, Ann') .score")).to_have_text("70 / 110")
    said = graded(page, "cyd")
    assert "Could not be graded: cyd: the file `parameters.ipynb` is cut off" in said
    expect(page.locator("tr:has-text('cyd') .status")).to_have_text("needs manual grading")
    assert_is_no_zero(page, "cyd")

    page.goto("/formgrader/gradebook/parameters/parameters")
    page.locator("tr:has-text('70 / 110') a").first.click()
    expect(page.locator("#MyLinear-comment")).to_have_attribute(
        "placeholder", "Your `forward` subtracts the bias; it is added."
    )
    expect(page.locator("table:has-text('What was checked')").first).to_be_visible()
    scheme = page.locator("details:has-text('How to grade this')").first
    expect(scheme.get_by_text("Because of the chain rule.")).to_be_hidden()
    scheme.locator("summary").click()
    expect(scheme.get_by_text("Because of the chain rule.")).to_be_visible()
    for field, value in (("#test_MLP", "12"), ("#why", "5"), ("#why-comment", "Nearly.")):
        with page.expect_response(lambda response: response.request.method == "PUT"):
            page.locator(field).fill(value)
            page.locator(field).blur()

    said = graded(page, "ann")
    assert "`test_MLP`: 12 points, given by a person" in said
    assert "`why`: 5 points, given by a person" in said
    expect(page.locator("tr:has-text('Arbor, Ann') .score")).to_have_text("87 / 110")

    said = press(page, "tr:has(.student-id:text-is('ann')) .generate-feedback")
    assert "Success" in said
    feedback = course.notebook("feedback", "parameters", "ann").with_suffix(".html").read_text()
    assert "Nearly." in feedback
    assert "How to grade this" not in feedback

    course.nbgrader("export")
    with (course.folder / "grades.csv").open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert (rows["ann"]["verdict"], rows["ann"]["score"]) == ("to be graded by hand", "")
    assert (rows["cyd"]["verdict"], rows["cyd"]["score"]) == ("could not be graded", "")
    assert (rows["ann"]["last_name"], rows["ann"]["first_name"]) == ("Arbor", "Ann")
