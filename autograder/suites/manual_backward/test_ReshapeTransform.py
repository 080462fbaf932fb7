"""`ReshapeTransform`: the same numbers, in the same order, in another shape."""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, fail

CHANNELS_LAST = Misconception(
    "channels-last",
    "Your numbers come in another order: you move the first axis (the colours) to the end before"
    " you reshape. Here the order stays as it is in the tensor.",
)
TURNED = Misconception(
    "axes-reversed",
    "Your numbers come in another order: you turn the tensor's axes round (`.T`, `permute`) before"
    " you reshape. Here the order stays as it is in the tensor.",
)
ALWAYS_FLAT = Misconception(
    "new-size-ignored",
    "You always make one long row. The shape to make is the one that the constructor was given:"
    " `__init__` has to keep it, and `__call__` to use it.",
)
UNCHANGED = Misconception(
    "not-reshaped",
    "The tensor comes back in its old shape. `reshape` and `view` do not change a tensor: they"
    " return another one.",
)


def probe_reshape(notebook, img, sizes):
    return [notebook.ReshapeTransform(tuple(size))(img) for size in sizes]


def compare(got, img, shape):
    shape = tuple(shape)
    if isinstance(got, torch.Tensor) and tuple(got.shape) != shape:
        if tuple(got.shape) == (img.numel(),):
            fail("", because=ALWAYS_FLAT)
        if got.shape == img.shape:
            fail("", because=UNCHANGED)
    got = checks.tensor(got, "The result", shape)
    checks.close(
        got,
        img.reshape(shape),
        "The result",
        1e-6,
        among=[
            (CHANNELS_LAST, img.permute(1, 2, 0).reshape(shape)),
            (TURNED, img.permute(2, 1, 0).reshape(shape)),
        ],
        message="The result has the right shape, but its numbers are in another order, or others.",
    )


FLAT = """\
img = torch.arange(12).reshape(3, 2, 2)
print(ReshapeTransform((-1,))(img).tolist())
#> [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
"""


@pytest.mark.points(3)
@pytest.mark.example(FLAT)
def test_flat(student, rng):
    """With `(-1,)` a picture becomes one long row of numbers, in the same order."""
    img = torch.rand(3, 4, 5, generator=rng)
    (got,) = student.run(probe_reshape, img=img, sizes=[[-1]])
    compare(got, img, [60])


SHAPES = """\
img = torch.arange(12).reshape(3, 2, 2)
print(ReshapeTransform((2, 6))(img).tolist())
#> [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
print(ReshapeTransform((4, -1))(img).tolist())
#> [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
"""


@pytest.mark.points(2)
@pytest.mark.example(SHAPES)
def test_any_shape(student, rng):
    """Any other shape is made too, also one with a `-1` in it."""
    img = torch.rand(2, 6, 5, generator=rng)
    asked = {(5, 12): (5, 12), (4, -1): (4, 15), (3, 5, 4): (3, 5, 4)}
    found = student.run(probe_reshape, img=img, sizes=[list(size) for size in asked])
    for got, shape in zip(found, asked.values(), strict=True):
        compare(got, img, shape)
