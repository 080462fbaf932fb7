"""The grader's own pictures are those of torchvision, and its held-out ones are all there."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from autograder.suites.manual_backward.pictures import HELD_OUT, held_out, pipeline


def torchvision(size):
    return transforms.Compose(
        [
            transforms.Resize(size),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Lambda(torch.flatten),
        ]
    )


@pytest.mark.parametrize("size", [1, 5, 8, 20, 28])
@pytest.mark.parametrize("sides", [(7, 7), (6, 9), (11, 6), (14, 25), (21, 12), (28, 28), (33, 64)])
def test_pictures_are_torchvisions(sides, size):
    picture = np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8)
    assert torch.equal(pipeline(picture, size), torchvision(size)(Image.fromarray(picture)))


def test_held_out_pictures_are_imagefolders():
    x, y = held_out(28)
    pictures = ImageFolder(HELD_OUT, torchvision(28))
    assert x.shape == (2352, 200)
    assert y.tolist() == pictures.targets
    for place in (0, 57, 199):
        assert torch.equal(x[:, place].float(), pictures[place][0])
