"""What runs in the student kernel for the suites of `parameters`."""

from contextlib import suppress

import torch
from torch import nn

# ------------------------------------------------------------- parameter_names, count_parameters


class Nested(nn.Module):
    """A module with modules inside modules: parameters, frozen ones, buffers and a plain tensor."""

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
    modules = [Nested(*sizes) for _ in range(3)]
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
        walkable = hasattr(names, "__iter__") and not isinstance(names, str | torch.Tensor)
        found.append([list(names) if walkable else names, type(names).__name__])
    return found


# ------------------------------------------------------------------------------------ Standardize


def forward(notebook, x, mean, std):
    return notebook.Standardize(mean.clone(), std.clone())(x.clone())


def register(notebook, mean, std):
    """How many parameters a new module has, and whether it holds anything, in whatever way."""
    module = notebook.Standardize(mean.clone(), std.clone())
    held = [*module.parameters(), *module.buffers()]
    for name, value in vars(module).items():
        if isinstance(value, torch.Tensor) or (not name.startswith("_") and value):
            held.append(value)
    return {"parameters": len(list(module.parameters())), "holds": bool(held)}


def saved(notebook, x, mean, std):
    """What a module saves, and what another one with other numbers gives after loading it."""
    module = notebook.Standardize(mean.clone(), std.clone())
    state = module.state_dict()
    other = notebook.Standardize(2 * mean, 3 * std)
    found = {"state": len(state), "buffers": len(list(module.buffers())), "before": None}
    try:
        found["before"] = other(x.clone()).nan_to_num()
        other.load_state_dict(state)
        found["forward"] = module(x.clone()).nan_to_num()
        found["loaded"] = other(x.clone()).nan_to_num()
    except Exception:  # `forward` itself is another test's matter: the state has to do
        other.load_state_dict(state)
        for name, held in (("forward", module), ("loaded", other)):
            numbers = [t.flatten() for t in held.state_dict().values()]
            found[name] = torch.cat([torch.zeros(1), *numbers])
    return found


def moved(notebook, x, mean, std):
    """Whether all that `forward` uses goes along to another device.

    The device `meta` is on every machine: its tensors have a shape and no numbers, and meet those
    of the CPU no better than those of a GPU do. Code that has to see numbers cannot run there; it
    is judged by whether `forward` follows the buffers after a conversion.
    """
    module = notebook.Standardize(mean.clone(), std.clone())
    found = {"moved": False, "follows": False}
    with suppress(Exception):
        found["moved"] = module.to("meta")(x.to("meta")).device.type == "meta"
    module = notebook.Standardize(mean.clone(), std.clone()).to(torch.float64)
    tensors = [*module.buffers(), *module.parameters()]
    found["held"] = len(tensors)
    found["converted"] = all(t.dtype == torch.float64 for t in tensors)
    try:
        before = module(x.double())
        with torch.no_grad():
            for tensor in tensors:
                tensor.mul_(2)
        found["follows"] = not torch.equal(module(x.double()), before)
    except Exception:
        found["follows"] = True  # `forward` itself is another test's matter
    return found
