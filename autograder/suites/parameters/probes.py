"""What runs in the student kernel for the suites of `parameters`."""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

# ------------------------------------------------------------------- any module, seen from inside


def held(thing, seen=None):
    """The modules and tensors that a thing holds, in whatever way, itself among them."""
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    if isinstance(thing, Tensor | nn.Module):
        yield thing
    if isinstance(thing, nn.Module | dict):
        thing = [*(thing if isinstance(thing, dict) else vars(thing)).values()]
    for each in thing if isinstance(thing, list | tuple | set) else ():
        yield from held(each, seen)


def tensors_of(thing):
    return [each for each in held(thing) if isinstance(each, Tensor) and each.is_floating_point()]


def fill(tensors, given):
    """Put numbers into the tensors of their shape, upright or lying; what those hold then."""
    found = []
    for numbers in given:
        shape = numbers.shape
        lying = [shape[::-1]] if len(shape) == 2 else [(1, *shape), (*shape, 1)]
        mine = [each.detach() for each in tensors if each.shape in (shape, *lying)]
        mine = [each if each.shape == shape else each.T for each in mine]
        for each in mine:
            with suppress(RuntimeError):  # a form of its own, so its own numbers stay in it
                each.copy_(numbers.reshape(each.shape))
        found.append([each.clone().reshape(shape) for each in mine])
    return found


def depends(module, x, tensors):
    """Whether what a module gives depends on tensors; they are not the same afterwards."""
    before = module(x.clone()).clone()  # it may be one of them
    with torch.no_grad():
        for tensor in tensors:
            tensor.mul_(2).add_(1)
    return not torch.equal(module(x.clone()), before)


def answer(module, x, tensors):
    """What a module gives, and whether it depends on a tensor that `backward()` does not reach."""
    for tensor in tensors:
        if tensor.is_leaf and tensor.is_floating_point():  # frozen: that is another test's matter
            tensor.requires_grad_()
    y = module(x.clone())
    found = {"forward": y, "holds": bool(tensors), "cut": False}
    if isinstance(y, Tensor):
        found["forward"] = y.clone()
        asked = [tensor for tensor in tensors if y.requires_grad and tensor.requires_grad]
        grads = torch.autograd.grad(y.sum(), asked, allow_unused=True) if asked else ()
        reached = [id(mine) for mine, grad in zip(asked, grads, strict=True) if grad is not None]
        others = [tensor for tensor in tensors if id(tensor) not in reached]
        try:
            found["cut"] = bool(others) and depends(module, x, others)
        except RuntimeError:
            found["cut"] = True
    return found


# --------------------------------------------------------------------------------------- MyLinear


def tensor_of(layer, name, dims):
    """The tensor of this name; where there is none, the first with so many axes."""
    mine = getattr(layer, name, None)
    others = (each for each in tensors_of(layer) if each.dim() == dims)
    return mine if isinstance(mine, Tensor) else next(others, None)


def layer(notebook, sizes):
    """What a new layer has: its numbers, and how each is registered."""
    layer = notebook.MyLinear(*sizes)
    attributes = [value for name, value in vars(layer).items() if not name.startswith("_")]
    ways = {
        "buffer": list(layer.buffers()),
        "parameter": list(layer.parameters()),
        "contained": [t for each in attributes if not isinstance(each, Tensor) for t in held(each)],
    }
    found: dict[str, Any] = {"parameters": len(ways["parameter"]), "state": len(layer.state_dict())}
    for name, dims in (("weights", 2), ("bias", 1)):
        value, used = getattr(layer, name, None), tensor_of(layer, name, dims)
        how = [way for way, among in ways.items() if any(each is used for each in among)]
        found[name] = {"attribute": value, "used": used, "how": [*how, "plain"][0]}
        found[name]["trained"] = used is not None and used.requires_grad
    return found | {name: getattr(layer, name, None) for name in ("in_features", "out_features")}


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
            used = [tensor_of(layer, name, numbers.dim()) for name, numbers in given.items()]
            found = answer(layer, x, [each for each in used if each is not None])
        except Exception as error:
            errors.append(error)
            continue
        double = any(each.dtype == torch.float64 for each in tensors_of(layer))
        return found | ({"forward": found["forward"].float()} if double else {})
    raise errors[0 if fits else 1]


def without_bias(notebook, x, weights, bias):
    """What a layer without bias has, and what it gives beside one with a bias of zeros."""
    layer = notebook.MyLinear(*weights.shape, bias=False)
    found = {"has": hasattr(layer, "bias"), "bias": getattr(layer, "bias", None), "zeros": None}
    found["biases"] = sum(p.numel() == len(bias) for p in layer.parameters())
    with suppress(Exception):  # `forward` itself is another test's matter
        found["zeros"] = linear(notebook, x, weights, torch.zeros_like(bias))["forward"]
    if found["zeros"] is not None and found["has"] and found["bias"] is None:
        found["forward"] = linear(notebook, x, weights)["forward"]
    return found


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

    def numbers(module):
        """What it gives; what it holds, where `forward` does not work: another test's matter."""
        with suppress(Exception):
            return module(x.clone()).nan_to_num()
        return torch.cat([torch.zeros(1), *map(torch.ravel, module.state_dict().values())])

    module = notebook.Standardize(mean.clone(), std.clone())
    other, state = notebook.Standardize(2 * mean, 3 * std), module.state_dict()
    found = {"state": len(state), "buffers": len(list(module.buffers()))}
    before = numbers(other)
    other.load_state_dict(state)
    return {**found, "before": before, "forward": numbers(module), "loaded": numbers(other)}


def moved(notebook, x, mean, std):
    """What a module holds, and whether all that `forward` uses goes along to another device.

    The device `meta` is on every machine: its tensors have a shape and no numbers, and meet those
    of the CPU no better than those of a GPU do. Code that has to see numbers cannot run there; it
    is judged by whether `forward` follows the buffers after a conversion.
    """
    module, double = (notebook.Standardize(mean.clone(), std.clone()) for _ in range(2))
    own = vars(module).keys() - vars(nn.Module()).keys()
    parameters, buffers = list(module.parameters()), list(module.buffers())
    holds = bool(own) or len(list(held(module))) > 1
    found = {"parameters": len(parameters), "held": len(parameters + buffers), "holds": holds}
    found |= {"moved": False, "converted": False, "follows": True}
    with suppress(Exception):
        found["moved"] = module.to("meta")(x.to("meta")).device.type == "meta"
    with suppress(Exception):  # `forward` itself is another test's matter
        tensors = [*double.to(torch.float64).parameters(), *double.buffers()]
        found["converted"] = all(tensor.dtype == torch.float64 for tensor in tensors)
        found["follows"] = depends(double, x.double(), tensors)
    return found


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
    tensors, registered = tensors_of(network), list(network.parameters())
    modules = [each for each in held(network) if isinstance(each, nn.Module)]
    own = [each for each in modules if isinstance(getattr(each, "weights", None), Tensor)]
    with suppress(Exception):  # it is not there, or no class: that is another test's matter
        own += [each for each in modules if isinstance(each, notebook.MyLinear)]
    linear = [each for each in modules if isinstance(each, nn.Linear)]
    found = {
        "own": bool(own),
        "torch": any(all(each is not mine for mine in own) for each in linear),
        "hidden": any(all(tensor is not each for each in registered) for tensor in tensors),
        "tensors": len(tensors),
        "filled": [fill(tensors, layer) for layer in layers],
        "forward": None,
    }
    calls = []
    for module in modules:
        if tensors_of(module):
            module.register_forward_hook(lambda module, args, y: calls.append(id(module)))
    try:
        network(x.clone())
        found["reused"] = len(set(calls)) < len(calls)
        return found | answer(network, x, tensors)
    except Exception:
        if must:
            raise
        return found
