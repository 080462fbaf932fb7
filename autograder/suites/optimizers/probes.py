"""What runs in the student kernel for the suites of `optimizers`."""

import torch

from autograder.exercise.inside_model import make_model_again, model_answers
from autograder.exercise.inside_optimizers import around_a_step, walked


def walk(notebook, name, **given):
    return walked(getattr(notebook, name), **given)


def alone(notebook, name, **given):
    """Whether an optimizer goes the same way after another one of its class has gone far."""
    far = {**given, "gradients": [100 * each for each in given["gradients"]]}
    first, _, then = (walk(notebook, name, **each)["path"] for each in (given, far, given))
    return torch.equal(first, then)


def gradients(notebook, name, **given):
    return around_a_step(getattr(notebook, name), **given)


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
