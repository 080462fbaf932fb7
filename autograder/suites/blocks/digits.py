"""The held-out pictures of digits, which no student has."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HELD_OUT = Path(__file__).parents[2] / "holdout" / "digits"


@cache
def held_out() -> tuple[Tensor, Tensor]:
    """The pictures (1000, 28, 28), float32 from 0 to 1, and the digits that they show (1000,)."""
    paths = sorted(HELD_OUT.rglob("*.png"))
    images = torch.from_numpy(np.stack([np.array(Image.open(path)) for path in paths]))
    return images.float() / 255, torch.tensor([int(path.parent.name) for path in paths])
