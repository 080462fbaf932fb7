"""`make_transforms`: Resize, CenterCrop, ToTensor and a flat row, for both splits.

Each check passes with the student's own `ReshapeTransform` or, where that one is wrong, with an
object in its place that only notes the shape it is given.
"""

import numpy as np
import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.student import StudentError
from autograder.suites.manual_backward import first_that_passes
from autograder.suites.manual_backward.pictures import PIXEL, flat, pipeline, squared

SIZE = 8
#: (height, width): wide and tall, larger and smaller than the result, odd and even borders.
SIDES = {"wide": (14, 25), "tall": (21, 12), "small": (6, 9)}

SQUEEZED = Misconception(
    "squeezed",
    "Your pictures are squeezed into a square: `Resize((image_size, image_size))` changes the"
    " proportions. With one number, `Resize` scales the shorter side and keeps them.",
)
NOT_RESIZED = Misconception(
    "not-resized",
    "You cut the middle out of the picture at its full size: most of the picture is lost. Scale it"
    " first, then cut.",
)
NOT_CROPPED = Misconception(
    "not-cropped",
    "Your pictures are scaled but not cut to a square: pictures of another shape give another"
    " number of pixels, and do not fit into one matrix.",
)
CORNER = Misconception(
    "corner-crop", "You cut out the beginning of the picture; wanted is the middle."
)
NOT_FLAT = Misconception(
    "not-flat",
    "The pictures are not laid out flat: a row of `3 * image_size * image_size` numbers is wanted."
    " Your `ReshapeTransform` does that, as the last of the transforms.",
)
ONE_ROW = Misconception(
    "row-of-one",
    "Your result has two axes, one of them of length 1: with it, `load_split` would get a batch of"
    " three axes. `(-1,)` makes a row with one axis, `(1, -1)` does not.",
)
NOT_SCALED = Misconception(
    "values-to-255",
    "Your values go from 0 to 255; wanted is 0 to 1, as `ToTensor` makes them.",
)
NORMALISED = Misconception(
    "normalised",
    "Your values are shifted and scaled (`Normalize`): here they stay between 0 and 1.",
)
GREY = Misconception(
    "grey", "Your pictures are grey, with one number a pixel; three are wanted, one a colour."
)
CHANNELS_LAST = Misconception(
    "channels-last",
    "Your numbers come in another order: red, green and blue of each pixel together. Wanted is the"
    " order of `ToTensor`: all of red, then all of green, then all of blue.",
)
FIXED_SIZE = Misconception(
    "image-size-ignored",
    "Your pictures get the same size whatever `image_size` is: use the argument.",
)
RANDOM = Misconception(
    "random-transform",
    "The same picture gives another result each time: a random transform is among yours. Both"
    " pipelines here are the four given ones.",
)
ONE_KEY = Misconception(
    "split-missing",
    'The dictionary needs two keys, `"train"` and `"val"`, with a pipeline each.',
)
NO_DICTIONARY = Misconception(
    "no-dictionary",
    'You return one pipeline. Wanted is a dictionary of two, by the keys `"train"` and `"val"`.',
)


def probe_transforms(notebook, pictures, size, stand_in):
    from PIL import Image

    asked = []

    class Note:
        def __init__(self, *new_size, **named):
            asked.append([*new_size, *named.values()])

        def __call__(self, img):
            return img

    if stand_in:
        notebook.ReshapeTransform = Note
    pipelines = notebook.make_transforms(size)
    if not isinstance(pipelines, dict):
        return {"type": type(pipelines).__name__}
    images = [Image.fromarray(picture) for picture in pictures]
    found = {
        str(key): [[pipeline(image) for image in images] for _ in range(6)]
        for key, pipeline in pipelines.items()
    }
    return {"found": found, "asked": asked}


@pytest.fixture(scope="module")
def pictures(suite_rng):
    return {
        name: torch.randint(256, (*sides, 3), generator=suite_rng).to(torch.uint8).numpy()
        for name, sides in SIDES.items()
    }


def with_either(student, pictures, check):
    """Pass where `check` passes with the student's `ReshapeTransform` or with the note-taker."""

    def attempt(stand_in):
        found = student.run(
            probe_transforms, pictures=list(pictures.values()), size=SIZE, stand_in=stand_in
        )
        if "type" in found:
            fail("", because=NO_DICTIONARY if found["type"] == "Compose" else None)
        rows = found["found"]
        expect({"train", "val"} <= set(rows), "", because=ONE_KEY)
        if stand_in:
            flattens = [[-1], [[-1]], [3 * SIZE * SIZE], [[3 * SIZE * SIZE]]]
            if not found["asked"] or any(size not in flattens for size in found["asked"]):
                raise StudentError("stand-in", "The pictures are not laid out flat.")
            for key, rounds in rows.items():
                rows[key] = [[unrolled(item) for item in items] for items in rounds]
        for key in ("train", "val"):
            check(key, rows[key])

    first_that_passes(lambda: attempt(False), lambda: attempt(True))


def unrolled(item):
    picture = isinstance(item, torch.Tensor) and tuple(item.shape) == (3, SIZE, SIZE)
    return item.reshape(-1) if picture else item


def length_mistake(item, picture):
    """The known mistake that makes another number of pixels."""
    height, width, _ = picture.shape
    longer = int(SIZE * max(height, width) / min(height, width))
    if item.numel() == 3 * SIZE * longer:
        return NOT_CROPPED
    if item.numel() == SIZE * SIZE:
        return GREY
    usual = [3 * side * side for side in (28, 32, 64, 128, 224, 256)]
    return FIXED_SIZE if item.numel() in usual else None


def check_length(item, picture, key):
    wanted = 3 * SIZE * SIZE
    if isinstance(item, torch.Tensor) and tuple(item.shape) != (wanted,):
        because = length_mistake(item, picture)
        if item.numel() == wanted and item.dim() == 3:
            because = NOT_FLAT
        elif item.numel() == wanted and item.dim() == 2 and 1 in item.shape:
            because = ONE_ROW
        if because:
            fail("", because)
    checks.tensor(item, f"A picture of the `{key}` pipeline", (wanted,), torch.float32)


def mistake_of(got, wanted, picture):
    """The known mistake that makes this row of a picture."""
    matches = {
        mistake.name: mistake
        for mistake, value in mistakes(picture)
        for scale in [max(1.0, float(value.abs().max()))]
        if checks.diagnose(checks.Compared(got, wanted, [(mistake, value)], PIXEL, scale))
    }
    return next(iter(matches.values())) if len(matches) == 1 else None


def mistakes(picture):
    """What known mistakes make of a picture, flat."""
    from PIL import Image

    right = squared(picture, SIZE)
    image = Image.fromarray(picture)
    squeezed = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    height, width, _ = picture.shape
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    middle = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))
    short = min(height, width)
    scaled = int(SIZE * width / short), int(SIZE * height / short)
    resized = np.asarray(image.resize(scaled, Image.Resampling.BILINEAR))
    values = flat(right).reshape(3, -1)
    usual = torch.tensor([[0.485, 0.229], [0.456, 0.224], [0.406, 0.225]])
    return [
        (SQUEEZED, flat(squeezed)),
        (NOT_RESIZED, flat(middle)),
        (CORNER, flat(resized[:SIZE, :SIZE])),
        (NOT_SCALED, flat(right) * 255),
        (NORMALISED, flat(right) * 2 - 1),
        (NORMALISED, ((values - usual[:, :1]) / usual[:, 1:]).reshape(-1)),
        (CHANNELS_LAST, torch.from_numpy(right.copy()).reshape(-1) / 255),
        (GREY, flat(np.repeat(np.asarray(Image.fromarray(right).convert("L"))[..., None], 3, 2))),
    ]


LENGTH = """\
wide = Image.new("RGB", (40, 20), "orange")
for split in ("train", "val"):
    row = make_transforms(8)[split](wide)
    print(split, row.shape, row.dtype)
#> train torch.Size([192]) torch.float32
#> val torch.Size([192]) torch.float32
"""


@pytest.mark.points(2)
@pytest.mark.example(LENGTH)
def test_length(student, pictures):
    """Each pipeline makes a float32 row of `3 * image_size * image_size` numbers of any picture."""

    def check(key, rounds):
        for item, picture in zip(rounds[0], pictures.values(), strict=True):
            check_length(item, picture, key)

    with_either(student, pictures, check)


PIXELS = """\
wide = Image.new("RGB", (40, 20), "black")
wide.paste((200, 0, 0), (10, 0, 17, 20))  # the square in the middle is dark red,
wide.paste((0, 0, 100), (23, 0, 30, 20))  # black, and dark blue
for split in ("train", "val"):
    picture = make_transforms(8)[split](wide).reshape(3, 8, 8)  # red, green, blue
    left, right = (255 * picture[:, 4, [1, 6]]).round().T.tolist()
    print(split, left, right)
#> train [200.0, 0.0, 0.0] [0.0, 0.0, 100.0]
#> val [200.0, 0.0, 0.0] [0.0, 0.0, 100.0]
"""


@pytest.mark.points(3)
@pytest.mark.example(PIXELS)
def test_pixels(student, pictures):
    """The row holds the middle of the scaled picture: red, green, blue, with values from 0 to 1."""

    def check(key, rounds):
        for picture, first, *again in zip(pictures.values(), *rounds, strict=True):
            tensors = all(isinstance(item, torch.Tensor) for item in (first, *again))
            expect(tensors, f"A pipeline should make a tensor; yours makes {checks.kind(first)}.")
            expect(
                first.numel() == 3 * SIZE * SIZE,
                "There are not `3 * image_size * image_size` numbers, so they cannot be the right"
                " ones.",
                because=length_mistake(first, picture),
            )
            expect(all(torch.equal(first, item) for item in again), "", because=RANDOM)
            got, wanted = first.reshape(-1).double(), pipeline(picture, SIZE)
            if checks.is_close(got, wanted, PIXEL, scale=1.0):
                continue
            fail(
                f"The `{key}` pipeline makes rows of other numbers: compare the transforms, their"
                " order and their arguments with the four that are listed in the notebook.",
                because=mistake_of(got, wanted, picture),
            )

    with_either(student, pictures, check)
