"""What runs in the student kernel for the suites of `blocks`.

Stand-ins for layers of earlier tasks are other functions than those layers, so that nothing can be
read off them: a block is right if it is right with any parts.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autograder.exercise.inside_model import make_model_again


class Part:
    """Stands for a layer: a function whose gradients autograd works out."""

    function: Any

    def __init__(self, **params):
        self.params, self.grads = params, {}
        for name, tensor in params.items():
            setattr(self, name, tensor)

    def forward(self, x):
        with torch.enable_grad():
            leaves = {name: tensor.detach() for name, tensor in self.params.items()}
            self.leaves = {"": x.detach().clone(), **leaves}
            for leaf in self.leaves.values():
                leaf.requires_grad_()
            self.y = self.function(self.leaves[""], **leaves)
        return self.y.detach()

    __call__ = forward

    def backward(self, grad_output):
        found = torch.autograd.grad(self.y, [*self.leaves.values()], grad_output)
        self.grads = dict(zip(self.params, found[1:], strict=True))
        return found[0]


class Linear(Part):
    def __init__(self, in_features, out_features):
        weights = torch.rand(in_features, out_features)
        super().__init__(weights=weights, bias=torch.rand(out_features))

    def function(self, x, weights, bias):
        return torch.sin(x) @ weights - bias**2


class ReLU(Part):
    def function(self, x):
        return x.clamp(min=0)


class LayerNorm(Part):
    def __init__(self, dim, eps=0.0):
        super().__init__(weight=torch.rand(dim), bias=torch.rand(dim))

    def function(self, x, weight, bias):
        return torch.sin(x * weight) + x * bias


class SelfAttention(Part):
    def __init__(self, dim, heads):
        super().__init__(**{name: torch.rand(dim, dim) for name in ("wq", "wk", "wv", "wo")})

    def function(self, x, wq, wk, wv, wo):
        return torch.sin(x @ wq) @ wo + (x @ wk).mean(dim=1, keepdim=True) * torch.cos(x @ wv)


class Silent(Part):
    """Makes of a stand-in one that uses no autograd: it gives numbers that mean nothing."""

    def forward(self, x):
        last = [tensor.shape[-1] for tensor in self.params.values()][-1:]
        self.shape = x.shape
        return torch.ones(*x.shape[:-1], *(last or x.shape[-1:]))

    __call__ = forward

    def backward(self, grad_output):
        self.grads = {name: torch.ones_like(tensor) for name, tensor in self.params.items()}
        return torch.ones(self.shape)


PARTS = (Linear, ReLU, LayerNorm, SelfAttention)


def put_in_place(notebook, stand_ins, silent):
    for part in PARTS:
        if part.__name__ in stand_ins:
            kind = type(part.__name__, (Silent, part), {}) if silent else part
            setattr(notebook, part.__name__, kind)


def tensors_of(thing):
    """The tensors that a layer's `params` hold, by name; none where it has no such dictionary."""
    params = getattr(thing, "params", None)
    return params if isinstance(params, dict) else {}


def fill(layer, given, by_attribute):
    """Put numbers into the tensors of `params`, in place.

    With `by_attribute` also into those that lie elsewhere under the same name, since whether
    `params` hold the tensors that are used is the matter of one check alone.
    """
    for name, numbers in given.items():
        places = [tensors_of(layer).get(name)]
        if by_attribute:
            owner, _, last = name.rpartition(".")
            part = getattr(layer, owner, None) if owner else layer
            places += [getattr(part, last, None), tensors_of(part).get(last)]
        for tensor in places:
            if isinstance(tensor, Tensor) and tensor.shape == numbers.shape:
                with torch.no_grad():
                    tensor.copy_(numbers)


def copy(value):
    return value.detach().clone() if isinstance(value, Tensor) else value


def passes(notebook, name, calls, stand_ins=(), silent=False, fresh=True):
    """Pass forward and backward through a layer.

    Args:
        name: of the class.
        calls: each has the `sizes` that a layer is made with, `params` to put in place, `x` and
            perhaps an upstream gradient `g`: then it goes backward, too.
        fresh: whether each call gets a layer of its own; else one layer gets them in turn.

    Returns:
        for each call `y`, the gradient `x`, `grads`, the shapes in `params`, and whether what was
        given is `kept` as it was.
    """
    put_in_place(notebook, stand_ins, silent)
    found = []
    layer: Any = None
    for call in calls:
        first = fresh or layer is None
        layer = getattr(notebook, name)(*call["sizes"]) if first else layer
        fill(layer, call["params"], by_attribute=first)
        x, g = call["x"].to(notebook.device, copy=True), call.get("g")
        left = {"y": copy(layer.forward(x))}
        if g is not None:
            g = g.to(notebook.device, copy=True)
            left["x"] = copy(layer.backward(g))
            grads = getattr(layer, "grads", None)
            grads = {str(k): copy(v) for k, v in grads.items()} if isinstance(grads, dict) else None
            left["grads"] = grads
        left["params"] = {
            str(key): list(value.shape) if isinstance(value, Tensor) else None
            for key, value in tensors_of(layer).items()
        }
        left["kept"] = all(
            torch.equal(t.cpu(), call[k]) for k, t in (("x", x), ("g", g)) if k in call
        )
        found.append(left)
    return found


# ------------------------------------------------------------------------------------------ model


def answers(notebook, images, cells):
    """The scores that `model` gives to pictures; with cells, after those made it of stand-ins."""
    if cells:
        trained = {"Linear": TrainedLinear, "ReLU": ReLU, "LayerNorm": TrainedNorm}
        trained |= {"SelfAttention": TrainedAttention, "ResidualBlock": TrainedResidual}
        make_model_again(notebook, cells, **trained, TransformerBlock=TrainedTransformer)
    images = images.to(notebook.device)
    with torch.no_grad():
        return notebook.model.forward(notebook.patches(images))


def normal(rows, columns):
    return torch.randn(rows, columns) / rows**0.5


def two_layers(dim, hidden):
    second = {"second.weights": normal(hidden, dim), "second.bias": torch.zeros(dim)}
    return {"first.weights": normal(dim, hidden), "first.bias": torch.zeros(hidden), **second}


def through_two(x, p):
    inside = functional.linear(x, p["first.weights"].T, p["first.bias"]).relu()
    return functional.linear(inside, p["second.weights"].T, p["second.bias"])


def through_attention(x, wq, wk, wv, wo):
    """With one head, whatever is asked for: it is there to be trained with."""
    return functional.scaled_dot_product_attention(x @ wq, x @ wk, x @ wv) @ wo


class TrainedLinear(Part):
    def __init__(self, in_features, out_features):
        bias = torch.zeros(out_features)
        super().__init__(weights=normal(in_features, out_features), bias=bias)

    def function(self, x, weights, bias):
        return functional.linear(x, weights.T, bias)


class TrainedNorm(Part):
    def __init__(self, dim, eps=1e-5):
        super().__init__(weight=torch.ones(dim), bias=torch.zeros(dim))

    def function(self, x, weight, bias):
        return functional.layer_norm(x, x.shape[-1:], weight, bias)


class TrainedAttention(Part):
    def __init__(self, dim, heads):
        super().__init__(**{name: normal(dim, dim) for name in ("wq", "wk", "wv", "wo")})

    def function(self, x, **p):
        return through_attention(x, **p)


class TrainedResidual(Part):
    def __init__(self, dim, hidden):
        super().__init__(**two_layers(dim, hidden))

    def function(self, x, **p):
        return x + through_two(x, p)


class TrainedTransformer(Part):
    def __init__(self, dim, heads, hidden):
        matrices = {f"attention.{name}": normal(dim, dim) for name in ("wq", "wk", "wv", "wo")}
        super().__init__(**two_layers(dim, hidden), **matrices)

    def function(self, x, **p):
        normed = functional.layer_norm(x, x.shape[-1:])
        matrices = {name.split(".")[1]: t for name, t in p.items() if name.startswith("att")}
        h = x + through_attention(normed, **matrices)
        return h + through_two(functional.layer_norm(h, h.shape[-1:]), p)
