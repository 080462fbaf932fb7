"""What runs in the student kernel for the suites of `autograd_functions`."""

from contextlib import suppress

import torch
from torch import Tensor

from autograder.exercise.inside_gradients import gradients


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


def formed(name, value, form):
    """A tensor of another leading shape, or one that lies otherwise in memory."""
    if value.dim() < 2 or not form:
        return value
    if form == "expanded":
        return value[:1].expand(value.shape) if name in ("x", "logits", "g") else value
    if name not in ("x", "g"):
        return value.mT.contiguous().mT if form == "transposed in memory" else value
    if form == "one sample":
        return value[0]
    return value.reshape(3, 2, -1).transpose(0, 1).contiguous().transpose(0, 1)


class Call:
    """A forward pass: what is `given`, what comes out, `y`, and `g`, which will come in."""

    def __init__(self, notebook, function, names, inputs, by, dtype=torch.float64, form=""):
        made = {name: inputs[name] for name in (*names, "g")}
        for name, value in made.items():
            if isinstance(value, Tensor):
                value = value.to(dtype) if value.is_floating_point() else value
                made[name] = formed(name, value.clone(), form)
        self.g, self.given, self.by = made.pop("g"), made, by
        for name in by:
            made[name].requires_grad_()
        self.y = getattr(notebook, function).apply(*made.values())

    def gradients(self, create_graph=False):
        """Those by all of `by`."""
        there = [self.given[name] for name in self.by]
        if self.y.shape == self.g.shape:
            return gradients(self.y, there, self.g, create_graph)
        found = self.returned()  # what comes out is another test's matter
        return [found.get(name, torch.zeros_like(self.given[name])) for name in self.by]

    def returned(self):
        """What `backward` itself returns for each argument, before autograd makes it fit."""
        node = self.y.grad_fn
        if not isinstance(node, torch.autograd.function.BackwardCFunction):
            return {}  # no Function has made it
        found = node.apply(self.g.clone())
        found = found if isinstance(found, tuple | list) else (found,)
        pairs = zip(self.given, found, strict=False)
        return {name: gradient for name, gradient in pairs if gradient is not None}


def flat(tensors):
    return torch.cat([each.reshape(-1) for each in tensors])


def usable(notebook, by, **asked):
    """Those inputs whose gradient can be had, all at once or each alone; else all of them."""
    single = []
    for trained in (by, *([name] for name in by)):
        with suppress(Exception):
            Call(notebook, by=trained, **asked).gradients()
            if trained == by:
                return by
            single += trained
    return single or by


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


def changed(call, tensor):
    """Gradients after a tensor has changed in place between the passes; None if that is noticed."""
    there = call.y if tensor == "output" else call.given[tensor]
    try:
        with torch.no_grad():
            turned = there.flip(list(range(there.dim())))
            there.copy_(1.5 * turned if there.is_floating_point() else there.roll(1))
        return flat(call.gradients())
    except RuntimeError as error:
        if "inplace" not in str(error):
            raise
        return None


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
    found["changed"] = [changed(begin(), name) for name in (*tensors[:-1], "output")]
    return found
