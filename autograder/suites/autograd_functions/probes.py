"""What runs in the student kernel for the suites of `autograd_functions`."""

import torch
from torch import Tensor

from autograder.exercise.inside_gradients import Call, flat, gradients, usable


def polynomial(x, coefficients):
    """A number that depends on each entry by its cube, and on each two neighbours together."""
    flat = x.reshape(-1)
    return (coefficients * flat**3).sum() + (flat[1:] * flat[:-1]).sum()


def numerical(notebook, x, coefficients, eps=None, turned=False):
    """The student's gradient of a polynomial; `x` before and after; the shapes of what f got."""
    x, coefficients, shapes = x.double(), coefficients.double(), set()
    x = x.mT.contiguous().mT if turned else x
    before = x.clone()

    def f(at):
        shapes.add(tuple(at.shape))
        return polynomial(at, coefficients)

    how = {} if eps is None else {"eps": eps}
    gradient = notebook.numerical_gradient(f, x, **how)
    return {"gradient": gradient, "before": before, "after": x, "shapes": list(shapes)}


# -------------------------------------------------------------------------------------- Functions


def forward(notebook, **asked):
    """What comes out in float64 and in float32."""
    return [Call(notebook, dtype=dtype, **asked).y for dtype in (torch.float64, torch.float32)]


def gradient(notebook, of, by, **asked):
    """A gradient in float64 and in float32, and how many numbers `backward` returns for it."""
    by = usable(notebook, by, **asked)
    by = by if of in by else [of]
    found = []
    for dtype in (torch.float64, torch.float32):
        call = Call(notebook, by=by, dtype=dtype, **asked)
        raw = call.returned().get(of)
        found.append(call.gradients()[by.index(of)])
    return {"gradients": found, "size": raw.numel() if isinstance(raw, Tensor) else 0}


def whole(notebook, by, form="", **asked):
    """What comes out and all gradients, one after the other."""
    call = Call(notebook, by=usable(notebook, by, **asked), form=form, **asked)
    return {"fits": call.y.shape == call.g.shape, "numbers": flat([call.y, *call.gradients()])}


def second(notebook, inputs, **asked):
    """The derivatives of a weighted sum of all gradients, by the inputs and by what comes in."""
    call = Call(notebook, inputs=inputs, **asked)
    leaves = [*(call.given[name] for name in call.by), call.g.requires_grad_()]
    first = call.gradients(create_graph=True)
    total = sum((v.double() * d).sum() for v, d in zip(inputs["v"], first, strict=True))
    found = [torch.zeros_like(leaf) for leaf in leaves]
    if total.requires_grad:
        found = gradients(total, leaves, torch.ones_like(total))
    return {"first": flat(first), "second": flat(found)}


def frozen(notebook, by, **asked):
    """With one input alone trained: its gradient beside the one of all, and what else is given."""
    found, by = [], usable(notebook, by, **asked)
    for name, together in zip(by, Call(notebook, by=by, **asked).gradients(), strict=True):
        call = Call(notebook, by=[name], **asked)
        others = {*by} & {*call.returned()} - {name}
        (alone,) = call.gradients()
        found.append({"alone": alone, "together": together, "others": len(others)})
    return found


def saved(notebook, inputs, other, by, **asked):
    """Gradients when something happens between the passes."""
    asked["by"] = usable(notebook, by, inputs=inputs, **asked)

    def begin(inputs=inputs):
        return Call(notebook, inputs=inputs, **asked)

    call = begin()
    found = {"alone": flat(call.gradients()), "freed": call.y.shape != call.g.shape}
    given = {**call.given, "g": call.g}
    tensors = [name for name, value in given.items() if isinstance(value, Tensor)]
    found["kept"] = all(bool((given[name] == inputs[name]).all()) for name in tensors)
    try:
        call.gradients()
    except RuntimeError as error:
        found["freed"] = "second time" in str(error)
    first = begin()
    begin(other)
    found["later"] = flat(first.gradients())
    found["changed"] = [begin().after_change(name) for name in (*tensors[:-1], "output")]
    return found
