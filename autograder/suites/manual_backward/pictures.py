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
def given(split: str) -> list[Tensor]:
    """Pictures (m, 3, 28, 28) and classes (1, m) of a split that students have, float32."""
    x, y = _read(Path(os.environ["COURSE_DATA"], "digits_3_vs_8", split), 28)
    return [x.T.reshape(-1, 3, 28, 28).float(), y[None].float()]


def _read(folder: Path, size: int) -> tuple[Tensor, Tensor]:
    columns, classes = [], []
    for number, name in enumerate(("eight", "three")):
        for path in sorted((folder / name).glob("*.png")):
            columns.append(pipeline(np.asarray(Image.open(path).convert("RGB")), size))
            classes.append(number)
    return torch.stack(columns, dim=1).double(), torch.tensor(classes)
