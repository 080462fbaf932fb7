"""What the pictures' pipeline gives, computed in the grader: Resize, CenterCrop, 0 to 1, flat.

torchvision's own transforms give the same (a test compares them); importing it would cost every run
of the grader seconds.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

HELD_OUT = Path(__file__).parents[2] / "holdout" / "digits_3_vs_8"

#: How far a pixel may be off: one grey level of 8-bit rounding in each direction of scaling.
PIXEL = 2.5 / 255


def scaled(image: Image.Image, size: int) -> Image.Image:
    """Scale a picture until its shorter side is `size` long."""
    width, height = (int(size * side / min(image.size)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def middle(image: Image.Image, size: int) -> Image.Image:
    """Cut the square of `size` out of the middle; beyond the picture it is black."""
    left, top = (round((side - size) / 2) for side in image.size)
    return image.crop((left, top, left + size, top + size))


def flat(image: Image.Image) -> Tensor:
    """A picture as float32 values from 0 to 1: all red ones first, then green, then blue."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).reshape(-1).float() / 255


def pipeline(picture: NDArray[np.uint8], size: int) -> Tensor:
    """What a picture (height, width, 3) becomes: (3 * size * size,)."""
    return flat(middle(scaled(Image.fromarray(picture), size), size))


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
