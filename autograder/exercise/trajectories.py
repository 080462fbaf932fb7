"""Where optimizers lead, in float64: the trajectories that training is compared with.

Parameters are a list of tensors; each step moves them in place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograder.exercise.rules import RULES, Kept, Options

Parameters = Sequence[Tensor]
Gradients = Sequence[Tensor | None]
Step = Callable[[Gradients], None]


@dataclass(frozen=True)
class Optimizer:
    """An optimizer with its settings.

    Attributes:
        name: of its class in `torch.optim`: what a probe makes. A step is that of
            :mod:`autograder.exercise.rules`: torch's own would import its compiler first, which
            takes a second.
        options: the settings by name.
    """

    name: str
    options: Mapping[str, Any]

    def stepper(self, parameters: Parameters) -> Step:
        """A function that moves the parameters, given their gradients; None leaves one alone."""
        rule, defaults = RULES[self.name]
        options = Options({**defaults, **self.options})
        memories: list[Kept] = [{"t": 0} for _ in parameters]

        def step(gradients: Gradients) -> None:
            for parameter, gradient, kept in zip(parameters, gradients, memories, strict=True):
                if gradient is not None:
                    kept["t"] += 1
                    parameter.copy_(rule(parameter, gradient, kept, options))

        return step


def plain(lr: float) -> Optimizer:
    """Gradient descent that does nothing else."""
    return Optimizer("SGD", {"lr": lr})


#: What suites train with; each row is held against torch's own optimizer by a test.
OPTIMIZERS = {
    "plain": plain(0.05),
    "momentum": Optimizer("SGD", {"lr": 0.01, "momentum": 0.8, "weight_decay": 0.1}),
    # With this eps a step is well-conditioned also where a gradient is nearly zero.
    "adam": Optimizer("Adam", {"lr": 0.05, "eps": 0.1}),
}


def replay(start: Parameters, gradients: Iterable[Gradients], optimizer: Optimizer) -> list[Tensor]:
    """Where the optimizer takes `start` in float64, a step for each of the noted gradients."""
    parameters = doubles(start)
    step = optimizer.stepper(parameters)
    for noted in gradients:
        step([None if each is None else each.double() for each in noted])
    return parameters


@dataclass(frozen=True)
class Trajectory:
    """What training comes by.

    Attributes:
        places: the parameters from before each step, and from after the last one.
        losses: those from before the steps, `(steps,)`, float64.
    """

    places: list[list[Tensor]]
    losses: Tensor


def follow(
    loss: Callable[..., Tensor],
    start: Parameters,
    batches: Iterable[Sequence[Tensor]],
    optimizer: Optimizer,
) -> Trajectory:
    """Train from `start` in float64, a step a batch.

    Args:
        loss: of a list of parameters and the tensors of a batch; a scalar.
        batches: floating tensors in them are made float64.
    """
    parameters = [parameter.requires_grad_() for parameter in doubles(start)]
    step = optimizer.stepper(parameters)
    places, losses = [doubles(parameters)], []
    for batch in batches:
        value = loss(parameters, *doubles(batch))
        with torch.no_grad():
            step(torch.autograd.grad(value, parameters))
        places.append(doubles(parameters))
        losses.append(value.detach())
    return Trajectory(places, torch.stack(losses))


def at_each(
    value: Callable[..., Tensor], places: Iterable[Parameters], batches: Iterable[Sequence[Tensor]]
) -> Tensor:
    """What each batch gives at a place each, float64, one row each.

    Args:
        value: of a list of parameters and the tensors of a batch.
    """
    pairs = zip(map(doubles, places), map(doubles, batches), strict=True)
    return torch.stack([value(place, *batch) for place, batch in pairs])


def slope(loss: Callable[..., Tensor], parameters: Parameters, *batch: Tensor) -> Tensor:
    """The gradient of a loss by all parameters, as one vector."""
    wanted = [parameter.requires_grad_() for parameter in parameters]
    return vector(torch.autograd.grad(loss(wanted, *batch), wanted))


def doubles(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Copies without a graph, those of floating tensors in float64."""
    copies = (tensor.detach().clone() for tensor in tensors)
    return [copy.double() if copy.is_floating_point() else copy for copy in copies]


def vector(tensors: Gradients, like: Parameters = ()) -> Tensor:
    """All numbers of several tensors as one float64 vector; None stands for zeros.

    Args:
        like: tensors of the shapes of these, where some of these may be None.
    """
    whole = [
        torch.zeros_like(like[place]) if each is None else each
        for place, each in enumerate(tensors)
    ]
    return torch.cat([each.double().flatten() for each in whole])
