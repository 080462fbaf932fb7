"""What runs in the student kernel for the suites of `autograd_functions`."""

import torch
from torch import Tensor

# ------------------------------------------------------------------------------ numerical_gradient


def polynomial(x, coefficients):
    """A number that depends on each entry by its cube, and on each two neighbours together."""
    flat = x.reshape(-1)
    return (coefficients * flat**3).sum() + (flat[1:] * flat[:-1]).sum()


def numerical(notebook, x, coefficients, eps=None, turned=False):
    """The student's gradient of a polynomial; `x` before and after; the shapes of what f got."""
    x, coefficients = x.double(), coefficients.double()
    if turned:
        x = x.mT.contiguous().mT
    before, shapes = x.clone(), set()

    def f(at):
        shapes.add(tuple(at.shape))
        return polynomial(at, coefficients)

    how = {} if eps is None else {"eps": eps}
    found = {"gradient": notebook.numerical_gradient(f, x, **how)}
    return found | {"before": before, "after": x, "shapes": list(shapes)}


# --------------------------------------------------------------------------------------- Functions


def arguments(inputs, names, dtype=torch.float64, trained=None, layout=""):
    """What is given to a Function: copies of their own, of another type and layout in memory."""
    made = []
    for name in names:
        value = inputs[name]
        if isinstance(value, Tensor):
            value = value.clone()
            if value.is_floating_point():
                value = value.to(dtype)
            if layout == "transposed" and value.dim() > 1:
                value = value.mT.contiguous().mT
            if layout == "expanded" and name in ("x", "logits", "g") and value.dim() > 1:
                value = value[:1].expand(value.shape)
            if value.is_floating_point():
                value.requires_grad_(trained is None or name in trained)
        made.append(value)
    return made


def upstream(y, inputs, layout=""):
    (g,) = arguments(inputs, ["g"], y.dtype, layout=layout)
    return g if g.shape == y.shape else g.expand_as(y)  # what is no mean is another test's matter


def derivatives(y, by, g, **how):
    found = torch.autograd.grad(y, by, g, allow_unused=True, **how)
    return [torch.zeros_like(t) if d is None else d for t, d in zip(by, found, strict=True)]


def flat(tensors):
    return torch.cat([each.reshape(-1) for each in tensors])


def is_own(y):
    return isinstance(y.grad_fn, torch.autograd.function.BackwardCFunction)


def returned(y, g):
    """What `backward` itself returns, before autograd makes it fit."""
    with torch.no_grad():
        found = y.grad_fn.apply(g)
    return list(found) if isinstance(found, tuple | list) else [found]


def forward(notebook, function, names, inputs, trained=None):
    apply = getattr(notebook, function).apply
    types = torch.float64, torch.float32
    return [apply(*arguments(inputs, names, dtype, trained)) for dtype in types]


def gradients(notebook, function, names, inputs, by, asked, layout=""):
    """The gradient by `asked` in float64 and float32, and how many numbers `backward` returns.

    Where they cannot be had all at once, all other inputs are frozen.
    """
    apply = getattr(notebook, function).apply

    def gradient(dtype, trained):
        made = dict(zip(names, arguments(inputs, names, dtype, trained, layout), strict=True))
        y = apply(*made.values())
        if not is_own(y):
            return {"own": False}
        g = upstream(y, inputs, layout)
        raw = returned(y, g)[names.index(asked)]
        there = [made[name] for name in trained]
        found = torch.autograd.grad(y, there, g, allow_unused=True)[trained.index(asked)]
        size = raw.numel() if isinstance(raw, Tensor) else 0
        return {"own": True, "gradient": found, "size": size}

    found = []
    for dtype in (torch.float64, torch.float32):
        try:
            found.append(gradient(dtype, by))
        except Exception:
            found.append(gradient(dtype, [asked]))
    return found


def usable(apply, names, inputs, by):
    """Those inputs whose gradient can be had; all, where none can: then the error tells why."""

    def works(trained):
        try:
            made = dict(zip(names, arguments(inputs, names, trained=trained), strict=True))
            y = apply(*made.values())
            torch.autograd.grad(y, [made[name] for name in trained], upstream(y, inputs))
        except Exception:
            return False
        return True

    return by if works(by) else [name for name in by if works([name])] or by


def whole(notebook, function, names, inputs, by, layout=""):
    """What comes out and all gradients, one after the other, in float64."""
    apply = getattr(notebook, function).apply
    by = usable(apply, names, inputs, by)
    values = arguments(inputs, names, trained=by, layout=layout)
    made = dict(zip(names, values, strict=True))
    y = apply(*made.values())
    found = derivatives(y, [made[name] for name in by], upstream(y, inputs, layout))
    return {"forward": y, "gradients": flat(found)}


def second(notebook, function, names, inputs, by):
    """The derivatives of a weighted sum of all gradients, by the inputs and by what came in."""
    made = dict(zip(names, arguments(inputs, names, trained=by), strict=True))
    y = getattr(notebook, function).apply(*made.values())
    (g,) = arguments(inputs, ["g"])
    there = [made[name] for name in by]
    first = derivatives(y, there, g.expand_as(y), create_graph=True)
    total = sum((v.double() * d).sum() for v, d in zip(inputs["v"], first, strict=True))
    if not total.requires_grad:
        return torch.zeros(sum(each.numel() for each in (*there, g)))
    return flat(derivatives(total, [*there, g], None))


def gradients_at(notebook, function, names, inputs, by, points):
    """All gradients at each point: the numbers of the inputs, and of what comes in, in a row."""
    found = []
    for point in points:
        at, start = dict(inputs), 0
        for name in (*by, "g"):
            size = inputs[name].numel()
            at[name] = point[start : start + size].reshape(inputs[name].shape)
            start += size
        found.append(whole(notebook, function, names, at, by)["gradients"])
    return torch.stack(found)


def frozen(notebook, function, names, inputs, by):
    """With one input alone trained: its gradient beside the one of all, and what else is given."""
    apply, found = getattr(notebook, function).apply, []
    by = usable(apply, names, inputs, by)
    together = whole(notebook, function, names, inputs, by)["gradients"]
    sizes = [inputs[name].numel() for name in by]
    for name, wanted in zip(by, together.split(sizes), strict=True):
        made = dict(zip(names, arguments(inputs, names, trained=[name]), strict=True))
        y = apply(*made.values())
        g = upstream(y, inputs)
        given = [n for n, d in zip(names, returned(y, g), strict=False) if d is not None]
        (alone,) = derivatives(y, [made[name]], g)
        found.append({"wanted": wanted, "alone": alone.flatten(), "given": given, "name": name})
    return found


def change(tensor):
    """Put other numbers into a tensor, in place."""
    with torch.no_grad():
        turned = tensor.flip(list(range(tensor.dim())))
        tensor.copy_(1.5 * turned if tensor.is_floating_point() else tensor.roll(1))


def saved(notebook, function, names, inputs, other, by):
    """Gradients when something happens between the passes; None where PyTorch notices."""
    apply = getattr(notebook, function).apply
    by = usable(apply, names, inputs, by)

    def begun(given=inputs):
        made = dict(zip(names, arguments(given, names, trained=by), strict=True))
        y = apply(*made.values())
        return made, y, upstream(y, given).detach()

    def ended(made, y, g):
        return flat(derivatives(y, [made[name] for name in by], g))

    made, y, g = begun()
    before = [each.detach().clone() for each in (*made.values(), g) if isinstance(each, Tensor)]
    found = {"alone": ended(made, y, g), "freed": False, "changed": {}}
    after = [each.detach() for each in (*made.values(), g) if isinstance(each, Tensor)]
    found["kept"] = all(map(torch.equal, before, after))
    try:
        ended(made, y, g)
    except RuntimeError as error:
        found["freed"] = "second time" in str(error)
    first = begun()
    begun(other)
    found["later"] = ended(*first)
    for name in (*names, "output"):
        made, y, g = begun()
        there = y if name == "output" else made[name]
        if isinstance(there, Tensor):
            change(there)
            try:
                found["changed"][name] = ended(made, y, g)
            except RuntimeError as error:
                if "modified by an inplace operation" not in str(error):
                    raise
                found["changed"][name] = None
    return found
