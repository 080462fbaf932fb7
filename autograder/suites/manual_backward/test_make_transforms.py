"""`make_transforms`: Resize, CenterCrop, ToTensor and a flat row, for both splits.

In the place of the student's own `ReshapeTransform` there is an object that only notes the shape it
is given. Where the pipelines do without, or fail with it, their own counts.
"""

from itertools import chain
from math import prod

import pytest
import torch
from PIL import Image

from autograder.exercise import Formula, Misconception, Text, checks, expect, mistake
from autograder.exercise.pictures import PIXEL, flat, middle, scaled
from autograder.suites.manual_backward import probes

SIZE = 8
#: (height, width): wide and tall, larger and smaller than the result, odd and even borders.
SIDES = [(14, 25), (21, 12), (6, 9)]
NAME = "A picture of the `{split}` pipeline"
#: Mean and standard deviation of ImageNet's colours, as tutorials have them.
IMAGENET = torch.tensor([[0.485, 0.229], [0.456, 0.224], [0.406, 0.225]])


def draw(rng, side, split="train"):
    picture = torch.randint(256, (*side, 3), generator=rng).to(torch.uint8).numpy()
    return {"picture": picture, "split": split}


def stages(picture):
    image = Image.fromarray(picture)
    resized = scaled(image, SIZE)
    square = middle(resized, SIZE)
    squeezed = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    found = {"image": image, "resized": resized, "squeezed": squeezed, "square": square}
    return {**found, "right": flat(square)}


def either(*shape):
    """So many numbers as a picture, and as a row."""
    yield torch.zeros(()).expand(shape)
    yield torch.zeros(()).expand(prod(shape))


row = Formula(
    NAME,
    draw=draw,
    also=stages,
    reference=lambda right: right,
    size=lambda: 1.0,
    within=PIXEL,
    margin=15 * PIXEL,
    message="The `{split}` pipeline makes rows of other numbers: compare the transforms, their"
    " order and their arguments with the four that are listed in the notebook.",
    cases=[{"side": side} for side in SIDES],
)
row.mistake("squeezed", lambda squeezed: flat(squeezed)).says(
    "Your pictures are squeezed into a square: `Resize((image_size, image_size))` changes the"
    " proportions. With one number, `Resize` scales the shorter side and keeps them."
)
row.mistake("not-resized", lambda image: flat(middle(image, SIZE))).says(
    "You cut the middle out of the picture at its full size: most of the picture is lost. Scale it"
    " first, then cut."
)
row.mistake("corner-crop", lambda resized: flat(resized.crop((0, 0, SIZE, SIZE)))).says(
    "You cut out the beginning of the picture; wanted is the middle."
)
row.mistake("values-to-255", lambda right: 255 * right).says(
    "Your values go from 0 to 255; wanted is 0 to 1, as `ToTensor` makes them."
)
row.mistake(
    "normalised",
    lambda right: 2 * right - 1,
    lambda right: ((right.reshape(3, -1) - IMAGENET[:, :1]) / IMAGENET[:, 1:]).flatten(),
).says("Your values are shifted and scaled (`Normalize`): here they stay between 0 and 1.")
row.mistake("channels-last", lambda right: right.reshape(3, -1).T.flatten()).says(
    "Your numbers come in another order: red, green and blue of each pixel together. Wanted is the"
    " order of `ToTensor`: all of red, then all of green, then all of blue."
)
GREY = row.mistake("grey", lambda square: flat(square.convert("L").convert("RGB"))).says(
    "Your pictures are grey, with one number a pixel; three are wanted, one a colour."
)
row.add(GREY, lambda: either(1, SIZE, SIZE), shape_only=True)
row.mistake("not-cropped", lambda resized: either(3, *resized.size[::-1]), shape_only=True).says(
    "Your pictures are scaled but not cut to a square: pictures of another shape give another"
    " number of pixels, and do not fit into one matrix."
)
row.mistake(
    "image-size-ignored",
    lambda: (made for side in (28, 32, 64, 128, 224, 256) for made in either(3, side, side)),
    shape_only=True,
).says("Your pictures get the same size whatever `image_size` is: use the argument.")
row.mistake(
    "not-flat",
    lambda: torch.zeros(3, SIZE, SIZE),
    lambda: torch.zeros(SIZE, SIZE, 3),
    shape_only=True,
).says(
    "The pictures are not laid out flat: a row of `3 * image_size * image_size` numbers is wanted."
    " Your `ReshapeTransform` does that, as the last of the transforms."
)
row.mistake("row-of-one", lambda right: iter((right[None], right[:, None])), shape_only=True).says(
    "Your result has two axes, one of them of length 1: with it, `load_split` would get a batch of"
    " three axes. `(-1,)` makes a row with one axis, `(1, -1)` does not."
)

NO_DICTIONARY = Misconception(
    "no-dictionary",
    'You return one pipeline. Wanted is a dictionary of two, by the keys `"train"` and `"val"`.',
)


@pytest.fixture(scope="module")
def made(student, suite_rng):
    """By split, what its pipeline makes of each picture, several times over, with the picture."""
    drawn = [row.draw(suite_rng, side=side) for side in SIDES]
    found = student.run(probes.piped, pictures=[each["picture"] for each in drawn], size=SIZE)
    known = NO_DICTIONARY if found["type"] == "Compose" else None
    says = "`make_transforms` should return a dictionary; yours returns a `{got}`."
    expect(found["type"] == "dict", says, known, got=found["type"])
    mistake("split-missing", not {*probes.SPLITS} <= {*found["rows"]}).says(
        'The dictionary needs two keys, `"train"` and `"val"`, with a pipeline each.'
    )
    for split in probes.SPLITS:
        items = [[laid_out(each, found["asked"]) for each in row] for row in found["rows"][split]]
        found[split] = [*zip(items, ({**each, "split": split} for each in drawn), strict=True)]
    return [found[split] for split in probes.SPLITS]


def laid_out(item, asked):
    """A picture in the shape that was asked for last, if it has as many numbers."""
    shape = [int(side) for side in asked[-1]] if asked else []
    fits = prod(shape) in (-1, 3 * SIZE * SIZE) and isinstance(item, torch.Tensor)
    return item.reshape(shape) if fits and item.numel() == 3 * SIZE * SIZE else item


def flattened(item):
    return item.flatten() if isinstance(item, torch.Tensor) else item


@pytest.mark.points(2)
def test_length(made):
    """Each pipeline makes a float32 row of `3 * image_size * image_size` numbers of any picture.

    wide = Image.new("RGB", (40, 20), "orange")
    for split in ("train", "val"):
        row = make_transforms(8)[split](wide)
        print(split, row.shape, row.dtype)
    #> train torch.Size([192]) torch.float32
    #> val torch.Size([192]) torch.float32
    """
    for (first, *_), inputs in chain(*made):
        row.compared(first, **inputs)
        checks.tensor(first, Text(NAME, split=inputs["split"]), first.shape, torch.float32)


@pytest.mark.points(3)
def test_pixels(made):
    """The row holds the middle of the scaled picture: red, green, blue, with values from 0 to 1.

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
    for answers in made:
        for (first, *again), inputs in answers:
            row.compared(flattened(first), **inputs)
            mistake("random-transform", not all(torch.equal(first, each) for each in again)).says(
                "The same picture gives another result each time: a random transform is among"
                " yours. Both pipelines here are the four given ones."
            )
        row.check_all((flattened(first), inputs) for (first, *_), inputs in answers)
