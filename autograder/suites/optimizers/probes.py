"""What runs in the student kernel for the suites of `optimizers`."""

import inspect
import sys
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from autograder.exercise.inside_model import make_model_again, model_answers

NOT_OURS = "torch.optim takes no step here"
#: Operations of torch that take a whole step.
STEPS = {name for name in dir(torch) if name.startswith("_fused_") and name.endswith("_")}


def refuse(*given, **named):
    raise RuntimeError(
        "torch.optim takes no step here"
    )  # where this goes, no name of ours is known


class Unfused(TorchFunctionMode):
    """Meanwhile no operation of torch takes a step."""

    def __torch_function__(self, function, types, given=(), named=None):
        called = refuse if getattr(function, "__name__", "") in STEPS else function
        return called(*given, **(named or {}))


def rules_of_torch():
    """The functions that take the steps of torch's own optimizers."""
    modules = [module for name, module in sys.modules.items() if name.startswith("torch.optim.")]
    things = [thing for module in modules for thing in vars(module).values() if callable(thing)]
    classes = {each for each in things if inspect.isclass(each) and issubclass(each, Optimizer)}
    functions = [each.step for each in classes - {Optimizer}] + [
        *filter(inspect.isfunction, things)
    ]
    for each in map(inspect.unwrap, functions):
        if each.__name__ == "step" or each.__code__.co_varnames[:2] == ("params", "grads"):
            yield each


@contextmanager
def from_scratch():
    """Meanwhile no optimizer of torch's own takes a step, by whatever name it is called."""
    own = {each: each.__code__ for each in rules_of_torch()}
    try:
        for each in own:
            each.__code__ = refuse.__code__
        yield
    finally:
        for each, code in own.items():
            each.__code__ = code


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
            with nullcontext() if step else Unfused():  # in all steps it would take its time
                optimizer.step()
            path.append(torch.cat([p.detach().flatten() for p in parameters]).clone())
    return {"path": torch.stack(path), "trainable": all(p.requires_grad for p in parameters)}


def alone(notebook, **inputs):
    """Whether an optimizer goes the same way after another one of its class has gone far."""
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
        with Unfused():
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
