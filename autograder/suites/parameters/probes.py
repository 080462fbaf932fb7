"""What runs in the student kernel for the suites of `parameters`."""

from contextlib import suppress

import torch


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
