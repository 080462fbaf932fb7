"""Tests of what the suites of `optimizers` compute by themselves."""

from typing import Any

import pytest
import torch

from autograder.exercise.rules import follow
from autograder.exercise.walks import draw

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.3},
        {"lr": 0.1, "momentum": 0.8, "dampening": 0.4},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.3},
    ],
    "RMSprop": [{}, {"alpha": 0.8, "eps": 0.1, "momentum": 0.7, "weight_decay": 0.3}],
    "Adam": [{}, {"lr": 0.05, "betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.3}],
    "AdamW": [{}, {"lr": 0.05, "betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.3}],
}


@pytest.mark.parametrize(
    ("name", "options"), [(name, each) for name, rows in OPTIONS.items() for each in rows]
)
@pytest.mark.parametrize("groups", [(), ({"places": [0, 2]}, {"places": [1], "lr": 0.02})])
def test_the_right_path_is_torchs(name: str, options: dict[str, Any], groups: Any) -> None:
    """All steps of all parameters, also where gradients are missing and options are a group's."""
    rng = torch.Generator().manual_seed(5)
    drawn = draw(rng, name, options, gaps=True, groups=groups)["walk"]
    parameters = [p.double().requires_grad_() for p in drawn["start"]]
    given: Any = [
        {**group, "params": [parameters[place] for place in group["places"]]} for group in groups
    ]
    optimizer = getattr(torch.optim, name)(given or parameters, **options)
    path = []
    for step in range(50):
        for place, p in enumerate(parameters):
            slope = drawn["gradients"][place][step].double()
            p.grad = None if step in drawn["missing"][place] else slope
        optimizer.step()
        path.append(torch.cat([p.detach().flatten() for p in parameters]).clone())
    ours = follow(**drawn)
    assert ours is not None
    torch.testing.assert_close(ours, torch.stack(path), rtol=1e-12, atol=1e-13)
