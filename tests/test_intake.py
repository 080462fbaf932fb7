"""What of a submission's folder is taken, and that no link is followed, whenever it appears."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.submission import intake
from autograder.submission.intake import MAX_NOTES, Intake, Taken, students
from autograder.submission.limits import IntakeLimits

LIMITS = IntakeLimits()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `ann` handed in for `a`: an empty notebook."""
    made = tmp_path / "submitted" / "ann" / "a"
    made.mkdir(parents=True)
    (made / "a.ipynb").write_text("{}")
    return made


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Callable[[], Taken]]:
    """Takes it in."""
    made = Intake(tmp_path / "submitted", "a", [".ipynb_checkpoints", "*.pyc"])
    yield lambda: made.take("ann")
    made.close()


def copied(taken: Taken) -> list[str]:
    """All files that nbgrader sees."""
    folder = taken.notebook.parent
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refused(taken: Taken) -> dict[str, str]:
    """Why single files were not used, by their names."""
    found = (
        str(note).removeprefix("The file `").split("` was not used: it is ") for note in taken.notes
    )
    return {parts[0]: parts[1].rstrip(".") for parts in found if len(parts) == 2}


def test_what_is_handed_in_is_copied_and_left_as_it_was(
    folder: Path, take: Callable[[], Taken]
) -> None:
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "Übung [1].txt").write_text("text")
    (folder / "run.sh").write_text("")
    (folder / "run.sh").chmod(0o755)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x.txt").write_text("")
    (folder / "timestamp.txt").write_text("2026-01-02 03:04:05.000006 UTC\n")
    before = sorted(map(str, folder.rglob("*")))
    taken = take()
    assert (taken.ungraded, taken.notes) == ("", ())
    assert copied(taken) == ["a.ipynb", "data/deep/Übung [1].txt", "run.sh", "timestamp.txt"]
    assert os.access(taken.notebook.with_name("run.sh"), os.X_OK)
    assert sorted(map(str, folder.rglob("*"))) == before


@pytest.mark.parametrize("name", ["x.txt", ".x.ipynb", "a[b]/x.txt", "b.ipynb", "sub/.b.ipynb"])
def test_nothing_but_plain_files_is_taken_under_any_name(
    folder: Path, take: Callable[[], Taken], tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    here = os.open(path.parent, os.O_RDONLY)

    def listen(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/{path.name}")

    kinds: dict[str, Callable[[Path], object]] = {
        "a symbolic link": lambda path: path.symlink_to(secret),
        "a hard link": lambda path: os.link(secret, path),
        "no regular file": os.mkfifo,
        "no regular file ": listen,
        "a symbolic link ": lambda path: path.symlink_to("/dev/zero"),
        "a symbolic link  ": lambda path: path.symlink_to(tmp_path),
    }
    for why, make in kinds.items():
        make(path)
        taken = take()
        assert refused(taken) == {name: why.strip()}
        assert copied(taken) == ["a.ipynb"]
        path.unlink()
    os.close(here)


@pytest.mark.parametrize("part", ["submitted/ann", "submitted/ann/a"])
def test_a_linked_folder_is_not_taken(
    folder: Path, take: Callable[[], Taken], tmp_path: Path, part: str
) -> None:
    (tmp_path / part).rename(tmp_path / "elsewhere")
    (tmp_path / part).symlink_to(tmp_path / "elsewhere")
    why = "its folder is a symbolic link, which is not followed"
    assert Intake(tmp_path / "submitted", "a").why_not("ann") == why
    taken = take()
    assert (taken.ungraded, taken.notebook.read_text()) == (why, "")


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_a_file_that_is_swapped_for_a_link_is_never_followed(
    folder: Path, take: Callable[[], Taken], tmp_path: Path, kind: str
) -> None:
    secret, own, other = tmp_path / "secret", folder / "x.txt", tmp_path / "other"
    secret.write_text("secret")
    own.write_text("own")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            getattr(other, kind)(secret)
            other.replace(own)
            other.write_text("own")
            other.replace(own)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        read = set()
        for _ in range(300):
            copy = take().notebook.with_name("x.txt")
            read.add(copy.read_text() if copy.exists() else "")
    finally:
        stop.set()
        thread.join()
    assert "secret" not in read


def test_a_link_put_in_place_between_look_and_opening_is_not_followed(
    folder: Path, take: Callable[[], Taken], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "x.txt").write_text("own")
    check = intake._check

    def swapping(*arguments: object) -> None:
        check(*arguments)  # type: ignore[arg-type]
        (folder / "x.txt").unlink(missing_ok=True)
        (folder / "x.txt").symlink_to(tmp_path / "secret")

    monkeypatch.setattr(intake, "_check", swapping)
    taken = take()
    assert not taken.notebook.with_name("x.txt").exists()
    assert "x.txt" in refused(taken)


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    folder: Path, take: Callable[[], Taken], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.read

    def growing(descriptor: int, count: int) -> bytes:
        with (folder / "a.ipynb").open("a") as file:
            file.write("more")
        return read(descriptor, count)

    monkeypatch.setattr(os, "read", growing)
    taken = take()
    assert taken.ungraded == "the file `a.ipynb` is a file that changed while it was read"
    assert taken.notebook.read_text() == ""


def test_a_file_that_vanishes_is_not_taken(
    folder: Path, take: Callable[[], Taken], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "x.txt").write_text("")
    names = intake._names

    def vanishing(descriptor: int, most: int) -> list[str]:
        found = names(descriptor, most)
        (folder / "x.txt").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(intake, "_names", vanishing)
    assert refused(take()) == {"x.txt": "gone"}


def test_odd_names_are_refused_and_written_out(folder: Path, take: Callable[[], Taken]) -> None:
    names = [b"a\xff", b"b\x1b[31m", b"c\nd", "e\u202e".encode()]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_text("")
    (folder / "Bild 1\u202fPM.png").write_text("")
    assert list(refused(take())) == ["a\\udcff", "b\\x1b[31m", "c\\nd", "e\\u202e"]
    assert "Bild 1\u202fPM.png" in copied(take())


def test_the_nearest_files_are_taken_until_there_are_too_many(
    folder: Path, take: Callable[[], Taken]
) -> None:
    (folder / "many").mkdir()
    for number in range(LIMITS.files + 100):
        (folder / "many" / f"{number:04}.txt").touch()
    (folder / "z.py").touch()
    taken = take()
    assert len(copied(taken)) == LIMITS.files  # the notebook, and all but the folder itself
    assert "z.py" in copied(taken)
    assert taken.notes == (
        f"There are more than {LIMITS.files} files and folders beside the notebook; those beyond"
        " were not used.",
    )


def test_a_folder_of_too_many_entries_is_not_looked_through(folder: Path, tmp_path: Path) -> None:
    (folder / "many").mkdir()
    for number in range(11):
        (folder / "many" / str(number)).touch()
    (folder / "z.py").touch()
    made = Intake(tmp_path / "submitted", "a", limits=IntakeLimits(entries=10))
    taken = made.take("ann")
    assert copied(taken) == ["a.ipynb", "z.py"]
    assert refused(taken) == {"many": "a folder of more than 10 files"}
    made.close()


def test_what_does_not_fit_is_left_out_and_the_rest_is_taken(
    folder: Path, take: Callable[[], Taken]
) -> None:
    for name, size in (("a", LIMITS.folder_bytes - 10), ("b", 20), ("c", 10), ("d", 10**12)):
        with (folder / name).open("wb") as file:
            file.truncate(size)
    taken = take()
    assert copied(taken) == ["a", "a.ipynb", "c"]
    assert refused(taken) == {
        "b": "more than the 50 MiB that may lie beside a notebook",
        "d": "larger than 50 MiB",
    }


def test_deep_folders_end_somewhere(folder: Path, take: Callable[[], Taken]) -> None:
    here = os.getcwd()
    os.chdir(folder)
    for _ in range(1100):
        os.mkdir("d")
        os.chdir("d")
        Path("x").touch()
    os.chdir(here)
    taken = take()
    subprocess.run(["rm", "-r", folder / "d"], check=True)  # Python's own way is not that deep
    assert len(copied(taken)) == 1 + LIMITS.depth
    assert list(refused(taken).values()) == [f"deeper than {LIMITS.depth} folders"]


def test_notes_are_few(folder: Path, take: Callable[[], Taken]) -> None:
    for number in range(MAX_NOTES + 5):
        (folder / f"{number}").symlink_to("x")
    notes = take().notes
    assert len(notes) == MAX_NOTES + 1
    assert notes[-1] == "5 more files were not used, for such reasons."


@pytest.mark.parametrize(
    "stamp",
    [
        b"the day before yesterday",
        b"\xff\xfe",
        b"",
        b"9" * 2000,
        b"2026-01-01 10:00 /etc/localtime",
        b"2026-01-01 10:00 ../../etc/localtime",
        b"0001-01-01 00:00:00 +2300",
        b"2026-01-01 \x1b[31m",
    ],
)
def test_a_broken_time_stamp_is_not_taken(
    folder: Path, take: Callable[[], Taken], stamp: bytes
) -> None:
    (folder / "timestamp.txt").write_bytes(stamp)
    (folder / "timestamp.txt.refused").mkdir()
    taken = take()
    assert copied(taken) == ["a.ipynb"]
    assert list(refused(taken)) == ["timestamp.txt"]
    assert (folder / "timestamp.txt").read_bytes() == stamp


@pytest.mark.parametrize(
    "stamp", ["2015-02-02 15:58:23.948203 America/Los_Angeles", "2026-01-02T03:04:05+01:00"]
)
def test_a_time_stamp_is_taken_as_it_is(
    folder: Path, take: Callable[[], Taken], stamp: str
) -> None:
    (folder / "timestamp.txt").write_text(stamp)
    assert take().notebook.with_name("timestamp.txt").read_text() == stamp


def test_other_notebooks_reach_the_kernel_alone(folder: Path, take: Callable[[], Taken]) -> None:
    (folder / "sub").mkdir()
    for name in ("other.ipynb", "sub/.hidden.ipynb", "helper.py"):
        (folder / name).write_text(name)
    made = Intake(folder.parents[1], "a")
    taken = made.take("ann")
    assert copied(taken) == ["a.ipynb", "helper.py"]
    graded = folder.parent / "graded"
    graded.mkdir()
    (graded / "a.ipynb").write_text("graded")
    (graded / "helper.py").write_text("the instructor's")
    there = made.for_kernel(graded)
    names = sorted(str(path.relative_to(there)) for path in there.rglob("*") if path.is_file())
    assert names == ["a.ipynb", "helper.py", "other.ipynb", "sub/.hidden.ipynb"]
    assert (there / "helper.py").read_text() == "the instructor's"
    made.close()
    assert not there.exists()


def test_without_other_notebooks_the_kernel_gets_the_graded_folder(
    folder: Path, tmp_path: Path
) -> None:
    made = Intake(tmp_path / "submitted", "a")
    made.take("ann")
    assert made.for_kernel(tmp_path) == tmp_path
    made.close()


def test_nothing_stands_where_the_instructors_files_go(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("data", "helper.py", "same.py"):
        (folder / name).mkdir() if name == "helper.py" else (folder / name).touch()
        source.mkdir(exist_ok=True)
        (source / name).mkdir() if name == "data" else (source / name).touch()
    made = Intake(tmp_path / "submitted", "a", source=source)
    taken = made.take("ann")
    assert copied(taken) == ["a.ipynb", "same.py"]
    assert list(refused(taken)) == ["data", "helper.py"]
    made.close()


def test_one_submission_leaves_nothing_to_the_next(folder: Path, tmp_path: Path) -> None:
    (folder / "x.txt").touch()
    (folder / "x.ipynb").touch()
    other = tmp_path / "submitted" / "bea" / "a"
    other.mkdir(parents=True)
    (other / "a.ipynb").touch()
    made = Intake(tmp_path / "submitted", "a")
    first = made.take("ann").notebook
    assert copied(made.take("bea")) == ["a.ipynb"]
    assert not first.exists()
    assert made.for_kernel(tmp_path) == tmp_path
    assert made.folder.parent.stat().st_mode & 0o777 == 0o700
    made.close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "there is no notebook named `a.ipynb` (found: `b\\x1b.ipynb`)"),
        (lambda path: path.symlink_to("/dev/zero"), "the file `a.ipynb` is a symbolic link"),
        (os.mkfifo, "the file `a.ipynb` is no regular file"),
        (Path.mkdir, "the file `a.ipynb` is a folder, no regular file"),
    ],
)
def test_without_a_notebook_there_is_a_reason(
    folder: Path, take: Callable[[], Taken], make: Callable[[Path], None], why: str
) -> None:
    (folder / "b\x1b.ipynb").touch()
    (folder / "a.ipynb").unlink()
    make(folder / "a.ipynb")
    taken = take()
    assert taken.ungraded == why
    assert taken.notebook.read_bytes() == b""


def test_everybody_who_handed_in_something_is_found(folder: Path, tmp_path: Path) -> None:
    submitted = tmp_path / "submitted"
    for name in ("[y]", "*", ".dot", "b c", "d,e", os.fsdecode(b"f\xff")):
        (submitted / name / "a").mkdir(parents=True)
    (submitted / "other" / "b").mkdir(parents=True)
    (submitted / ".hidden").touch()
    (submitted / "file").touch()
    (submitted / "link").symlink_to("ann")
    found = ["*", ".dot", "[y]", "ann", "b c", "d,e", "f\udcff", "file", "link"]
    assert students(submitted, "a") == sorted(found)
    assert students(submitted, "a", "[y]") == ["[y]"]
    assert students(submitted, "a", "a*") == ["ann"]
    made = Intake(submitted, "a")
    assert {name: made.why_not(name) for name in found if made.why_not(name)} == {
        "f\udcff": "its folder has a name that cannot be printed; rename it",
        "file": "its folder is no folder",
        "link": "its folder is a symbolic link, which is not followed",
    }
    made.close()
