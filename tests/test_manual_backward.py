"""The grader's own pictures are those of torchvision, its gradients those of autograd."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from autograder.exercise.formula import in_double
from autograder.exercise.pictures import HELD_OUT, pipeline
from autograder.suites.manual_backward import cross_entropy, sigmoid, test_LR_backward
from autograder.suites.manual_backward.test_model import held_out


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


@pytest.mark.parametrize("m", test_LR_backward.SIZES)
def test_gradients_of_the_lesson_are_autograds(m):
    data = in_double(test_LR_backward.draw(torch.Generator().manual_seed(m), m=m))
    w, b = data["w"].requires_grad_(), data["b"].requires_grad_()
    wanted = torch.autograd.grad(cross_entropy(sigmoid(w.T @ data["x"] + b), data["y"]), (w, b))
    for formula, gradient in zip((test_LR_backward.dw, test_LR_backward.db), wanted, strict=True):
        formula.check(gradient, **data)


def test_held_out_pictures_are_imagefolders():
    x, y = held_out(28)
    pictures = ImageFolder(HELD_OUT / "digits_3_vs_8", torchvision(28))
    assert x.shape == (2352, 200)
    assert y.tolist() == pictures.targets
    for place in (0, 57, 199):
        assert torch.equal(x[:, place].float(), pictures[place][0])
