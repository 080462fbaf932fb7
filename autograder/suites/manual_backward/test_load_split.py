"""`load_split`: all pictures of a split as columns of x, their classes in y.

The pictures are a small tree of folders. In the place of the student's own pipelines there are two
that only describe a picture: the first number says which of them it was, and from which folder, the
others are the picture's own. Where `load_split` does without, or fails with them, its own count.
"""

import pytest
import torch
from torch import Tensor

from autograder.exercise import Formula, expect, mistake
from autograder.exercise.checks import kind
from autograder.exercise.pictures import PIXEL, pipeline
from autograder.suites.manual_backward import draw_labels, probes

SIZE = 5
DIM = 3 * SIZE * SIZE
#: How many pictures each class has: more than a usual batch, and more of one class than the other.
COUNTS = {"train": {"ant": 123, "wasp": 154}, "val": {"ant": 23, "wasp": 31}}
TOTAL = {split: sum(counts.values()) for split, counts in COUNTS.items()}
#: (height, width): the pictures have these sizes in turn.
SIDES = [(7, 7), (6, 9), (11, 6), (5, 8)]

pictures = Formula(
    "x",
    draw=lambda rng: {"columns": torch.rand(DIM, 90, generator=rng)},
    reference=lambda columns: columns,
    dtype=torch.float32,
    within=PIXEL,
    margin=15 * PIXEL,
    message="Each column of x should be one picture of the split; in yours some are not.",
)
pictures.mistake("not-transposed", lambda columns: columns.T, shape_only=True).says(
    "Your `x` has the pictures as rows, as the `DataLoader` gives them; wanted is one column for"
    " each picture, `(dim, m)`."
)
SIZE_IGNORED = pictures.mistake(
    "image-size-ignored",
    lambda columns: (columns[:1].expand(3 * side**2, -1) for side in (20, 28, 32, 64, 224)),
    shape_only=True,
).says("Your pictures get the same size whatever `image_size` is: hand the argument on.")
BOTH_FOLDERS = pictures.mistake(
    "both-folders", lambda: torch.ones(DIM, sum(TOTAL.values())), shape_only=True
).says(
    "You load more than one split: the pictures to measure with must not be among those to train"
    " with."
)
pictures.mistake("reshaped-not-transposed", lambda columns: columns.T.reshape(columns.shape)).says(
    "Your `x` has the right shape, but its columns are no pictures: `reshape` and `view` keep the"
    " order of the numbers, so each column gets bits of several. Rows become columns by"
    " transposing."
)
pictures.mistake("scaled-twice", lambda columns: columns / 255).says(
    "Your values are 255 times too small: `ToTensor` has already brought them to 0 to 1, and you"
    " divide once more."
)

labels = Formula(
    "y",
    draw=lambda rng: {"classes": draw_labels(rng, 90)},
    reference=lambda classes: classes,
    dtype=torch.float32,
    message="The numbers in y are not the classes of the pictures in x.",
)
labels.mistake("labels-not-a-row", lambda classes: classes[0], shape_only=True).says(
    "Your `y` has the shape `(m,)`, as the `DataLoader` gives it; wanted is one row, `(1, m)`."
    " Otherwise `yhat - y` may stretch to another shape without a word later on."
)
labels.mistake("labels-as-a-column", lambda classes: classes.T, shape_only=True).says(
    "Your `y` is a column, `(m, 1)`; wanted is a row, `(1, m)`, like `yhat`. Together they would"
    " stretch to `(m, m)` without a word."
)
labels.mistake("classes-swapped", lambda classes: 1 - classes).says(
    "Your classes are the other way round: `ImageFolder` numbers them in alphabetical order, from"
    " 0 on."
)
labels.mistake("labels-not-float", lambda classes: classes.long(), shape_only=True).says(
    "Your `y` holds whole numbers, as the `DataLoader` gives them; wanted is float32."
)


def came(*ways):
    """The numbers that say so in descriptions, each of a way: pipeline and folder."""
    return torch.tensor(sorted(probes.code(*way) for way in ways))


ways = Formula(
    "x",
    draw=lambda rng, split: {"split": split},
    also=lambda split: {"other": {"train": "val", "val": "train"}[split]},
    reference=lambda split: came((split, split)),
    take=lambda got, name, right: got,
    message='`"{split}"` should give the pictures in the folder `{split}`, each through the'
    ' `"{split}"` pipeline.',
    cases=[{"split": split} for split in COUNTS],
)
ways.mistake("train-transform-on-val", lambda split, other: came((other, split))).says(
    'Your `val` pictures go through the `"train"` pipeline. The two may differ: what is done at'
    " random to pictures for training must not be done to those that measure."
)
ways.mistake(
    "wrong-folder", lambda split, other: iter((came((split, other)), came((other, other))))
).says("You load the pictures of another split than the one asked for: `split` names the folder.")
ways.add(BOTH_FOLDERS, lambda split, other: came((split, split), (split, other)))


@pytest.fixture(scope="module")
def tree(suite_rng):
    """Random colour pictures by path; their first number is odd in the second folder."""
    found = {}
    for split, counts in COUNTS.items():
        for name, number in ((name, n) for name, count in counts.items() for n in range(count)):
            shape = (*SIDES[number % len(SIDES)], 3)
            picture = torch.randint(256, shape, generator=suite_rng).to(torch.uint8).numpy()
            picture[0, 0, 0] = picture[0, 0, 0] // 2 * 2 + (split == "val")
            found[f"{split}/{name}/{number:03}.png"] = picture
    return found


@pytest.fixture(scope="module")
def found(student, tree):
    """x and y of each split, and all columns that x could hold."""
    found = student.run(probes.loaded, tree=tree, size=SIZE)
    for split in COUNTS:
        both = isinstance(found[split], list) and len(found[split]) == 2
        says = "`load_split` should return x and y; yours is {got}."
        expect(both, says, got=kind(found[split]))
    made = probes.describe if found["asked"] else pipeline
    columns = [made(picture, SIZE) for picture in tree.values()]
    return {**found, "columns": torch.stack(columns, dim=1)}


def in_columns(x, wanted, part=False):
    """x as float32 with a picture in each column; with `part`, some of the pictures will do."""
    if isinstance(x, Tensor):
        x = x.float().T if x.dim() == 2 and x.shape[1] == DIM else x.float()
        if x.dim() == 2 and len(x) == DIM and x.shape[1] < wanted.shape[1]:
            mistake("pictures-missing", not part).says(
                "You get a part of the pictures only. One batch of a `DataLoader` holds"
                " `batch_size` of them, and `drop_last` drops the rest: for the whole split, the"
                " batch has to be as large as the data set."
            )
            return x
    return pictures.compared(x, columns=wanted).got


def scaled(x):
    """x as it would be without a second scaling."""
    return 255 * x if x.max() < 0.1 else x


def places(x, wanted):
    """For each column of x, however bright, the picture that it is; -1 where it is none of them."""
    nearest = torch.cdist(scaled(x).T, wanted.T, p=float("inf")).min(dim=1)
    return torch.where(nearest.values <= PIXEL, nearest.indices, -1)


def in_order(x, wanted):
    """x as it would be, had its pictures come in the order of `wanted`."""
    rows = x.reshape(-1, DIM)  # the pictures, where `reshape` has torn them
    for torn in (False, True):
        where = places(rows.T if torn else x, wanted)
        if torch.equal(where.sort().values, torch.arange(len(where))):
            return rows[where.argsort()].reshape(x.shape) if torn else x[:, where.argsort()]
    return x


@pytest.mark.points(2)
def test_form(found):
    """x is `(3 * image_size * image_size, m)`, y is `(1, m)`, both float32.

    x, y = load_split(data_dir, "val", 20)
    print(x.shape, x.dtype)  # 3 * 20 * 20 rows, 200 pictures
    #> torch.Size([1200, 200]) torch.float32
    print(y.shape, y.dtype)
    #> torch.Size([1, 200]) torch.float32
    """
    expect(not found["asked"] or SIZE in found["asked"], SIZE_IGNORED)
    for split, m in TOTAL.items():
        x, y = found[split]
        if isinstance(x, Tensor) and x.dim() == 2 and x.shape[1] != DIM:
            m = x.shape[1]  # how many is another test's matter
        pictures.compared(x, columns=torch.ones(DIM, m))
        labels.compared(y, classes=torch.ones(1, m))


@pytest.mark.points(4)
def test_pictures(found):
    """Every picture of the split is one column of x, none is missing, none is there twice.

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
            picture = Image.new("RGB", (28, 28), (30 * i, 0, 0))
            picture.save(Path(folder) / "val" / "eight" / f"{i}.png")
        x, y = load_split(Path(folder), "val", 28)
        print(sorted((255 * x[0]).round().tolist()))
    #> [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0]
    """
    wanted = found["columns"][:, : TOTAL["train"]]
    x = in_columns(found["train"][0], wanted)
    where = places(x, wanted)
    several = bool((where >= 0).all()) and len(where.unique()) < len(where)
    expect(not several, "Some pictures of the split are in several columns of x, others in none.")
    pictures.check(in_order(x, wanted), columns=wanted)


@pytest.mark.points(2)
def test_labels(found):
    """The number in y is the class of the picture in the same column of x.

    x, y = load_split(data_dir, "val", 28)
    right = 0
    for picture, label in ImageFolder(data_dir / "val", make_transforms(28)["val"]):
        column = (x.cpu() - picture.reshape(-1, 1)).abs().sum(dim=0).argmin()  # where it is in x
        right += int(y[0, column] == label)
    print(right)  # of 200
    #> 200
    """
    wanted = found["columns"][:, : TOTAL["train"]]
    x, y = in_columns(found["train"][0], wanted, part=True), found["train"][1]
    expect(isinstance(y, Tensor), "y should be a tensor; yours is {got}.", got=kind(y))
    n = y.numel()
    expect(n == x.shape[1], "y should hold one class for each picture; yours has {n}.", n=n)
    right = torch.arange(2.0).repeat_interleave(torch.tensor([*COUNTS["train"].values()]))
    got, where = y.reshape(-1).float(), places(x, wanted)
    if bool((where >= 0).any()):
        got, right = got[where >= 0], right[where[where >= 0]]
    else:  # columns that are no pictures are another test's matter
        got = got.sort().values
    as_many = torch.equal(got.sort().values, right.sort().values)
    mistake("x-and-y-apart", as_many and not torch.equal(got, right)).says(
        "The pictures and the classes are there, but they do not belong together: x and y are in"
        " different orders. Shuffling must move both alike; take both from the same batch."
    )
    labels.check(got[None], classes=right[None])


@pytest.mark.points(2)
def test_splits(found):
    """`"val"` gives the pictures of `val` through the `"val"` pipeline, `"train"` those of `train`
    through its own.

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
    for split in COUNTS:
        x = found[split][0]
        expect(isinstance(x, Tensor), "x should be a tensor; yours is {got}.", got=kind(x))
        if found["asked"]:  # what else is done to the numbers is another test's matter
            codes = scaled(x)[((255 * scaled(x)) % 1 - 0.5).abs() < 0.1]
        else:  # only the folder may differ
            where = places(in_columns(x, found["columns"], part=True), found["columns"])
            train, val = came((split, "train")), came((split, "val"))
            codes = torch.where(where < TOTAL["train"], train, val) * (where >= 0)
        ways.check(codes.unique(), split=split)
