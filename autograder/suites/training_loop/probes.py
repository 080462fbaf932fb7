"""What runs in the student kernel for the suites of `training_loop`."""

from collections.abc import Callable
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from autograder.exercise.inside_loops import CRITERIA, arrivals, watched
from autograder.exercise.inside_model import make_model_again, model_answers
from autograder.exercise.inside_random import disturb, draws

# ------------------------------------------------------------------------ a loop that is watched


def call(notebook, task, network, x, y, criterion, optimizer, size, epochs=1, device="cpu"):
    """Call `train_full_batch`, `train` or `evaluate`; with batches of a size, on a device."""
    if task == "train_full_batch":
        return notebook.train_full_batch(network, x, y, criterion, optimizer, epochs)
    loader, device = DataLoader(TensorDataset(x, y), size), torch.device(device)
    if task == "train":
        return notebook.train(network, loader, criterion, optimizer, epochs, device)
    return notebook.evaluate(network, loader, criterion, device)


def loop(notebook, task, x, y, criterion, batch_size, epochs=1, **given):
    """What happens to a small network, see `watched`; with many batches not all is noted."""

    def run(network, optimizer):
        loss = CRITERIA[criterion]()
        return call(notebook, task, network, x, y, loss, optimizer, batch_size, epochs)

    return watched(run, **given, full=len(x) <= 20 * batch_size)


def device(notebook, task):
    """Whether the data come to where the model is, see `arrivals`."""
    notebook.device = torch.device("meta")  # for those who go by this one
    return arrivals(partial(call, notebook, task, size=5, device="meta"))


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


def loaders(notebook, x, y, size, seed, noise):
    """Several loaders, used while others draw from the shared random generators.

    Returns:
        Of each, two `epochs`, and what was `left` to others: what they drew before each epoch.
    """

    def make(number, seed=seed):
        disturb(number)
        return notebook.make_loader(x, y, size, seed)

    def used(loader, number):
        epochs, left = [], []
        for turn in (1, 2):
            left += draws()
            disturb(number + turn)
            epochs.append(batches(loader))
        return {"epochs": epochs, "left": left}

    one, two = noise
    first, second = make(one), make(one)
    return {
        "one": used(make(one), one),
        "again": used(make(two), two),
        "twice": used(make(one), one),
        "other": used(make(one, seed + 6), one),
        "first": used(first, one),
        "second": used(second, one),
        "is_loader": isinstance(first, DataLoader),
    }


def batches(loader):
    some = islice(loader, 50)
    return [list(batch) if isinstance(batch, list | tuple) else [batch] for batch in some]


# ----------------------------------------------------------------------------------------- model


def answers(notebook, x, cells):
    """What `model` answers for `x`; with cells, after those have made it once more.

    The stand-ins are good enough to train with, and no solution of the tasks: the batches are the
    same in each epoch, a step is a plain one whatever the optimizer, and no mode is switched.
    """
    if cells:
        names = notebook._names
        for split in ("train", "val"):
            names[f"{split}_x"] = plain(names[f"{split}_features"], notebook.device)
            names[f"{split}_y"] = plain(names[f"{split}_labels"], notebook.device)
        tasks = {"to_tensor": plain, "train_full_batch": full, "make_loader": mixed}
        make_model_again(notebook, cells, **tasks, train=several, evaluate=look)
    return model_answers(notebook, x)


def plain(array, device):
    return torch.tensor(array.tolist(), device=device)


def step(model, x, y, criterion, optimizer):
    loss = criterion(model(x), y)
    for group in optimizer.param_groups:
        rate = group["lr"] / (1 - group.get("momentum", 0))
        slopes = torch.autograd.grad(loss, group["params"], retain_graph=True, allow_unused=True)
        for parameter, slope in zip(group["params"], slopes, strict=True):
            parameter.data = parameter.data - (0 if slope is None else rate * slope)
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
