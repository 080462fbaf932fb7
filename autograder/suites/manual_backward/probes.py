"""What runs in the student kernel for the suites of `manual_backward`."""

import torch
from torch import nn


def init(notebook, dim, lr):
    """What two new models hold, one of them without a learning rate of its own."""
    default = notebook.LR(dim)
    given = notebook.LR(dim, lr.to(notebook.device))
    rates = [getattr(model, "lr", None) for model in (default, given)]
    one, two = (
        {name: getattr(model, name, None) for name in ("w", "b", "grads")}
        for model in (default, given)
    )
    shared = any(_same(one[name], two[name]) for name in one)
    ready = "_parameters" in vars(given)
    return {
        "shared": shared,
        "module": isinstance(given, nn.Module),
        "ready": ready,
        "lr": rates,
        **two,
    }


def _same(one, two):
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return one.data_ptr() == two.data_ptr()
    return isinstance(one, dict) and one is two


def sigmoid(notebook, z):
    model = _model(notebook, 4, {"lr": torch.tensor(0.1)})
    return model.sigmoid(z.to(notebook.device))


def forward(notebook, w, b, x, stand_in):
    """The answers of a model; with `stand_in`, its sigmoid is an arbitrary function."""
    model = _model(notebook, len(w), {"lr": torch.tensor(0.1), "w": w, "b": b})
    if stand_in:
        model.sigmoid = lambda *z, **named: 2 * [*z, *named.values()][0] + 5
    return model.forward(x.to(notebook.device))


def lr(notebook, dim, lr, state, calls, fresh=False):
    """Make an `LR`, put `state` into it and call its methods; say what each call left behind.

    `state` holds `w` and `b`. A call has the name of a method (or `train`), its arguments and,
    where they count, the `grads` to put in place before it. With `fresh`, each call gets a model
    of its own.
    """
    device = notebook.device
    left, model = [], None
    for call in calls:
        if fresh or model is None:
            model = _model(notebook, dim, {"lr": lr, **state})
        if "grads" in call:
            _put_grads(model, device, **call["grads"])
        arguments = [a.to(device) if isinstance(a, torch.Tensor) else a for a in call["with"]]
        if call["do"] == "train":
            returned = notebook.train(model, *arguments)
        else:
            returned = getattr(model, call["do"])(*arguments)
        grads = getattr(model, "grads", None)
        if isinstance(grads, dict):
            grads = {str(name): _copy(value) for name, value in grads.items()}
        kept = {name: _copy(getattr(model, name)) for name in ("w", "b")}
        left.append({"returned": _copy(returned), "grads": grads, **kept})
    return left


def _model(notebook, dim, state):
    try:
        model = notebook.LR(dim, state["lr"].clone().to(notebook.device))
    except Exception:  # a constructor that does not work is another test's matter
        model = notebook.LR.__new__(notebook.LR)
    if isinstance(model, nn.Module) and "_parameters" not in vars(model):
        nn.Module.__init__(model)
    for name, value in state.items():
        _put(model, name, value.clone().to(notebook.device))
    return model


def _put(model, name, value):
    """Put a number into a model, in the way and in the shape in which it keeps it."""
    parameters, buffers = (vars(model).get(name, {}) for name in ("_parameters", "_buffers"))
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


def _put_grads(model, device, dw, db):
    new = {"dw": dw.clone().to(device), "db": db.clone().to(device)}
    for name, of in (("dw", model.w), ("db", model.b)):
        if of.numel() == new[name].numel():
            new[name] = new[name].reshape(of.shape)
    if isinstance(vars(model).get("grads"), dict):
        model.grads.update(new)
    else:
        model.grads = new


def _copy(value):
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def loss(notebook, pairs):
    return [notebook.loss(yhat.to(notebook.device), y.to(notebook.device)) for yhat, y in pairs]


def predict(notebook, pairs):
    return [notebook.predict(yhat.to(notebook.device), y.to(notebook.device)) for yhat, y in pairs]
