"""Any module, seen from inside: what it holds, and what it gives. Sent along with probes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import torch
from torch import Tensor, nn


def held(thing: Any, seen: dict[int, Any] | None = None) -> Iterator[Any]:
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


def tensors_of(thing: Any) -> list[Tensor]:
    """Those with numbers to compute with."""
    return [each for each in held(thing) if isinstance(each, Tensor) and each.is_floating_point()]


def tensor_named(module: Any, name: str, dims: int) -> Tensor | None:
    """The tensor of this name; where there is none, the first with so many axes."""
    mine = getattr(module, name, None)
    others = (each for each in tensors_of(module) if each.dim() == dims)
    return mine if isinstance(mine, Tensor) else next(others, None)


def kept_as(module: nn.Module, tensor: Any) -> str:
    """How a module keeps a tensor.

    Returns:
        "buffer", "parameter", "contained" (in what is no tensor, a list say) or "plain".
    """
    attributes = [value for name, value in vars(module).items() if not name.startswith("_")]
    ways: dict[str, list[Any]] = {
        "buffer": list(module.buffers()),
        "parameter": list(module.parameters()),
        "contained": [t for each in attributes if not isinstance(each, Tensor) for t in held(each)],
    }
    found = (way for way, among in ways.items() if any(each is tensor for each in among))
    return next(found, "plain")


def described(module: nn.Module, **dims: int) -> dict[str, Any]:
    """What a module holds, and how.

    Args:
        dims: names of attributes, and how many axes each should have, see :func:`tensor_named`.

    Returns:
        `parameters`: of each, how many numbers it has; `buffers`, `state`: how many of them there
        are, and entries in `state_dict()`; `holds`: whether there is anything at all; by name
        whether it is `there`, the `attribute`, the tensor that is `used`, `how` that one is kept
        (:func:`kept_as`), and whether it is `trained`.
    """
    own = vars(module).keys() - vars(nn.Module()).keys()
    found: dict[str, Any] = {
        "parameters": [parameter.numel() for parameter in module.parameters()],
        "buffers": len(list(module.buffers())),
        "state": len(module.state_dict()),
        "holds": bool(own) or len(list(held(module))) > 1,
    }
    for name, axes in dims.items():
        used = tensor_named(module, name, axes)
        found[name] = {
            "there": hasattr(module, name),
            "attribute": getattr(module, name, None),
            "used": used,
            "how": kept_as(module, used),
            "trained": used is not None and used.requires_grad,
        }
    return found


def fill(tensors: Sequence[Tensor], given: Iterable[Tensor]) -> list[list[Tensor]]:
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


def depends(module: Any, x: Tensor, tensors: Iterable[Tensor]) -> bool:
    """Whether what a module gives depends on tensors; they are not the same afterwards."""
    before = module(x.clone()).clone()  # it may be one of them
    with torch.no_grad():
        for tensor in tensors:
            tensor.mul_(2).add_(1)
    return not torch.equal(module(x.clone()), before)


def answer(module: Any, x: Tensor, tensors: Sequence[Tensor]) -> dict[str, Any]:
    """What a module gives, and whether `backward()` reaches those of the tensors that it uses.

    Returns:
        `forward`: what it gives for `x`; `holds`: whether there are any tensors; `cut`: whether it
        depends on one that `backward()` does not reach.
    """
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


def answer_with(
    make: Callable[[], nn.Module], x: Tensor, given: dict[str, Tensor]
) -> dict[str, Any]:
    """What a layer gives with these numbers in it, see :func:`answer`.

    Where its own tensors are of another form or type, or `forward` cannot use them, there are
    parameters of the right form in their place: that form is another test's matter.

    Args:
        make: makes the layer.
        given: the numbers, by the names of attributes, see :func:`tensor_named`.
    """

    def ask(replaced: bool) -> dict[str, Any]:
        layer = make()
        fill(tensors_of(layer), given.values())
        with suppress(Exception):
            for name, numbers in given.items() if replaced else ():
                setattr(layer, name, nn.Parameter(numbers.clone()))
        used = (tensor_named(layer, name, numbers.dim()) for name, numbers in given.items())
        return answer(layer, x, [each for each in used if each is not None])

    own = [(each.shape, each.dtype) for each in tensors_of(make())]
    fits = all((numbers.shape, numbers.dtype) in own for numbers in given.values())
    try:
        return ask(replaced=not fits)
    except Exception:
        with suppress(Exception):
            return ask(replaced=fits)
        raise


def assembled(
    network: nn.Module, x: Tensor, layers: Iterable[Iterable[Tensor]] = (), must: bool = True
) -> dict[str, Any]:
    """What a network of layers holds, and what it gives with numbers in it.

    Args:
        layers: the numbers of each, which find their place by their shape; without any, the network
            keeps its own.
        must: whether an exception in `forward` counts.

    Returns:
        `tensors`: how many it holds; `hidden`: whether some are no registered parameters; `filled`:
        what its tensors hold of each layer; where `forward` works, whether it is `reused`, see
        :func:`reuses`, and what :func:`answer` tells.
    """
    tensors = tensors_of(network)
    found = {
        "tensors": len(tensors),
        "hidden": any(kept_as(network, tensor) != "parameter" for tensor in tensors),
        "filled": [fill(tensors, layer) for layer in layers],
        "forward": None,
    }
    with nullcontext() if must else suppress(Exception):
        found |= {"reused": reuses(network, x)} | answer(network, x, tensors)
    return found


def loaded(module: nn.Module, other: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """What a module gives, and what another one gives `before` and after it has `loaded` it."""

    def numbers(module: nn.Module) -> Any:
        """What it gives; what it holds, where `forward` does not work: another test's matter."""
        with suppress(Exception):
            return module(x.clone()).nan_to_num()
        return torch.cat([torch.zeros(1), *map(torch.ravel, module.state_dict().values())])

    before = numbers(other)
    other.load_state_dict(module.state_dict())
    return {"before": before, "forward": numbers(module), "loaded": numbers(other)}


def follows(module: nn.Module, double: nn.Module, x: Tensor) -> dict[str, bool]:
    """Whether all that two modules of a kind use in `forward` goes along to another place or type.

    The device `meta` is on every machine: its tensors have a shape and no numbers, and meet those
    of the CPU no better than those of a GPU do. Code that has to see numbers cannot run there; it
    is judged by whether `forward` follows what is registered after a conversion.

    Returns:
        `moved`: whether `forward` works on that device; `converted`: whether all that the other one
        has registered is float64 when it should be, and `follows`: whether `forward` uses that.
    """
    found = {"moved": False, "converted": False, "follows": True}
    with suppress(Exception):
        found["moved"] = module.to("meta")(x.to("meta")).device.type == "meta"
    with suppress(Exception):  # `forward` itself is another test's matter
        tensors = [*double.to(torch.float64).parameters(), *double.buffers()]
        found["converted"] = all(tensor.dtype == torch.float64 for tensor in tensors)
        found["follows"] = depends(double, x.double(), tensors)
    return found


def reuses(module: nn.Module, x: Tensor) -> bool:
    """Whether a forward pass goes through one part with numbers in it several times."""
    calls: list[int] = []
    for part in held(module):
        if isinstance(part, nn.Module) and tensors_of(part):
            part.register_forward_hook(lambda part, args, y: calls.append(id(part)))
    module(x.clone())
    return len(set(calls)) < len(calls)
