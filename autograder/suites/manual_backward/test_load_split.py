"""`load_split`: all pictures of a split as columns of x, their classes in y.

The probe writes a small tree of pictures itself. Each check passes with the student's own
`make_transforms` or, where that one is wrong, with two pipelines in its place that only describe a
picture by five numbers, another five for each split.
"""

from functools import cache, partial

import numpy as np
import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Failure, Misconception, expect, fail
from autograder.exercise.student import StudentError
from autograder.suites.manual_backward import first_that_passes
from autograder.suites.manual_backward.pictures import PIXEL, pipeline

SIZE = 5
#: How many pictures each class has: more than a usual batch, and more of one class than the other.
COUNTS = {"train": {"ant": 123, "wasp": 154}, "val": {"ant": 23, "wasp": 31}}
#: (height, width): the pictures have these sizes in turn.
SIDES = [(7, 7), (6, 9), (11, 6), (5, 8)]
#: How far numbers may be off: of pictures, and of the descriptions (float32, up to 43).
NEAR = {"own": PIXEL, "describing": 1e-5}

ROWS = Misconception(
    "not-transposed",
    "Your `x` has the pictures as rows, as the `DataLoader` gives them; wanted is one column for"
    " each picture, `(dim, m)`.",
)
TORN = Misconception(
    "reshaped-not-transposed",
    "Your `x` has the right shape, but its columns are no pictures: `reshape` and `view` keep the"
    " order of the numbers, so each column gets bits of several. Rows become columns by"
    " transposing.",
)
MISSING = Misconception(
    "pictures-missing",
    "You get a part of the pictures only. One batch of a `DataLoader` holds `batch_size` of them,"
    " and `drop_last` drops the rest: for the whole split, the batch has to be as large as the data"
    " set.",
)
SCALED_TWICE = Misconception(
    "scaled-twice",
    "Your values are 255 times too small: `ToTensor` has already brought them to 0 to 1, and you"
    " divide once more.",
)
FLAT_LABELS = Misconception(
    "labels-not-a-row",
    "Your `y` has the shape `(m,)`, as the `DataLoader` gives it; wanted is one row, `(1, m)`."
    " Otherwise `yhat - y` may stretch to another shape without a word later on.",
)
COLUMN_LABELS = Misconception(
    "labels-as-a-column",
    "Your `y` is a column, `(m, 1)`; wanted is a row, `(1, m)`, like `yhat`. Together they would"
    " stretch to `(m, m)` without a word.",
)
WHOLE_NUMBERS = Misconception(
    "labels-not-float",
    "Your `y` holds whole numbers, as the `DataLoader` gives them; wanted is float32.",
)
OTHER_ORDER = Misconception(
    "x-and-y-apart",
    "The pictures and the classes are there, but they do not belong together: x and y are in"
    " different orders. Shuffling must move both alike; take both from the same batch.",
)
SWAPPED = Misconception(
    "classes-swapped",
    "Your classes are the other way round: `ImageFolder` numbers them in alphabetical order, from"
    " 0 on.",
)
OTHER_PIPELINE = Misconception(
    "train-transform-on-val",
    'Your `val` pictures go through the `"train"` pipeline. The two may differ: what is done at'
    " random to pictures for training must not be done to those that measure.",
)
OTHER_FOLDER = Misconception(
    "wrong-folder",
    "You load the pictures of another split than the one asked for: `split` names the folder.",
)
BOTH_FOLDERS = Misconception(
    "both-folders",
    "You load more than one split: the pictures to measure with must not be among those to train"
    " with.",
)
SIZE_IGNORED = Misconception(
    "image-size-ignored",
    "Your pictures get the same size whatever `image_size` is: hand the argument on.",
)


def probe_load(notebook, tree, sides, size, kinds):
    import struct
    import tempfile
    import zlib
    from pathlib import Path

    asked = []

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    def png(picture):
        """The file of a picture, in less time than PIL takes."""
        height, width, _ = picture.shape
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        rows = b"".join(b"\0" + row.tobytes() for row in picture)
        data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + data

    def make_transforms(*sizes, **named):
        asked.append([*sizes, *named.values()])

        def describe(image, start):
            values = np.asarray(image).reshape(-1)
            numbers = [values.mean(), *values[:2], *values[-2:]]
            return torch.tensor(
                [start + 10 * place + number / 255 for place, number in enumerate(numbers)],
                dtype=torch.float32,
            )

        return {
            "train": lambda image: describe(image, 0),
            "val": lambda image: describe(image, 2),
        }

    def load(folder):
        found = {}
        for split in tree:
            loaded = notebook.load_split(Path(folder), split, size)
            pair = isinstance(loaded, tuple | list) and len(loaded) == 2
            found[split] = {"pair": pair, "x": None, "y": None, "type": type(loaded).__name__}
            if pair:
                found[split]["x"], found[split]["y"] = loaded
        return found

    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for split, classes in tree.items():
            for name, pictures in classes.items():
                place = Path(folder) / split / name
                place.mkdir(parents=True)
                for number, picture in enumerate(pictures):
                    height, width = sides[number % len(sides)]
                    (place / f"{number:03}.png").write_bytes(png(picture[:height, :width]))
        if "own" in kinds:
            answers["own"] = load(folder)
        notebook.make_transforms = make_transforms
        try:
            answers["describing"] = load(folder)
        except Exception:
            if "own" not in kinds:
                raise
    return {**answers, "asked": asked}


@pytest.fixture(scope="module")
def tree(suite_rng):
    """Random colour pictures, by split and class, each to be cut to its own of `SIDES`."""
    shape = max(height for height, _ in SIDES), max(width for _, width in SIDES), 3
    return {
        split: {
            name: torch.randint(256, (count, *shape), generator=suite_rng).to(torch.uint8).numpy()
            for name, count in classes.items()
        }
        for split, classes in COUNTS.items()
    }


@pytest.fixture(scope="module")
def loaded(student, tree):
    """What came back with the student's own pipelines and with the describing ones, or why not."""

    def load(kinds):
        return student.run(probe_load, tree=tree, sides=SIDES, size=SIZE, kinds=kinds)

    try:
        return load(["own", "describing"])
    except StudentError as error:
        try:
            return {"own": error, **load(["describing"])}
        except StudentError:
            return {"own": error, "asked": []}


def with_either(loaded, check):
    """Pass where `check` passes with one of the two kinds of pipelines."""

    def attempt(how):
        found = loaded[how]
        if isinstance(found, Failure):
            raise found
        for each in found.values():
            kind = each["type"]
            expect(each["pair"], f"`load_split` should return x and y; yours returns a `{kind}`.")
        check(found, how)

    kinds = ["own", "describing"] if loaded["asked"] and "describing" in loaded else ["own"]
    first_that_passes(*(partial(attempt, how) for how in kinds))


@pytest.fixture(scope="module")
def expected(tree):
    """A function: columns (dim, m) and classes (m,) of a split, in the order of its files."""

    @cache
    def columns_and_classes(split, how):
        columns = []
        for pictures in tree[split].values():
            for number, picture in enumerate(pictures):
                height, width = SIDES[number % len(SIDES)]
                cut = picture[:height, :width]
                columns.append(pipeline(cut, SIZE) if how == "own" else described(cut, split))
        counts = [len(pictures) for pictures in tree[split].values()]
        classes = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        return torch.stack(columns, dim=1), classes

    return columns_and_classes


def described(picture, split):
    """The five numbers that the describing pipeline of a split gives."""
    values = picture.reshape(-1) / 255
    start = 0 if split == "train" else 2
    numbers = np.array([values.mean(), *values[:2], *values[-2:]]) + 10 * np.arange(5.0)
    return torch.from_numpy(start + numbers).float()


def in_columns(x, columns, all_of_them=True):
    """x with its pictures as columns, where it is a tensor of the right form."""
    expect(isinstance(x, torch.Tensor), f"x should be a tensor; yours is {checks.kind(x)}.")
    wanted = tuple(columns.shape)
    if tuple(x.shape) == wanted[::-1]:
        return x.T.double()
    if x.dim() == 2 and wanted[0] in x.shape:
        m = x.shape[1] if x.shape[0] == wanted[0] else x.shape[0]
        if m < wanted[1] and all_of_them:
            fail("", because=MISSING)
        if m < wanted[1]:
            return x.double() if x.shape[0] == wanted[0] else x.T.double()
        together = sum(sum(counts.values()) for counts in COUNTS.values())
        if m == together:
            fail("", because=BOTH_FOLDERS)
    return checks.tensor(x, "x", wanted).double()


def places(x, columns, how):
    """For each column of x the column that it is, -1 where it is none of them."""
    nearest = torch.cdist(x.T, columns.T.double(), p=float("inf")).min(dim=1)
    return torch.where(nearest.values <= NEAR[how], nearest.indices, -1)


FORM = """\
x, y = load_split(data_dir, "val", 20)
print(x.shape, x.dtype)  # 3 * 20 * 20 rows, 200 pictures
#> torch.Size([1200, 200]) torch.float32
print(y.shape, y.dtype)
#> torch.Size([1, 200]) torch.float32
"""


@pytest.mark.points(2)
@pytest.mark.example(FORM)
def test_form(loaded, expected):
    """x is `(3 * image_size * image_size, m)`, y is `(1, m)`, both float32."""

    def check(found, how):
        for split in ("train", "val"):
            columns, _ = expected(split, how)
            dim, m = columns.shape
            if how == "describing":
                given = [SIZE] in loaded["asked"]
                expect(given, "", because=SIZE_IGNORED)
            x, y = found[split]["x"], found[split]["y"]
            if isinstance(x, torch.Tensor) and tuple(x.shape) == (m, dim):
                fail("", because=ROWS)
            if isinstance(x, torch.Tensor) and x.dim() == 2 and x.shape[0] != dim:
                usual = [3 * side * side for side in (28, 32, 64, 224)]
                expect(x.shape[0] not in usual, "", because=SIZE_IGNORED)
            if isinstance(y, torch.Tensor) and isinstance(x, torch.Tensor) and x.dim() == 2:
                m = x.shape[1] if x.shape[0] == dim else m  # how many is another test's matter
            checks.tensor(x, "x", (dim, m), torch.float32)
            if isinstance(y, torch.Tensor) and tuple(y.shape) == (m,):
                fail("", because=FLAT_LABELS)
            if isinstance(y, torch.Tensor) and tuple(y.shape) == (m, 1):
                fail("", because=COLUMN_LABELS)
            if isinstance(y, torch.Tensor) and not y.dtype.is_floating_point:
                fail("", because=WHOLE_NUMBERS)
            checks.tensor(y, "y", (1, m), torch.float32)

    with_either(loaded, check)


PICTURES = """\
x, y = load_split(data_dir, "val", 28)
print(len({tuple(column) for column in x.T.tolist()}))  # how many different pictures
#> 200
red, green, blue = x.reshape(3, 784, 200)
print(torch.equal(red, green), x.max().item())  # all are grey, and have a white spot
#> True 1.0
from tempfile import TemporaryDirectory
with TemporaryDirectory() as folder:  # a small split: seven pictures, each of another colour
    (Path(folder) / "val" / "eight").mkdir(parents=True)
    for i in range(7):
        Image.new("RGB", (28, 28), (30 * i, 0, 0)).save(Path(folder) / "val" / "eight" / f"{i}.png")
    x, y = load_split(Path(folder), "val", 28)
    print(sorted((255 * x[0]).round().tolist()))
#> [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0]
"""


@pytest.mark.points(4)
@pytest.mark.example(PICTURES)
def test_pictures(loaded, expected):
    """Every picture of the split is one column of x, none is missing, none is there twice."""

    def check(found, how):
        columns, _ = expected("train", how)
        x = in_columns(found["train"]["x"], columns)
        where = places(x, columns, how)
        if torch.equal(where.sort().values, torch.arange(columns.shape[1])):
            return
        if bool((where >= 0).all()):
            fail("Some pictures of the split are in several columns of x, others in none.")
        if bool((places(255 * x, columns, how) >= 0).all()):
            fail("", because=SCALED_TWICE)
        same = x.reshape(-1).sort().values, columns.reshape(-1).double().sort().values
        fail(
            "Each column of x should be one picture of the split; in yours some are not.",
            because=TORN if checks.is_close(*same, NEAR[how], scale=1.0) else None,
        )

    with_either(loaded, check)


LABELS = """\
x, y = load_split(data_dir, "val", 28)
right = 0
for picture, label in ImageFolder(data_dir / "val", make_transforms(28)["val"]):
    column = (x.cpu() - picture.reshape(-1, 1)).abs().sum(dim=0).argmin()  # where it is in x
    right += int(y[0, column] == label)
print(right)  # of 200
#> 200
"""


@pytest.mark.points(2)
@pytest.mark.example(LABELS)
def test_labels(loaded, expected):
    """The number in y is the class of the picture in the same column of x."""

    def check(found, how):
        columns, classes = expected("train", how)
        y = found["train"]["y"]
        expect(isinstance(y, torch.Tensor), f"y should be a tensor; yours is {checks.kind(y)}.")
        x = in_columns(found["train"]["x"], columns, all_of_them=False)
        m = x.shape[1]
        expect(y.numel() == m, f"y should hold one class for each picture; yours has {y.numel()}.")
        got, where = y.reshape(-1).double(), places(x, columns, how)
        known = where >= 0
        if not bool(known.any()):  # columns that are no pictures are another test's matter
            got, right = got.sort().values, classes.double()
        else:
            got, right = got[known], classes[where[known]].double()
        if torch.equal(got, right):
            return
        counts = torch.equal(got.sort().values, right.sort().values)
        because = SWAPPED if torch.equal(got, 1 - right) else OTHER_ORDER if counts else None
        fail("The numbers in y are not the classes of the pictures in x.", because)

    with_either(loaded, check)


SPLITS = """\
from unittest.mock import patch
# For a moment, two simple pipelines: all black for "train", all white for "val".
simple = {"train": lambda picture: torch.zeros(12), "val": lambda picture: torch.ones(12)}
with patch("__main__.make_transforms", lambda image_size: simple):
    for split in ("train", "val"):
        x, y = load_split(data_dir, split, 2)
        print(split, x.shape, x.min().item(), x.max().item())
#> train torch.Size([12, 600]) 0.0 0.0
#> val torch.Size([12, 200]) 1.0 1.0
"""


@pytest.mark.points(2)
@pytest.mark.example(SPLITS)
def test_splits(loaded, expected):
    """`"val"` gives the pictures of `val` through the `"val"` pipeline, `"train"` those of `train`
    through its own."""
    described = loaded.get("describing")
    if described is None or not loaded["asked"]:
        with_either(loaded, lambda found, how: check_own(found, expected))
        return
    for split, other in (("train", "val"), ("val", "train")):
        x = described[split]["x"]
        expect(isinstance(x, torch.Tensor), f"x should be a tensor; yours is {checks.kind(x)}.")
        columns = {name: expected(name, "describing")[0] for name in (split, other)}
        if among(x, columns[split]) or among(255 * x, columns[split]):
            continue  # what else is done to the numbers is another test's matter
        shift = 2 if split == "train" else -2
        others = columns[other] - shift
        both = torch.cat([columns[split], others], dim=1)
        fail(
            f'`"{split}"` should give the pictures in the folder `{split}`, each through the'
            f' `"{split}"` pipeline.',
            because=OTHER_PIPELINE
            if among(x, columns[split] + shift)
            else OTHER_FOLDER
            if among(x, others) or among(x, columns[other])
            else BOTH_FOLDERS
            if among(x, both)
            else None,
        )


def check_own(found, expected):
    for split, other in (("train", "val"), ("val", "train")):
        columns = {name: expected(name, "own")[0] for name in (split, other)}
        x = found[split]["x"]
        expect(isinstance(x, torch.Tensor), f"x should be a tensor; yours is {checks.kind(x)}.")
        x = x.double() if x.shape[0] == columns[split].shape[0] else x.double().T
        fits = x.dim() == 2 and len(x) == len(columns[split])
        expect(fits, "x should have one column for each picture.")
        if bool((places(x, columns[split], "own") >= 0).all()):
            continue
        fail(
            f'`"{split}"` should give the pictures in the folder `{split}`.',
            because=OTHER_FOLDER if bool((places(x, columns[other], "own") >= 0).all()) else None,
        )


def among(x, columns):
    """Whether the pictures that x describes, in whatever order, are all among the columns."""
    got, values = x.double().flatten(), columns[0].double().sort().values
    got = got[got < 10]  # the mean of each picture: the first of its five numbers
    if not len(got):
        return False
    place = torch.searchsorted(values, got).clamp(1, len(values) - 1)
    near = torch.minimum((values[place] - got).abs(), (values[place - 1] - got).abs())
    return bool((near <= NEAR["describing"]).all())
