"""What runs in the student kernel for the suites of `training_loop`."""

import random
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------------ a loop that is watched


class Linex(nn.Module):
    """Not the same with its arguments swapped."""

    reduction = "mean"

    def forward(self, input, target):
        difference = input - target
        return (torch.exp(difference) - difference - 1).mean()


class Classes(nn.CrossEntropyLoss):
    """Takes its arguments in either order: another check looks at that."""

    def forward(self, input, target):
        return super().forward(*sorted((input, target), key=torch.is_floating_point, reverse=True))


#: More batches than these are many.
MANY = 20
CRITERIA = {"mse": nn.MSELoss, "linex": Linex, "classes": Classes}


def call(notebook, task, network, x, y, batch_size, criterion, optimizer, epochs, device):
    """Call `train_full_batch`, `train` or `evaluate`."""
    if task == "train_full_batch":
        return notebook.train_full_batch(network, x, y, criterion, optimizer, epochs)
    loader, device = DataLoader(TensorDataset(x, y), batch_size), torch.device(device)
    if task == "train":
        return notebook.train(network, loader, criterion, optimizer, epochs, device)
    return notebook.evaluate(network, loader, criterion, device)


def loop(
    notebook, task, start, x, y, criterion, optimizer, epochs=1, batch_size=0, modes=(), grads=()
):
    """Train or evaluate two layers with a tanh between them, and tell all that happens meanwhile.

    Args:
        optimizer: the name of its class, and its settings.
        modes: of the modules, before: the network, its inner part, the two in it, its outer layer.
        grads: to be there before.

    Returns:
        `result` of the loop, the name of its `type`, whether a tensor in it had a `graph`;
        `passes`: for each forward pass, the parameters `at` it, whether its outputs have a `graph`,
        the `modes` of all modules, and whether the network is the `own` one or a copy;
        `steps`: for each step, the parameters `before` and `after` it, and their `gradients`;
        `backwards`: how often something went backward; in the end, the parameters (`after`), their
        `gradients`, the `modes`, who is `trainable`, and whether gradients are on (`grad_mode`).
        Where there are many batches, parameters and gradients are left out: they would take long.
    """
    passes, steps = [], []
    backwards: list[torch.Tensor] = []

    def now():
        return [p.detach().clone() for p in noted]

    def gradients():
        return [None if p.grad is None else p.grad.detach().clone() for p in noted]

    class Network(nn.Sequential):
        def forward(self, x):
            outputs = super().forward(x)
            modes = [module.training for module in self.modules()]
            note = {"at": now(), "graph": outputs.requires_grad, "modes": modes}
            passes.append({**note, "own": self is network})
            return outputs

    first, last = (nn.Linear(*reversed(weights.shape)) for weights in start[::2])
    network = Network(nn.Sequential(first, nn.Tanh()), last)
    parameters, size = list(network.parameters()), batch_size or len(x)
    noted = parameters if len(x) <= MANY * size else []
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
    result = call(notebook, task, network, x, y, size, CRITERIA[criterion](), given, epochs, "cpu")
    entries = result if isinstance(result, list) else [result]
    plain = [float(entry) if isinstance(entry, float) else entry for entry in entries]
    return {
        "result": plain if isinstance(result, list) else plain[0],
        "type": "list" if isinstance(result, list) else type(result).__name__,
        "graph": any(isinstance(entry, torch.Tensor) and entry.requires_grad for entry in entries),
        "passes": passes,
        "steps": steps,
        "backwards": len(backwards),
        "after": now(),
        "gradients": gradients(),
        "modes": [module.training for module in network.modules()],
        "trainable": [p.requires_grad for p in parameters],
        "grad_mode": torch.is_grad_enabled(),
    }


def arrivals(notebook, task):
    """Whether inputs come to a model on the device "meta" there, and labels to the criterion.

    Tensors on that device, which is there on every machine, have a shape, but no numbers.
    """
    arrived = {}

    class Network(nn.Linear):
        def forward(self, x):
            arrived["inputs"] = x.is_meta
            return super().forward(x.to("meta"))

    class Criterion(nn.MSELoss):
        def forward(self, *given):
            arrived["labels"] = all(each.is_meta for each in given)
            raise RuntimeError("no number comes of a meta tensor")

    network = Network(3, 2, device="meta")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    notebook.device = torch.device("meta")  # for those who go by this one
    data = torch.ones(10, 3), torch.ones(10, 2)
    try:
        call(notebook, task, network, *data, 5, Criterion(), optimizer, 1, "meta")
    except RuntimeError as error:
        if "meta tensor" not in str(error):
            raise
    return arrived


# ------------------------------------------------------------------------------------- to_tensor


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
    "read-only": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
}


def tensors(notebook, cases, device):
    """What comes of each array, and where it is if it is a tensor; none that has no numbers."""
    results = []
    for base, dtype, layout in cases:
        result = notebook.to_tensor(LAYOUTS[layout](base.astype(dtype)), torch.device(device))
        where = result.device.type if isinstance(result, torch.Tensor) else ""
        results.append([where, None if where == "meta" else result])
    return results


# ----------------------------------------------------------------------------------- make_loader


def loaders(notebook, x, y, size, seed, other, noise):
    """Two epochs of several loaders while others use the shared random generators."""

    def make(seed=seed):
        return notebook.make_loader(x, y, size, seed)

    def two_epochs(number, seed=seed):
        disturb(number)
        loader = make(seed)
        disturb(number + 1)
        first = batches(loader)
        disturb(number + 2)
        return [first, batches(loader)]

    def left(number):
        """What others draw where nothing disturbs the generators but the loader itself."""
        disturb(number)
        loader = make()
        made = draws()
        batches(loader)
        return [*made, *draws()]

    one, two = noise
    return {
        "one": two_epochs(one),
        "again": two_epochs(two),
        "twice": two_epochs(one),
        "other": two_epochs(one, other),
        "left": [left(number) for number in noise],
        "pair": [[batches(loader), batches(loader)] for loader in (make(), make())],
        "is_loader": isinstance(make(), DataLoader),
    }


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
