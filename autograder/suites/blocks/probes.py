"""What runs in the student kernel for the suites of `blocks`.

Stand-ins for layers of earlier tasks are other functions than those layers, so that nothing can be
read off them: a block is right if it is right with any parts.
"""

from typing import Any

import torch
from torch import nn

from autograder.exercise.inside_layers import OfModule, Part, Silent, pass_through
from autograder.exercise.inside_model import make_model_again

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
    "Linear": lambda in_features, out_features: made(
        weights=(in_features, out_features), bias=out_features
    ),
    "ReLU": dict,
    "LayerNorm": lambda dim, eps=0.0: made(weight=dim, bias=dim),
    "SelfAttention": lambda dim, heads: made(**dict.fromkeys(("wq", "wk", "wv", "wo"), (dim, dim))),
}


def passes(notebook, stand_ins=(), silent=False, **asked):
    """Pass through a layer, with the student's own parts or with stand-ins."""
    for part in stand_ins:
        how = {"made": staticmethod(PARAMS[part]), "function": staticmethod(FUNCTIONS[part])}
        setattr(notebook, part, type(part, (Silent if silent else Part,), how))
    return pass_through(notebook, **asked)


# ------------------------------------------------------------------------------------------ model


class Dense(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(in_features, out_features) / in_features**0.5)
        self.bias = nn.Parameter(torch.zeros(out_features))

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
    "LayerNorm": lambda dim, eps=1e-5: nn.LayerNorm(dim, eps),
    "ResidualBlock": Residual,
    "SelfAttention": Attention,
    "TransformerBlock": Transformer,
}


def answers(notebook, images, cells):
    """The scores that `model` gives to pictures; with cells, after those made it of stand-ins."""
    if cells:
        kinds = {name: {"kind": staticmethod(module)} for name, module in MODULES.items()}
        stand_ins = {name: type(name, (OfModule,), how) for name, how in kinds.items()}
        make_model_again(notebook, cells, **stand_ins)
    images = images.to(notebook.device)
    with torch.no_grad():
        return notebook.model.forward(notebook.patches(images))
