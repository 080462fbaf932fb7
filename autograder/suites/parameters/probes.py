"""What runs in the student kernel for the suites of `parameters`."""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from autograder.exercise.inside_modules import (
    answer,
    described,
    fill,
    follows,
    held,
    kept_as,
    loaded,
    reuses,
    tensor_named,
    tensors_of,
)

# --------------------------------------------------------------------------------------- MyLinear


def layer(notebook, sizes, **how):
    """What a new layer has: its numbers, and how each is registered."""
    layer = notebook.MyLinear(*sizes, **how)
    sizes = [getattr(layer, name, None) for name in ("in_features", "out_features")]
    return described(layer, weights=2, bias=1) | {"sizes": sizes}


def linear(notebook, x, weights, bias=None):
    """What a layer with these numbers gives, and whether some of them cannot learn by it.

    Where the student's own tensors are of a form that `forward` cannot use, there are parameters of
    the right form in their place: that form is another test's matter, as is their type.
    """
    given = {"weights": weights} if bias is None else {"weights": weights, "bias": bias}
    how = {"bias": False} if bias is None else {}
    own, other = (notebook.MyLinear(*weights.shape, **how) for _ in range(2))
    fill(tensors_of(own) + tensors_of(other), given.values())
    with suppress(Exception):
        for name, numbers in given.items():
            setattr(other, name, nn.Parameter(numbers.clone()))
    shapes, errors = [each.shape for each in tensors_of(own)], []
    fits = all(numbers.shape in shapes for numbers in given.values())
    for layer in (own, other) if fits else (other, own):
        try:
            used = [tensor_named(layer, name, numbers.dim()) for name, numbers in given.items()]
            found = answer(layer, x, [each for each in used if each is not None])
        except Exception as error:
            errors.append(error)
            continue
        double = any(each.dtype == torch.float64 for each in tensors_of(layer))
        return found | ({"forward": found["forward"].float()} if double else {})
    raise errors[0 if fits else 1]


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
    """What a module holds, and whether all that `forward` uses goes along to another device."""
    module, double = (notebook.Standardize(mean.clone(), std.clone()) for _ in range(2))
    return described(module) | follows(module, double, x)


# -------------------------------------------------------------------------------------------- MLP


class Layer(nn.Linear):
    """Stands for MyLinear."""


def network(notebook, sizes, x, layers=(), must=True, stand_in=False):
    """What a network has, and what it gives with given numbers in it.

    The numbers in `layers` find their place by their shape; without any, the network keeps its own.
    An exception in `forward` counts only where it `must` work.
    """
    if stand_in:
        notebook.MyLinear = Layer
    network = notebook.MLP(list(sizes))
    modules, tensors = [m for m in held(network) if isinstance(m, nn.Module)], tensors_of(network)
    own = [each for each in modules if isinstance(getattr(each, "weights", None), Tensor)]
    with suppress(Exception):  # it is not there, or no class: that is another test's matter
        own += [each for each in modules if isinstance(each, notebook.MyLinear)]
    linear = [each for each in modules if isinstance(each, nn.Linear)]
    found = {
        "own": bool(own),
        "torch": any(all(each is not mine for mine in own) for each in linear),
        "hidden": any(kept_as(network, tensor) != "parameter" for tensor in tensors),
        "tensors": len(tensors),
        "filled": [fill(tensors, layer) for layer in layers],
        "forward": None,
    }
    try:
        return found | {"reused": reuses(network, x)} | answer(network, x, tensors)
    except Exception:
        if must:
            raise
        return found
