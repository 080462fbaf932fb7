"""The pictures of threes and eights, as the notebook's pipeline makes them."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from autograder.exercise.pictures import pipeline

HELD_OUT = Path(__file__).parents[2] / "holdout" / "digits_3_vs_8"


@cache
def held_out(size: int) -> tuple[Tensor, Tensor]:
    """The held-out pictures as x (3 * size * size, m), float64, and their classes y (m,)."""
    return _read(HELD_OUT, size)


@cache
def given(split: str, size: int) -> tuple[Tensor, Tensor]:
    """The same of a split that students have; it lies where notebooks find it, too."""
    return _read(Path(os.environ["COURSE_DATA"], "digits_3_vs_8", split), size)


def _read(folder: Path, size: int) -> tuple[Tensor, Tensor]:
    columns, classes = [], []
    for number, name in enumerate(("eight", "three")):
        for path in sorted((folder / name).glob("*.png")):
            columns.append(pipeline(np.asarray(Image.open(path).convert("RGB")), size))
            classes.append(number)
    return torch.stack(columns, dim=1).double(), torch.tensor(classes)
