"""What runs in the student kernel for the suites of `autograd_functions`."""

from contextlib import suppress

import torch
from torch import Tensor


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


def begin(by, notebook, function, names, inputs, dtype=torch.float64, form=""):
    """A forward pass: what goes in, what comes out, and the gradient that will come in."""
    made = {name: inputs[name] for name in (*names, "g")}
    for name, value in made.items():
        if isinstance(value, Tensor):
            value = value.to(dtype) if value.is_floating_point() else value
            made[name] = formed(name, value.clone(), form)
    g = made.pop("g")
    for name in by:
        made[name].requires_grad_()
    return made, getattr(notebook, function).apply(*made.values()), g


def end(by, made, y, g, **how):
    """The gradients by some inputs."""
    there = [made[name] for name in by]
    if y.shape == g.shape:
        found = [*torch.autograd.grad(y, there, g, allow_unused=True, **how)]
    else:  # what comes out is another test's matter
        given = returned(made, y, g)
        found = [given.get(name) for name in by]
    return [torch.zeros_like(t) if d is None else d for t, d in zip(there, found, strict=True)]


def flat(tensors):
    return torch.cat([each.reshape(-1) for each in tensors])


def usable(by, *asked):
    """Those inputs whose gradient can be had, all at once or each alone; else all of them."""
    single = []
    for trained in (by, *([name] for name in by)):
        with suppress(Exception):
            end(trained, *begin(trained, *asked))
            if trained == by:
                return by
            single += trained
    return single or by


def returned(names, y, g):
    """What `backward` itself returns for each argument, before autograd makes it fit."""
    if not isinstance(y.grad_fn, torch.autograd.function.BackwardCFunction):
        return {}  # no Function has made it
    found = y.grad_fn.apply(g.clone())
    found = found if isinstance(found, tuple | list) else (found,)
    return {name: d for name, d in zip(names, found, strict=False) if d is not None}


def forward(notebook, function, names, inputs, by):
    types = torch.float64, torch.float32
    return [begin(by, notebook, function, names, inputs, dtype)[1] for dtype in types]


def gradients(notebook, function, names, inputs, by, asked):
    """A gradient in float64 and in float32, and how many numbers `backward` returns for it."""
    found = []
    by = usable(by, notebook, function, names, inputs)
    by = by if asked in by else [asked]
    for dtype in (torch.float64, torch.float32):
        made, y, g = begin(by, notebook, function, names, inputs, dtype)
        raw = returned(names, y, g).get(asked)
        found.append(end(by, made, y, g)[by.index(asked)])
    return {"gradients": found, "size": raw.numel() if isinstance(raw, Tensor) else 0}


def whole(notebook, function, names, inputs, by, form=""):
    """What comes out and all gradients, one after the other."""
    by = usable(by, notebook, function, names, inputs)
    made, y, g = begin(by, notebook, function, names, inputs, form=form)
    return {"fits": y.shape == g.shape, "numbers": flat([y, *end(by, made, y, g)])}


def second(notebook, function, names, inputs, by):
    """The derivatives of a weighted sum of all gradients, by the inputs and by what comes in."""
    made, y, g = begin(by, notebook, function, names, inputs)
    made["g"] = g.requires_grad_()
    first = end(by, made, y, g, create_graph=True)
    total = sum((v.double() * d).sum() for v, d in zip(inputs["v"], first, strict=True))
    if total.requires_grad:
        found = end([*by, "g"], made, total, torch.ones_like(total))
    else:
        found = [torch.zeros_like(made[name]) for name in (*by, "g")]
    return {"first": flat(first), "second": flat(found)}


def frozen(notebook, function, names, inputs, by):
    """With one input alone trained: its gradient beside the one of all, and what else is given."""
    found, asked = [], (notebook, function, names, inputs)
    by = usable(by, *asked)
    for name, together in zip(by, end(by, *begin(by, *asked)), strict=True):
        made, y, g = begin([name], *asked)
        others = {*by} & {*returned(names, y, g)} - {name}
        (alone,) = end([name], made, y, g)
        found.append({"alone": alone, "together": together, "others": len(others)})
    return found


def changed(tensor, by, *asked):
    """Gradients after a tensor has changed in place between the passes; None if that is noticed."""
    made, y, g = begin(by, *asked)
    there = y if tensor == "output" else made[tensor]
    try:
        with torch.no_grad():
            turned = there.flip(list(range(there.dim())))
            there.copy_(1.5 * turned if there.is_floating_point() else there.roll(1))
        return flat(end(by, made, y, g))
    except RuntimeError as error:
        if "inplace" not in str(error):
            raise
        return None


def saved(notebook, function, names, inputs, other, by):
    """Gradients when something happens between the passes."""
    by = usable(by, notebook, function, names, inputs)
    asked = notebook, function, names, inputs
    made, y, g = begin(by, *asked)
    found = {"alone": flat(end(by, made, y, g)), "freed": y.shape != g.shape}
    tensors = [name for name in names if isinstance(made[name], Tensor)]
    given = {**made, "g": g}
    found["kept"] = all(bool((given[name] == inputs[name]).all()) for name in (*tensors, "g"))
    try:
        end(by, made, y, g)
    except RuntimeError as error:
        found["freed"] = "second time" in str(error)
    first = begin(by, *asked)
    begin(by, notebook, function, names, other)
    found["later"] = flat(end(by, *first))
    found["changed"] = [changed(tensor, by, *asked) for tensor in (*tensors, "output")]
    return found
