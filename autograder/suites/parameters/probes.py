"""What runs in the student kernel for the suites of `parameters`."""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from autograder.exercise.inside_modules import (
    answer_with,
    assembled,
    described,
    follows,
    held,
    loaded,
)

# --------------------------------------------------------------------------------------- MyLinear


def layer(notebook, sizes, **how):
    """What a new layer has: its numbers, and how each is registered."""
    layer = notebook.MyLinear(*sizes, **how)
    sizes = [getattr(layer, name, None) for name in ("in_features", "out_features")]
    return described(layer, weights=2, bias=1) | {"sizes": sizes}


def linear(notebook, x, **numbers):
    """What a layer with these numbers gives, and whether some of them cannot learn by it."""
    how = {} if "bias" in numbers else {"bias": False}
    sizes = numbers["weights"].shape
    return answer_with(lambda: notebook.MyLinear(*sizes, **how), x, numbers)


# ------------------------------------------------------------- parameter_names, count_parameters


class Nested(nn.Module):
    """A module with modules inside modules: parameters, buffers and a plain tensor."""

    def __init__(self, a, b, c, d):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(d, b))
        self.shift = nn.Parameter(torch.ones(c))
        self.block = nn.Sequential(nn.Linear(b, c), nn.Sequential(nn.Linear(c, d, bias=False)))
        self.norm = nn.BatchNorm1d(d)
        self.first = nn.Linear(a, b)
        self.plain = torch.ones(4)


def freezes(sizes):
    """Such a module three times: nothing frozen, some parameters, all but those.

    Two parameters have a gradient already, which says nothing about what is trained.
    """
    modules: list[Any] = [Nested(*sizes) for _ in range(3)]
    for place, module in enumerate(modules):
        some = [module.scale, module.block[0].bias, module.block[1][0].weight]
        for p in (module.norm.weight, module.block[0].bias):
            p.grad = torch.zeros_like(p)
        for p in module.parameters():
            p.requires_grad = place == 0 or any(p is other for other in some) == (place == 2)
    return modules


def counts(notebook, sizes):
    return [notebook.count_parameters(module) for module in freezes(sizes)]


def names(notebook, sizes):
    """The names and the type of what they came in, before and after all is frozen."""
    module, found = Nested(*sizes), []
    for trained in (True, False):
        module.requires_grad_(trained)
        names = notebook.parameter_names(module)
        walkable = hasattr(names, "__iter__") and not isinstance(names, str | Tensor)
        found.append([list(names) if walkable else names, type(names).__name__])
    return found


# ------------------------------------------------------------------------------------ Standardize


def standardize(notebook, x, mean, std):
    return notebook.Standardize(mean.clone(), std.clone())(x.clone())


def saved(notebook, x, mean, std):
    """What a module saves, and what another one with other numbers gives after loading it."""
    module = notebook.Standardize(mean.clone(), std.clone())
    return described(module) | loaded(module, notebook.Standardize(2 * mean, 3 * std), x)


def moved(notebook, x, mean, std):
    """What a module holds, and whether all that `forward` uses goes along to another device.

    Whatever `forward` gives stays here: what it is worth is another test's matter.
    """
    module, double = (notebook.Standardize(mean.clone(), std.clone()) for _ in range(2))
    return described(module) | follows(module, double, x)


# -------------------------------------------------------------------------------------------- MLP


class Layer(nn.Linear):
    """Stands for MyLinear."""


def network(notebook, sizes, stand_in=False, **given):
    """Of whose layers a network is made, and what is `assembled` in it."""
    if stand_in:
        notebook.MyLinear = Layer
    network = notebook.MLP(list(sizes))
    modules = [each for each in held(network) if isinstance(each, nn.Module)]
    own = [each for each in modules if isinstance(getattr(each, "weights", None), Tensor)]
    with suppress(Exception):  # it is not there, or no class: that is another test's matter
        own += [each for each in modules if isinstance(each, notebook.MyLinear)]
    theirs = [each for each in modules if isinstance(each, nn.Linear)]
    others = any(all(each is not mine for mine in own) for each in theirs)
    return {"own": bool(own), "torch": others} | assembled(network, **given)
