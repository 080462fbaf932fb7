"""What runs in the student kernel for the suites of `blocks`.

Stand-ins for layers of earlier tasks are other functions than those layers, so that nothing can be
read off them: a block is right if it is right with any parts.
"""

from typing import Any

import torch
from torch import Tensor, nn

from autograder.exercise.inside_layers import OfModule, Part, Silent, fill, tensors_of

#: By task, what stands in for its layer.
FUNCTIONS: dict[str, Any] = {
    "Linear": lambda x, weights, bias: torch.sin(x) @ weights - bias**2,
    "ReLU": lambda x: x.clamp(min=0),
    "LayerNorm": lambda x, weight, bias: torch.sin(x * weight) + x * bias,
    "SelfAttention": lambda x, wq, wk, wv, wo: (
        torch.sin(x @ wq) @ wo + (x @ wk).mean(dim=1, keepdim=True) * torch.cos(x @ wv)
    ),
}


def made(**named):
    return {name: torch.rand(shape) for name, shape in named.items()}


#: By task, the params of that.
PARAMS: dict[str, Any] = {
    "Linear": lambda rows, columns: made(weights=(rows, columns), bias=columns),
    "ReLU": dict,
    "LayerNorm": lambda dim, eps=0.0: made(weight=dim, bias=dim),
    "SelfAttention": lambda dim, heads: made(**dict.fromkeys(("wq", "wk", "wv", "wo"), (dim, dim))),
}


def copy(value):
    return value.detach().clone() if isinstance(value, Tensor) else value


def passes(notebook, name, calls, stand_ins=(), silent=False, fresh=True):
    """Pass forward and backward through a layer.

    Args:
        name: of the class.
        calls: each has the `sizes` that a layer is made with, `params` to put in place, `x` and
            perhaps an upstream gradient `g`: then it goes backward, too.
        stand_ins: the tasks whose layers others stand in for; `silent` ones use no autograd.
        fresh: whether each call gets a layer of its own; else one layer gets them in turn.

    Returns:
        for each call `y`, the gradient `x`, `grads`, the shapes in `params`, and whether what was
        given is `kept` as it was.
    """
    for part in stand_ins:
        how = {"made": staticmethod(PARAMS[part]), "function": staticmethod(FUNCTIONS[part])}
        setattr(notebook, part, type(part, (Silent if silent else Part,), how))
    found = []
    layer: Any = None
    for call in calls:
        first = fresh or layer is None
        layer = getattr(notebook, name)(*call["sizes"]) if first else layer
        fill(layer, call["params"], by_attribute=first)
        given = {k: call[k].to(notebook.device, copy=True) for k in ("x", "g") if k in call}
        left = {"y": copy(layer.forward(given["x"]))}
        if "g" in given:
            left["x"] = copy(layer.backward(given["g"]))
            grads = getattr(layer, "grads", None)
            grads = {str(k): copy(v) for k, v in grads.items()} if isinstance(grads, dict) else None
            left["grads"] = grads
        left["params"] = {
            str(key): list(value.shape) if isinstance(value, Tensor) else None
            for key, value in tensors_of(layer).items()
        }
        left["kept"] = all(torch.equal(t.cpu(), call[k]) for k, t in given.items())
        found.append(left)
    return found


# ------------------------------------------------------------------------------------------ model


def answers(notebook, images):
    """The scores that `model` gives to pictures."""
    images = images.to(notebook.device)
    with torch.no_grad():
        return notebook.model.forward(notebook.patches(images))


class Dense(nn.Module):
    def __init__(self, rows, columns):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(rows, columns) / rows**0.5)
        self.bias = nn.Parameter(torch.zeros(columns))

    def forward(self, x):
        return nn.functional.linear(x, self.weights.T, self.bias)


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.of_x, self.out = (nn.Parameter(torch.randn(n, dim, dim) / dim**0.5) for n in (3, 1))

    def forward(self, x):
        """With one head, whatever is asked for: it is there to be trained with."""
        return nn.functional.scaled_dot_product_attention(*(x @ w for w in self.of_x)) @ self.out[0]


class Residual(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.first, self.second = Dense(dim, hidden), Dense(hidden, dim)

    def layers(self, x):
        return self.second(self.first(x).relu())

    def forward(self, x):
        return x + self.layers(x)


class Transformer(Residual):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, hidden)
        self.attention = Attention(dim, heads)

    def forward(self, x):
        h = x + self.attention(nn.functional.layer_norm(x, x.shape[-1:]))
        return h + self.layers(nn.functional.layer_norm(h, h.shape[-1:]))


#: By task, what stands in for it in a model that is to be trained.
MODULES: dict[str, Any] = {
    "Linear": Dense,
    "ReLU": nn.ReLU,
    "LayerNorm": nn.LayerNorm,
    "ResidualBlock": Residual,
    "SelfAttention": Attention,
    "TransformerBlock": Transformer,
}


def retrained(notebook, cells, images):
    """The same after the student's own cells have made `model` once more, of stand-ins."""
    for name, module in MODULES.items():
        setattr(notebook, name, type(name, (OfModule,), {"kind": staticmethod(module)}))
    for cell in cells:
        exec(cell, notebook._names)
    return answers(notebook, images)
