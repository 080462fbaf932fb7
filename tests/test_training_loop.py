"""Tests of what the suites of `training_loop` compute by themselves."""

import pytest
import torch

from autograder.suites.training_loop import draw, replay
from autograder.suites.training_loop import test_train as train_suite


@pytest.mark.parametrize("plan", [train_suite.MOMENTUM, train_suite.ADAM], ids=["SGD", "Adam"])
def test_optimizers_are_torchs(plan):
    """The grader's own steps are those of torch's optimizers, also where a gradient is missing."""
    rng = torch.Generator().manual_seed(5)
    start = draw(rng, 1, 2)[0]
    steps = []
    for _ in range(7):
        gradients = [torch.randn(p.shape, generator=rng) for p in start]
        steps.append({"gradients": [None, *gradients[1:]]})
    theirs = [p.double().requires_grad_() for p in start]
    optimizer = getattr(torch.optim, plan["optimizer"])(theirs, **plan["options"])
    for step in steps:
        for parameter, gradient in zip(theirs, step["gradients"], strict=True):
            parameter.grad = None if gradient is None else gradient.double()
        optimizer.step()
    wanted = torch.cat([p.detach().flatten() for p in theirs])
    torch.testing.assert_close(replay(start, steps, plan), wanted, rtol=1e-12, atol=1e-14)
