"""What loops are watched with: sent along with probes.

A network and an optimizer note what a loop does with them; criteria that tell more than usual.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Linex(nn.Module):
    """A criterion that is not the same with its arguments swapped."""

    reduction = "mean"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        difference = input - target
        return (torch.exp(difference) - difference - 1).mean()


class Classes(nn.CrossEntropyLoss):
    """One that takes its arguments in either order, where another check looks at that."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(*sorted((input, target), key=torch.is_floating_point, reverse=True))


CRITERIA = {"mse": nn.MSELoss, "linex": Linex, "classes": Classes}


def watched(
    loop: Callable[[nn.Module, torch.optim.Optimizer], Any],
    start: Sequence[Tensor],
    optimizer: tuple[str, dict[str, Any]],
    modes: Sequence[bool] = (),
    grads: Sequence[Tensor] = (),
    full: bool = True,
) -> dict[str, Any]:
    """Let a loop train a network, or evaluate it, and tell all that happens meanwhile.

    The network is two linear layers with a tanh between them, five modules in all: itself, its
    inner part with the first layer and the tanh, and the last layer.

    Args:
        loop: gets the network and the optimizer.
        start: the parameters of the two layers.
        optimizer: the name of its class in `torch.optim`, and its settings.
        modes: of all modules, before, in the order of `modules()`: whether they are training.
        grads: of the parameters, before.
        full: whether parameters and gradients are noted, which takes long where there are many.

    Returns:
        `result` of the loop, the name of its `type`, whether a tensor in it had a `graph`;
        `passes`: for each forward pass, the parameters `at` it, whether its outputs have a `graph`,
        the `modes` of all modules, and whether the network is the `own` one or a copy;
        `steps`: for each step, the parameters `before` and `after` it, and their `gradients`;
        `backwards`: how often something went backward; in the end, the parameters (`after`), their
        `gradients`, the `modes`, who is `trainable`, and whether gradients are on (`grad_mode`).
    """
    passes: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    backwards: list[Tensor] = []

    def now() -> list[Tensor]:
        return [p.detach().clone() for p in noted]

    def gradients() -> list[Tensor | None]:
        return [None if p.grad is None else p.grad.detach().clone() for p in noted]

    class Network(nn.Sequential):
        def forward(self, x: Tensor) -> Any:
            outputs = super().forward(x)
            modes = [module.training for module in self.modules()]
            note = {"at": now(), "graph": outputs.requires_grad, "modes": modes}
            passes.append({**note, "own": self is network})
            return outputs

    first, last = (nn.Linear(weights.shape[1], weights.shape[0]) for weights in start[::2])
    network = Network(nn.Sequential(first, nn.Tanh()), last)
    parameters = list(network.parameters())
    noted = parameters if full else []
    for parameter, values in zip(parameters, start, strict=True):
        parameter.data.copy_(values)
    for parameter, values in zip(parameters, grads, strict=False):
        parameter.grad = values.clone()
    for module, mode in zip(network.modules(), modes, strict=False):
        module.training = mode
    parameters[-1].register_hook(backwards.append)
    name, settings = optimizer
    given = getattr(torch.optim, name)(parameters, **settings)
    given.register_step_pre_hook(lambda *_: steps.append({"before": now()}))
    given.register_step_post_hook(lambda *_: steps[-1].update(gradients=gradients(), after=now()))
    result = loop(network, given)
    entries = result if isinstance(result, list) else [result]
    plain = [float(entry) if isinstance(entry, float) else entry for entry in entries]
    return {
        "result": plain if isinstance(result, list) else plain[0],
        "type": "list" if isinstance(result, list) else type(result).__name__,
        "graph": any(isinstance(entry, Tensor) and entry.requires_grad for entry in entries),
        "passes": passes,
        "steps": steps,
        "backwards": len(backwards),
        "after": now(),
        "gradients": gradients(),
        "modes": [module.training for module in network.modules()],
        "trainable": [p.requires_grad for p in parameters],
        "grad_mode": torch.is_grad_enabled(),
    }


def arrivals(loop: Callable[..., Any]) -> dict[str, bool]:
    """Whether a loop moves its data to the device "meta", where the model is.

    Tensors on that device, which is there on every machine, have a shape, but no numbers.

    Args:
        loop: gets a network, inputs `(10, 3)` and labels `(10, 2)` on the CPU, a criterion and an
            optimizer.

    Returns:
        Of the first batch whether its `inputs` come to the network, and its `labels` to the
        criterion, on that device; one that never comes is not told.
    """
    arrived: dict[str, bool] = {}

    class Network(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            arrived["inputs"] = x.is_meta
            return super().forward(x.to("meta"))

    class Criterion(nn.MSELoss):
        def forward(self, *given: Tensor) -> Any:
            arrived["labels"] = all(each.is_meta for each in given)
            raise RuntimeError("no number comes of a meta tensor")

    network = Network(3, 2, device="meta")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    try:
        loop(network, torch.ones(10, 3), torch.ones(10, 2), Criterion(), optimizer)
    except RuntimeError as error:
        if "meta tensor" not in str(error):
            raise
    return arrived
