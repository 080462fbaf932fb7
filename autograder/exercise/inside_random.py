"""The random generators that everyone shares: Python's, NumPy's and PyTorch's. Sent with probes."""

import random
from typing import Any

import numpy as np
import torch


def disturb(number: int) -> None:
    """Leave all of them somewhere else, as others that draw do."""
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)


def draws() -> list[Any]:
    """What whoever draws next gets of each."""
    return [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()]
