"""What runs in the student kernel for the suites of `optimizers`."""

import inspect
from contextlib import contextmanager

import torch
from torch import nn

from autograder.exercise.inside_model import make_model_again, model_answers

NOT_OURS = "torch.optim takes no step here"


def within_torch(thing):
    return thing.__module__.startswith("torch.optim.")


@contextmanager
def from_scratch():
    """Meanwhile no optimizer of torch's own takes a step."""

    def step(self, closure=None):
        raise RuntimeError(NOT_OURS)

    theirs = [each for each in torch.optim.Optimizer.__subclasses__() if within_torch(each)]
    steps = {inspect.unwrap(each.step) for each in theirs}
    # torch puts a hook around the step of each class, and so a copy into those made of its own.
    for each in theirs:
        theirs += [one for one in each.__subclasses__() if inspect.unwrap(one.step) in steps]
    before = [(each, each.step) for each in theirs]
    try:
        for each, _ in before:
            each.step = step  # type: ignore[method-assign]
        yield
    finally:
        for each, own in before:
            each.step = own  # type: ignore[method-assign]


def make(notebook, name, start, groups, options, dtype=torch.float64):
    """Parameters of these numbers, and an optimizer of them."""
    parameters = [nn.Parameter(each.to(dtype)) for each in start]
    given = [
        {"params": [parameters[place] for place in group["places"]]}
        | {key: it for key, it in group.items() if key != "places"}
        for group in groups
    ] or (each for each in parameters)
    options = {key: tuple(it) if key == "betas" else it for key, it in options.items()}
    return parameters, getattr(notebook, name)(given, **options)


def walk(notebook, name, start, gradients, missing=(), groups=(), options=(), later=0.0):
    """All numbers of all parameters after each step with the given gradients.

    Args:
        gradients: of each parameter, those of all steps.
        missing: of each parameter, the steps in which it has none.
        groups: options, and the `places` of their parameters.
        later: the learning rate that is set half-way; 0 for none.
    """
    with from_scratch():
        parameters, optimizer = make(notebook, name, start, groups, dict(options))
        path = []
        for step in range(len(gradients[0])):
            if later and step == len(gradients[0]) // 2:
                optimizer.lr = later
            for place, (p, series) in enumerate(zip(parameters, gradients, strict=True)):
                none = bool(missing) and step in missing[place]
                p.grad = None if none else series[step].to(p.dtype)
            optimizer.step()
            path.append(torch.cat([p.detach().flatten() for p in parameters]).clone())
    return {"path": torch.stack(path), "trainable": all(p.requires_grad for p in parameters)}


def alone_or_not(notebook, **inputs):
    """Whether an optimizer goes another way after another one of its class has gone far."""
    ways = [walk(notebook, **inputs)["path"]]
    far = [100 * each for each in inputs["gradients"]]
    walk(notebook, **{**inputs, "gradients": far})
    ways.append(walk(notebook, **inputs)["path"])
    return torch.equal(*ways)


def gradients(notebook, name, start, options):
    """The gradients after a step, and after `zero_grad()`; those were ones before."""
    with from_scratch():
        parameters, optimizer = make(notebook, name, start, (), dict(options))
        optimizer.zero_grad()
        for p in parameters:
            p.grad = torch.ones_like(p)
        optimizer.step()
        after = [p.grad for p in parameters]
        kept = all(grad is not None and bool((grad == 1).all()) for grad in after)
        for p in parameters:
            p.grad = torch.ones_like(p)
        optimizer.zero_grad()
        left = [p.grad is not None and bool(p.grad.any()) for p in parameters]
    return {"kept": kept, "left": left}


# --------------------------------------------------------------------------------- CosineSchedule


class Plain:
    """Stands for an optimizer: it has a learning rate, and takes no steps."""

    def __init__(self, lr):
        self.lr = lr


def rates(notebook, options, steps, own, tail):
    """The last learning rates, of those after the constructor and after each step."""
    optimizer = Plain(own)
    schedule = notebook.CosineSchedule(optimizer, **options)
    found = [optimizer.lr]
    for _ in range(steps):
        schedule.step()
        found.append(optimizer.lr)
    return found[-tail:]


# ------------------------------------------------------------------------------------------ model


def answers(notebook, x, cells):
    """What `model` answers for `x`; with cells, after those made it again of torch's optimizers."""
    if cells:
        theirs = (torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adam, torch.optim.AdamW)
        classes = {each.__name__: with_lr(each) for each in theirs}
        make_model_again(notebook, cells, CosineSchedule=Falling, **classes)
    return model_answers(notebook, x)


def with_lr(base):
    """A class of optimizers with the attribute `lr`."""

    class WithLr(base):  # type: ignore[misc, valid-type]
        @property
        def lr(self):
            return self.param_groups[0]["lr"]

        @lr.setter
        def lr(self, value):
            for group in self.param_groups:
                group["lr"] = value

    return WithLr


class Falling:
    """Good enough to train with: from `lr` straight down."""

    def __init__(self, optimizer, lr, total_steps, warmup_steps=0, min_lr=0.0):
        self.optimizer, self.lr, self.steps, self.taken = optimizer, lr, total_steps, -1
        self.step()

    def step(self):
        self.taken += 1
        self.optimizer.lr = self.lr * max(1 - self.taken / self.steps, 0.0)
