"""`model`: how many of the held-out pictures it gets right, computed here from its `w` and `b`."""

from math import isqrt

import pytest
import torch

from autograder import checks
from autograder.checks import Misconception, expect, fail
from autograder.suites.manual_backward.pictures import held_out

MOST = 512  # the largest image_size that is tried

UNTRAINED = Misconception(
    "untrained",
    "The weights of your model are all zero: it was not trained, or another one was trained in its"
    " place.",
)
BACKWARDS = Misconception(
    "answers-reversed",
    "Your model takes threes for eights and eights for threes nearly always: somewhere between the"
    " classes and the step a sign, or the classes themselves, are the other way round.",
)
ONE_ANSWER = Misconception(
    "always-the-same-answer",
    "Your model gives the same answer for every picture. Either it was trained on pictures of one"
    " class only, or its steps lead away from the goal: look whether the learning curve falls.",
)


def probe_model(notebook):
    return {"w": notebook.model.w, "b": notebook.model.b}


def as_it_was_trained(size, colours):
    """The held-out pictures, also as earlier tasks, done wrong, may lay out and scale them.

    What is wrong there is lost there; here counts only what the model has learned.
    """
    x, _ = held_out(size)
    planes = x.reshape(3, size, size, -1)[:colours]
    flat = planes.reshape(colours * size * size, -1)
    yield flat
    yield planes.permute(1, 2, 0, 3).reshape(flat.shape)
    yield planes.permute(2, 1, 0, 3).reshape(flat.shape)
    yield 255 * flat
    yield flat / 255
    yield 2 * flat - 1


@pytest.fixture(scope="module")
def accuracy(student):
    """How many percent of the held-out pictures are right; a `Failure` where that has no answer."""

    def measure():
        found = student.run(probe_model)
        w, b = found["w"], checks.number(found["b"], "`model.b`")
        expect(isinstance(w, torch.Tensor), f"`model.w` should be a tensor; {checks.kind(w)}.")
        colours = 1 if w.numel() == isqrt(w.numel()) ** 2 else 3
        size = isqrt(w.numel() // colours)
        expect(
            colours * size * size == w.numel() and 1 <= size <= MOST,
            "`model.w` should have one weight for each pixel value, `3 * image_size * image_size`"
            f" of them; yours has the shape {tuple(w.shape)}.",
        )
        w = checks.tensor(w.reshape(-1), "`model.w`", (w.numel(),)).double()
        expect(bool(w.any()), "", because=UNTRAINED)
        y = held_out(size)[1]
        answers, percents = [], []
        for x in as_it_was_trained(size, colours):
            answers.append((w @ x + b > 0).long())
            percents.append(100 * float((answers[-1] == y).double().mean()))
            if percents[0] >= 96:
                break
        if max(percents) >= 90:
            return max(percents)
        if percents[0] <= 10:
            fail("", because=BACKWARDS)
        if bool((answers[0] == answers[0][0]).all()):
            fail("", because=ONE_ANSWER)
        return percents[0]

    try:
        return measure()
    except checks.Failure as failure:
        return failure


def require(accuracy, percent):
    if isinstance(accuracy, checks.Failure):
        raise accuracy
    expect(
        accuracy >= percent,
        f"Your model is right on {accuracy:.1f} % of the held-out pictures; {percent} % are needed."
        " Look at the learning curve: does the loss still fall at its end, or does it jump about?",
    )


EXAMPLE = """\
# A forecast, give or take two percentage points: the check has other pictures.
val = ImageFolder(data_dir / "val", make_transforms(image_size)["val"])
x = torch.stack([picture for picture, label in val], dim=1).to(device)
right = ((model(x)[0] > 0.5).cpu() == torch.tensor(val.targets)).float().mean().item()
print(right >= 0.9, right >= 0.96)
#> True True
"""


@pytest.mark.points(5)
@pytest.mark.example(EXAMPLE)
def test_90_percent(accuracy):
    """The model is right on at least 90 % of the held-out pictures."""
    require(accuracy, 90)


@pytest.mark.points(5)
@pytest.mark.example(EXAMPLE)
def test_96_percent(accuracy):
    """The model is right on at least 96 % of the held-out pictures."""
    require(accuracy, 96)
