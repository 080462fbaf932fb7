"""Tests of what the suites of `training_loop` compute by themselves."""

from functools import partial

import pytest
import torch

from autograder.exercise import loops, small_network
from autograder.exercise.checks import Failure
from autograder.exercise.criteria import mse
from autograder.exercise.inside_loops import watched
from autograder.exercise.trajectories import (
    OPTIMIZERS,
    Optimizer,
    at_each,
    follow,
    replay,
    slope,
    vector,
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizers_are_torchs(optimizer: Optimizer) -> None:
    """The grader's own steps are those of torch's optimizers, also where a gradient is missing."""
    rng = torch.Generator().manual_seed(5)
    start = [torch.randn(shape, generator=rng) for shape in ((4, 3), (4,), (2, 4))]
    steps = [[None, *(torch.randn(p.shape, generator=rng) for p in start[1:])] for _ in range(7)]
    theirs = [p.double().requires_grad_() for p in start]
    torchs = getattr(torch.optim, optimizer.name)(theirs, **optimizer.options)
    for gradients in steps:
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.double()
        torchs.step()
    for ours, wanted in zip(replay(start, steps, optimizer), theirs, strict=True):
        torch.testing.assert_close(ours, wanted.detach(), rtol=1e-12, atol=1e-14)


def test_a_trajectory_is_where_the_steps_along_the_gradient_lead() -> None:
    """On `mean((w - x)²)`: the losses are from before the steps, the places from around them."""
    start, batches = [torch.tensor([3.0])], [(torch.zeros(2),), (torch.ones(1),)]
    path = follow(lambda p, x: ((p[0] - x) ** 2).mean(), start, batches, OPTIMIZERS["plain"])
    # w - 0.05 * 2 * (w - x): 3, then 2.7, then 2.53
    assert [round(float(w), 9) for (w,) in path.places] == [3.0, 2.7, 2.53]
    assert [round(value, 9) for value in path.losses.tolist()] == [9.0, 2.89]
    assert start[0].item() == 3.0


def test_losses_and_slopes_at_a_place_each() -> None:
    def loss(p: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return ((p[0] - x) ** 2).mean()

    places, batches = [[torch.tensor([3.0])], [torch.tensor([1.0])]], [(torch.zeros(2),)] * 2
    assert at_each(loss, places, batches).tolist() == [9.0, 1.0]
    assert at_each(partial(slope, loss), places, batches).tolist() == [[6.0], [2.0]]
    assert not places[0][0].requires_grad


def test_the_network_that_is_watched_is_the_graders() -> None:
    """What a right loop returns, and steps along, is what the grader works out by itself."""
    rng = torch.Generator().manual_seed(5)
    drawn = small_network.draw_training(rng, 150, 2, "mse", epochs=2, lr=0.05)

    def train(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
        history = []
        for _ in range(2):
            total = 0.0
            for x, y in drawn["batches"]:
                optimizer.zero_grad()
                loss = mse(network(x), y)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(x)
            history.append(total / 150)
        return history

    run = loops.Run(drawn=drawn, **watched(train, drawn["start"], ("SGD", {"lr": 0.05})))
    losses = small_network.losses(cases=[{}])
    loops.check_trained(run)
    loops.check_floats(run)
    loops.check_losses(losses, run)
    each = small_network.gradients_at(drawn["at"], drawn["batches"], 2)["each"]
    taken = torch.stack([vector(step["gradients"]) for step in run.steps])
    torch.testing.assert_close(taken, each(mse), rtol=1e-4, atol=1e-6)
    run.result = [value + 0.01 for value in run.result]
    with pytest.raises(Failure):
        loops.check_losses(losses, run)
