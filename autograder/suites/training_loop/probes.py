"""What runs in the student kernel for the suites of `training_loop`."""

import random
from collections.abc import Callable
from contextlib import contextmanager
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------------ a loop that is watched


class Notes:
    """What happens to a network, noted. A copy of the network notes it here, too."""

    def __init__(self, short):
        self.short = short
        self.network, self.parameters = None, []
        self.passes, self.steps, self.backwards = [], [], 0

    def __deepcopy__(self, memo):
        return self

    def copies(self, of=lambda parameter: parameter):
        """Copies of something of all parameters."""
        values = [] if self.short else map(of, self.parameters)
        return [None if value is None else value.detach().clone() for value in values]

    def gradients(self):
        return self.copies(lambda parameter: parameter.grad)

    def backward(self, gradient):
        self.backwards += 1


class Network(nn.Module):
    """Two layers with a tanh between them; each forward pass is noted."""

    def __init__(self, start, notes):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(*reversed(start[0].shape)), nn.Tanh())
        self.outer = nn.Linear(*reversed(start[2].shape))
        self.notes = notes
        with torch.no_grad():
            for parameter, values in zip(self.parameters(), start, strict=True):
                parameter.copy_(values)

    def forward(self, x):
        outputs = self.outer(self.inner(x))
        note = {"at": self.notes.copies(), "graph": outputs.requires_grad}
        note["modes"] = [module.training for module in self.modules()]
        self.notes.passes.append({**note, "own": self is self.notes.network})
        return outputs


def noting(base, notes):
    """A class of optimizers that does what `base` does; each step is noted."""

    class Noting(base):  # type: ignore[misc, valid-type]
        def step(self, closure=None):
            value = None
            if closure is not None:
                with torch.enable_grad():
                    value = closure()
            note = {"before": notes.copies(), "gradients": notes.gradients()}
            notes.steps.append(note)
            super().step()
            note["after"] = notes.copies()
            return value

    return Noting


class Linex(nn.Module):
    """Not the same with its arguments swapped."""

    reduction = "mean"

    def forward(self, input, target):
        difference = input - target
        return (torch.exp(difference) - difference - 1).mean()


class Classes(nn.CrossEntropyLoss):
    """Takes its arguments in either order: another check looks at that."""

    def forward(self, input, target):
        if not input.is_floating_point():
            input, target = target, input
        return super().forward(input, target)


CRITERIA = {"mse": nn.MSELoss, "linex": Linex, "classes": Classes}


def loop(
    notebook,
    task,
    start,
    x,
    y,
    criterion,
    epochs=1,
    batch_size=0,
    optimizer="SGD",
    options=None,
    modes=(True,) * 5,
    grads=(),
    far=False,
    short=False,
):
    """Call `train_full_batch`, `train` or `evaluate` and tell all that happened meanwhile.

    Args:
        modes: of the modules, before: the network, its inner part, the two in it, its outer layer.
        grads: to be there before.
        far: whether the data are on a device of their own.
        short: whether the notes go without parameters and gradients, which take time where there
            are many of them.
    """
    notes = Notes(short)
    notes.network = network = Network(start, notes)
    notes.parameters = parameters = list(network.parameters())
    for parameter, values in zip(parameters, grads, strict=False):
        parameter.grad = values.clone()
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = mode
    parameters[-1].register_hook(notes.backward)
    base = getattr(torch.optim, optimizer)
    optimizer = noting(base, notes)(parameters, **(options or {"lr": 0.1}))
    criterion = CRITERIA[criterion]()
    device = torch.device("cpu")
    if far:
        x, y = x.as_subclass(Far), y.as_subclass(Far)
    loader = DataLoader(TensorDataset(x, y), batch_size=batch_size or len(x))
    elsewhere, result = False, None
    with arriving_by_as_tensor():
        try:
            if task == "train_full_batch":
                result = notebook.train_full_batch(network, x, y, criterion, optimizer, epochs)
            elif task == "train":
                result = notebook.train(network, loader, criterion, optimizer, epochs, device)
            else:
                result = notebook.evaluate(network, loader, criterion, device)
        except Elsewhere:
            elsewhere = True
    entries = result if isinstance(result, list) else [result]
    plain = [float(item) if isinstance(item, float) else item for item in entries]
    return {
        "result": plain if isinstance(result, list) else plain[0],
        "type": "list" if isinstance(result, list) else type(result).__name__,
        "graph": any(isinstance(item, torch.Tensor) and item.requires_grad for item in entries),
        "passes": notes.passes,
        "steps": notes.steps,
        "backwards": notes.backwards,
        "after": notes.copies(),
        "gradients": notes.gradients(),
        "modes": [module.training for module in network.modules()],
        "trainable": [p.requires_grad for p in parameters],
        "grad_mode": torch.is_grad_enabled(),
        "elsewhere": elsewhere,
    }


# -------------------------------------------------------------------------- a device that is far


class Elsewhere(RuntimeError):
    """Data of two devices have met."""


class Far(torch.Tensor):
    """Data on another device: they compute with their like, but not with data that are here."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name == "__get__" and function.__self__.__name__ in FAR_IS:
            return FAR_IS[function.__self__.__name__]
        given = [*args, *(kwargs or {}).values()]
        given += [item for each in given if isinstance(each, list | tuple) for item in each]
        with torch._C.DisableTorchFunctionSubclass():
            result = function(*args, **(kwargs or {}))
        if name in ARRIVES or (name in MAY_ARRIVE and any(map(says_here, given))):
            return result.as_subclass(torch.Tensor) if isinstance(result, Far) else result
        if any(is_here(item) and item.dim() > 0 for item in given):
            raise Elsewhere("Expected all tensors to be on the same device.")
        if isinstance(result, list | tuple) and name not in ("size", "stride", "__get__"):
            return type(result)([far(item) for item in result])
        return far(result)


FAR_IS = {"device": torch.device("cuda", 0), "is_cuda": True, "is_cpu": False}
ARRIVES = ("cpu", "cuda", "copy_", "__setitem__", "set_")
MAY_ARRIVE = ("to", "tensor", "as_tensor", "asarray", "new_tensor", "type", "_to_copy")


def far(value):
    return value.as_subclass(Far) if is_here(value) else value


def is_here(value):
    return isinstance(value, torch.Tensor) and not isinstance(value, Far)


def says_here(value):
    """Whether an argument says that something goes to where the model is."""
    named = isinstance(value, str) and value.startswith(("cpu", "cuda"))
    return named or isinstance(value, torch.device) or is_here(value)


@contextmanager
def arriving_by_as_tensor():
    """Far data arrive by `as_tensor` and `asarray`, too, which do not ask them by themselves."""

    def moving(function):
        def moved(data, *args, **kwargs):
            made = function(data, *args, **kwargs)
            moves = isinstance(data, Far) and (kwargs.get("device") or len(args) > 1)
            return made.as_subclass(torch.Tensor) if moves else made

        return moved

    saved = torch.as_tensor, torch.asarray
    torch.as_tensor, torch.asarray = map(moving, saved)
    try:
        yield
    finally:
        torch.as_tensor, torch.asarray = saved


# ------------------------------------------------------------------------------------- to_tensor


def read_only(array):
    array.flags.writeable = False
    return array


#: How an array may lie in memory.
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain": lambda array: array,
    "transposed": lambda array: array.T,
    "Fortran order": np.asfortranarray,
    "every second column": lambda array: array[:, ::2],
    "every second row": lambda array: array[::2],
    "read backwards": lambda array: array[::-1],
    "mirrored": lambda array: array[:, ::-1],
    "stretched": lambda array: np.broadcast_to(array[0], array.shape),
    "read-only": read_only,
}


def tensors(notebook, cases, device):
    """What comes of each array: a tensor, or something else."""
    results = []
    for base, dtype, layout in cases:
        result = notebook.to_tensor(LAYOUTS[layout](base.astype(dtype)), torch.device(device))
        if isinstance(result, torch.Tensor):
            tensor = None if result.is_meta else result
            results.append({"device": result.device.type, "tensor": tensor, "raw": None})
        else:
            results.append({"device": "", "tensor": None, "raw": result})
    return results


# ----------------------------------------------------------------------------------- make_loader


def loaders(notebook, x, y, size, seed, other, noise):
    """Two epochs of several loaders while others use the shared random generators."""

    def make(seed):
        return notebook.make_loader(x, y, size, seed)

    def two_epochs(number, seed):
        disturb(number)
        loader = make(seed)
        disturb(number + 1)
        first = batches(loader)
        disturb(number + 2)
        return [first, batches(loader)], isinstance(loader, DataLoader)

    one, is_loader = two_epochs(noise[0], seed)
    found = {"one": one, "is_loader": is_loader}
    found["again"], _ = two_epochs(noise[1], seed)
    found["twice"], _ = two_epochs(noise[0], seed)
    found["other"], _ = two_epochs(noise[0], other)
    # Nothing disturbs these but the loaders themselves.
    found["left"] = []
    for number in noise:
        disturb(number)
        loader = make(seed)
        made = draws()
        batches(loader)
        found["left"].append([*made, *draws()])
    # Two loaders at the same time.
    pair = make(seed), make(seed)
    found["pair"] = [[batches(loader), batches(loader)] for loader in pair]
    return found


def disturb(number):
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)


def draws():
    return [torch.rand(3), torch.tensor(np.random.rand(3)), random.random()]


def batches(loader):
    some = islice(loader, 50)
    return [list(batch) if isinstance(batch, list | tuple) else [batch] for batch in some]


# ----------------------------------------------------------------------------------------- model


def predictions(notebook, x):
    """What `model` answers for `x`, in evaluation mode; the name of its type if it is no module."""
    model = notebook.model
    if not isinstance(model, nn.Module):
        return {"module": False, "outputs": type(model).__name__}
    model.eval()
    # Of which type a model computes is its own affair: the text asks for none.
    places = [p for p in [*model.parameters(), *model.buffers()] if p.is_floating_point()]
    with torch.no_grad():
        outputs = model(x.to(places[0].device, places[0].dtype) if places else x)
    return {"module": True, "outputs": outputs}


def retrained(notebook, cells, x):
    """The same after the cells that make `model` have run once more, with stand-ins.

    The stand-ins are good enough to train with, and no solution of the tasks: the batches are the
    same in each epoch, a step is a plain one whatever the optimizer, and no mode is switched.
    """
    names = notebook._names
    names.update(to_tensor=plain, train_full_batch=full, make_loader=mixed)
    names.update(train=several, evaluate=look)
    for split in ("train", "val"):
        names[f"{split}_x"] = plain(names[f"{split}_features"], notebook.device)
        names[f"{split}_y"] = plain(names[f"{split}_labels"], notebook.device)
    for cell in cells:
        exec(cell, names)
    return predictions(notebook, x)


def plain(array, device):
    return torch.tensor(array.tolist(), device=device)


def step(model, x, y, criterion, optimizer):
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    loss = criterion(model(x), y)
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True)
    settings = optimizer.param_groups[0]
    rate = settings["lr"] / (1 - settings.get("momentum", 0))
    for parameter, slope in zip(parameters, slopes, strict=True):
        if slope is not None:
            parameter.data = parameter.data - rate * slope
    return float(loss)


def full(model, x, y, criterion, optimizer, epochs):
    return several(model, [(x, y)], criterion, optimizer, epochs, x.device)


def mixed(x, y, batch_size, seed):
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(x.device)
    return [(x[rows], y[rows]) for rows in order.split(batch_size)]


def several(model, loader, criterion, optimizer, epochs, device):
    turns = [[step(model, x, y, criterion, optimizer) for x, y in loader] for _ in range(epochs)]
    return [losses[0] for losses in turns]


def look(model, loader, criterion, device):
    with torch.no_grad():
        return float(min(criterion(model(x), y) for x, y in loader))
