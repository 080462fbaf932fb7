"""`ReshapeTransform`: the same numbers, in the same order, in another shape."""

import pytest
import torch

from autograder.exercise import Formula
from autograder.suites.manual_backward import probes

FLAT, OTHERS = (-1,), [(5, 12), (4, -1), (3, 5, 4)]

reshaped = Formula(
    "The result",
    draw=lambda rng, size: {"img": torch.rand(3, 4, 5, generator=rng), "size": size},
    reference=lambda img, size: img.reshape(size),
    message="The result has the right shape, but its numbers are in another order, or others.",
    cases=[{"size": size} for size in (FLAT, *OTHERS)],
)
reshaped.mistake("channels-last", lambda img, size: img.permute(1, 2, 0).reshape(size)).says(
    "Your numbers come in another order: you move the first axis (the colours) to the end before"
    " you reshape. Here the order stays as it is in the tensor."
)
reshaped.mistake("axes-reversed", lambda img, size: img.permute(2, 1, 0).reshape(size)).says(
    "Your numbers come in another order: you turn the tensor's axes round (`.T`, `permute`) before"
    " you reshape. Here the order stays as it is in the tensor."
)
reshaped.mistake("new-size-ignored", lambda img: img.flatten(), shape_only=True).says(
    "You always make one long row. The shape to make is the one that the constructor was given:"
    " `__init__` has to keep it, and `__call__` to use it."
)
reshaped.mistake("not-reshaped", lambda img: img, shape_only=True).says(
    "The tensor comes back in its old shape. `reshape` and `view` do not change a tensor: they"
    " return another one."
)


def check(student, rng, *sizes):
    drawn = [reshaped.draw(rng, size=size) for size in sizes]
    reshaped.check_all([(student.run(probes.reshaped, **inputs), inputs) for inputs in drawn])


@pytest.mark.points(3)
def test_flat(student, rng):
    """With `(-1,)` a picture becomes one long row of numbers, in the same order.

    img = torch.arange(12).reshape(3, 2, 2)
    print(ReshapeTransform((-1,))(img).tolist())
    #> [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    """
    check(student, rng, FLAT)


@pytest.mark.points(2)
def test_any_shape(student, rng):
    """Any other shape is made too, also one with a `-1` in it.

    img = torch.arange(12).reshape(3, 2, 2)
    print(ReshapeTransform((2, 6))(img).tolist())
    #> [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    print(ReshapeTransform((4, -1))(img).tolist())
    #> [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    """
    check(student, rng, *OTHERS)
