"""Suites of `manual_backward`: pictures to a matrix, and logistic regression without autograd.

Each part is tested alone: what the others should have given it is put in place by the probe.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograder.exercise import checks
from autograder.exercise.attempts import first_that_passes as first_that_passes
from autograder.language import Text

#: Folders of `course_data` that the notebook reads.
DATASETS = ("digits_3_vs_8",)


def probe_lr(notebook, dim, lr, state, calls, fresh=False, stand_in=False):
    """Make an `LR`, put `state` into it and call its methods; say what each call left behind.

    `state` holds `w` and `b`. A call has the name of a method (or `train`), its arguments and,
    where they count, the `grads` to put in place before it. With `fresh`, each call gets a model
    of its own. With `stand_in`, `self.sigmoid` is replaced by an arbitrary function.
    """
    device = notebook.device

    def make():
        given = lr.clone().to(device)
        try:
            model = notebook.LR(dim, given)
        except Exception:  # a constructor that does not work is another test's matter
            model = notebook.LR.__new__(notebook.LR)
        if isinstance(model, nn.Module) and "_parameters" not in vars(model):
            nn.Module.__init__(model)
        for name, value in {"lr": given, **state}.items():
            put(model, name, value)
        if stand_in:
            model.sigmoid = lambda *z, **named: 2 * [*z, *named.values()][0] + 5
        return model

    def put(model, name, value):
        parameters, buffers = (vars(model).get(name, {}) for name in ("_parameters", "_buffers"))
        value = value.clone().to(device)
        old = getattr(model, name, None)
        if isinstance(old, torch.Tensor) and old.numel() == value.numel():
            value = value.reshape(old.shape)
        here = parameters if name in parameters else buffers if name in buffers else vars(model)
        alike = isinstance(old, torch.Tensor) and old.shape == value.shape
        if name in here and name != "lr" and alike and old.is_floating_point():
            with torch.no_grad():
                old.copy_(value)
        else:
            here[name] = nn.Parameter(value) if here is parameters else value

    def put_grads(model, dw, db):
        new = {"dw": dw.clone().to(device), "db": db.clone().to(device)}
        for name, of in (("dw", "w"), ("db", "b")):
            if getattr(model, of).numel() == new[name].numel():
                new[name] = new[name].reshape(getattr(model, of).shape)
        if isinstance(model.__dict__.get("grads"), dict):
            model.grads.update(new)
        else:
            model.grads = new

    def copy(value):
        return value.detach().clone() if isinstance(value, torch.Tensor) else value

    left, model = [], None
    for call in calls:
        model = make() if fresh or model is None else model
        if "grads" in call:
            put_grads(model, **call["grads"])
        arguments = [a.to(device) if isinstance(a, torch.Tensor) else a for a in call["with"]]
        if call["do"] == "train":
            returned = notebook.train(model, *arguments)
        else:
            returned = getattr(model, call["do"])(*arguments)
        grads = getattr(model, "grads", None)
        if isinstance(grads, dict):
            grads = {str(name): copy(value) for name, value in grads.items()}
        left.append(
            {
                "returned": copy(returned),
                "w": copy(model.w),
                "b": copy(model.b),
                "grads": grads,
            }
        )
    return left


def call(method: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    """One call for `probes.lr`."""
    return {"do": method, "with": list(arguments), **more}


def model(
    state: Mapping[str, Tensor], *calls: dict[str, Any], lr: Tensor | None = None
) -> dict[str, Any]:
    """An `LR` with the `w` and `b` of a state, and what is called of it: inputs of `probes.lr`."""
    w, b = state["w"], state["b"]
    lr = torch.tensor(0.1) if lr is None else lr
    return {"dim": len(w), "lr": lr, "state": {"w": w, "b": b}, "calls": list(calls)}


def reshaped(value: Any, name: str | Text, right: Tensor) -> Tensor:
    """Take `value` for as many numbers as `right` has; their shape is another test's matter."""
    value = torch.tensor(value) if isinstance(value, float) else value
    if isinstance(value, Tensor) and value.numel() == right.numel():
        value = value.reshape(right.shape)
    return checks.tensor(value, name, tuple(right.shape))


def sigmoid(z: Tensor) -> Tensor:
    return torch.special.expit(z.double())


def cross_entropy(yhat: Tensor, y: Tensor) -> Tensor:
    """The mean binary cross-entropy, float64, for probabilities strictly between 0 and 1."""
    return torch.nn.functional.binary_cross_entropy(yhat.double(), y.double())


def draw_labels(rng: torch.Generator, m: int) -> Tensor:
    """Labels (1, m) of both classes, in any order, never as many of one as of the other."""
    ones = m // 2 + 1
    return (torch.randperm(m, generator=rng) < ones).float().reshape(1, m)


def draw_state(rng: torch.Generator, dim: int) -> dict[str, Tensor]:
    """Weights (dim, 1) and a bias, none of them near zero."""
    sign = torch.randint(2, (dim, 1), generator=rng) * 2.0 - 1
    w = sign * (0.2 + 0.6 * torch.rand(dim, 1, generator=rng))
    return {"w": w, "b": 0.3 + 0.4 * torch.rand((), generator=rng)}


def draw_pictures(rng: torch.Generator, dim: int, m: int) -> Tensor:
    """Columns of numbers between -1.5 and 1.5, none of them near zero."""
    sign = torch.randint(2, (dim, m), generator=rng) * 2.0 - 1
    return sign * (0.1 + 1.4 * torch.rand(dim, m, generator=rng))
