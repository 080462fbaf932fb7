"""`count_parameters`: how many numbers the trainable parameters hold."""

from functools import cache
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail, kind
from autograder.exercise.formula import drawn

TENSORS = Misconception(
    "counts-tensors",
    "You count tensors: a weight of shape `(3, 2)` is one tensor, but holds 6 numbers. `numel()`"
    " counts those.",
)
ROWS = Misconception(
    "counts-rows",
    "You count the rows of each parameter (`len`, or the first number of its shape): a weight of"
    " shape `(3, 2)` has 3 rows, but holds 6 numbers.",
)
SIDES = Misconception(
    "adds-the-sides",
    "You add the numbers of each shape: a weight of shape `(3, 2)` holds 3 times 2 numbers, not 5.",
)
BYTES = Misconception(
    "counts-bytes", "You count bytes: a number of type float32 takes 4 of them, but is one number."
)
FROZEN_TOO = Misconception(
    "counts-frozen",
    "You count frozen parameters too: only those with `requires_grad` are trained.",
)
FROZEN_ONLY = Misconception(
    "counts-frozen-only", "You count the frozen parameters instead of the trainable ones."
)
BUFFERS_TOO = Misconception(
    "buffers-as-parameters",
    "You count buffers too: `state_dict()` has parameters and buffers, `parameters()` has"
    " the parameters alone.",
)
OWN_ONLY = Misconception(
    "own-parameters-only",
    "You count the parameters of the module itself: those of the modules inside it are missing.",
)
ONE_LEVEL = Misconception(
    "one-level-only",
    "Your count stops one level down: a module inside a module inside the module is missing.",
)
TWICE = Misconception(
    "counts-twice",
    "You count some parameters more than once: `parameters()` of a module has those of the modules"
    " inside it already.",
)
MATRICES = Misconception(
    "biases-left-out", "You count the weights alone: biases are parameters too."
)
LINEAR_ONLY = Misconception(
    "linear-layers-only",
    "You count linear layers alone: other modules have parameters too, and a module can have some"
    " of its own. `parameters()` knows them all.",
)
LAST = Misconception(
    "last-only",
    "Your number is that of the last parameter alone: does each round of the loop start again from"
    " nothing?",
)
FIRST = Misconception(
    "first-only",
    "Your number is that of the first parameter alone: is there a `return` inside the loop?",
)
WITH_GRADIENT = Misconception(
    "counts-gradients",
    "You count what has a gradient now. `p.grad` is `None` until the first `backward()`;"
    " `p.requires_grad` says whether there will be one.",
)


def probe_count(notebook, sizes):
    """The counts for a module of nested modules: nothing frozen, some frozen, all but those."""
    a, b, c, d = sizes

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(d, b))
            self.shift = nn.Parameter(torch.ones(c))
            self.block = nn.Sequential(nn.Linear(b, c), nn.Sequential(nn.Linear(c, d, bias=False)))
            self.norm = nn.BatchNorm1d(d)
            self.first = nn.Linear(a, b)

    module = Scaled()
    some = [module.scale, module.block[0].bias, module.block[1][0].weight]
    for p in (module.norm.weight, module.block[0].bias):
        p.grad = torch.zeros_like(p)
    found = {"counts": [], "int": True}
    for frozen in ("none", "some", "others"):
        for p in module.parameters():
            among = any(p is other for other in some)
            p.requires_grad = not {"none": False, "some": among, "others": not among}[frozen]
        count = notebook.count_parameters(module)
        found["counts"].append(count)
        found["int"] = found["int"] and type(count) is int
    return found


def draw(rng):
    """Four different sizes, on which every way to count gives another number."""

    def make():
        return {"sizes": (torch.randperm(9, generator=rng)[:4] + 3).tolist()}

    return drawn(make, reference, mistakes, margin=0)


def reference(sizes):
    a, b, c, d = sizes
    some = d * b + c + c * d
    others = c + b * c + 2 * d + a * b + b
    return [some + others, others, some]


def mistakes(sizes):
    return _mistakes(tuple(sizes))


@cache
def _mistakes(sizes):
    """Each a way to count, tried on the same module."""

    def trained(module):
        return [p for p in module.parameters() if p.requires_grad]

    def frozen(module):
        return [p for p in module.parameters() if not p.requires_grad]

    def numel(parameters):
        return sum(p.numel() for p in parameters)

    def one_level(module):
        own = module.parameters(recurse=False)
        return [*own, *(p for each in module.children() for p in each.parameters(recurse=False))]

    def linear(module):
        layers = [each for each in module.modules() if isinstance(each, nn.Linear)]
        return [p for each in layers for p in each.parameters()]

    ways = [
        (TENSORS, len),
        (ROWS, lambda ps: sum(len(p) for p in ps)),
        (SIDES, lambda ps: sum(sum(p.shape) for p in ps)),
        (BYTES, lambda ps: sum(p.numel() * p.element_size() for p in ps)),
        (MATRICES, lambda ps: numel(p for p in ps if p.dim() > 1)),
        (LAST, lambda ps: ps[-1].numel()),
        (FIRST, lambda ps: ps[0].numel()),
        (WITH_GRADIENT, lambda ps: numel(p for p in ps if p.grad is not None)),
    ]
    counts = [(mistake, lambda m, way=way: way(trained(m))) for mistake, way in ways]
    counts += [(mistake, lambda m, way=way: way(list(m.parameters()))) for mistake, way in ways]
    kinds = [
        (OWN_ONLY, lambda m: m.parameters(recurse=False)),
        (ONE_LEVEL, one_level),
        (LINEAR_ONLY, linear),
        (TWICE, lambda m: [p for each in m.modules() for p in each.parameters()]),
        (BUFFERS_TOO, lambda m: [*m.parameters(), *m.buffers()]),
    ]
    for mistake, kind_of in kinds:
        counts.append((mistake, lambda m, of=kind_of: numel(of(m))))
        counts.append((mistake, lambda m, of=kind_of: numel(p for p in of(m) if p.requires_grad)))
    counts += [
        (BUFFERS_TOO, lambda m: numel([*trained(m), *m.buffers()])),
        (FROZEN_TOO, lambda m: numel(m.parameters())),
        (FROZEN_ONLY, lambda m: numel(frozen(m))),
    ]
    found = counted(lambda m: [count(m) for _, count in counts], sizes)
    among = [
        (mistake, list(each))
        for (mistake, _), each in zip(counts, zip(*found, strict=True), strict=True)
    ]
    return [(mistake, each) for mistake, each in among if each != reference(sizes)]


def counted(count, sizes):
    return probe_count(SimpleNamespace(count_parameters=count), sizes)["counts"]


def compare(got, sizes):
    if list(got) == reference(sizes):
        return
    named = {mistake for mistake, counts in mistakes(sizes) if counts == list(got)}
    fail(
        "Your number is not the number of numbers in the trainable parameters.",
        because=named.pop() if len(named) == 1 else None,
    )


def counts_of(found):
    return [checks.number(count, "The count") for count in found["counts"]]


ALL = """\
network = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
print(count_parameters(network))  # 3*2 + 2 + 2*4 + 4 + 4 + 4
#> 28
print(type(count_parameters(network)))
#> <class 'int'>
"""


@pytest.mark.points(5)
@pytest.mark.example(ALL)
def test_numbers(student, rng):
    """Every number in every parameter is counted, once, no buffer is; the count is an `int`."""
    inputs = draw(rng)
    found = student.run(probe_count, **inputs)
    counts = counts_of(found)
    if counts[0] != reference(**inputs)[0]:
        compare(counts, **inputs)
    expect(
        found["int"], f"The count should be a Python `int`; yours is {kind(found['counts'][0])}."
    )


FROZEN = """\
network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4))
print(count_parameters(network))  # 3*2 + 2 + 2*4 + 4
#> 20
network[0].weight.requires_grad = False
print(count_parameters(network))  # 2 + 2*4 + 4
#> 14
"""


@pytest.mark.points(5)
@pytest.mark.example(FROZEN)
def test_trainable_only(student, rng):
    """Frozen parameters (`requires_grad=False`) are not counted."""
    inputs = draw(rng)
    counts = counts_of(student.run(probe_count, **inputs))
    whole, *parts = counts
    # Whatever is counted: with some frozen and with the others frozen, it adds up to the whole.
    if whole == sum(parts) and all(parts):
        return
    by_gradient = counts in [each for it, each in mistakes(**inputs) if it is WITH_GRADIENT]
    expect(by_gradient or not whole or parts != [whole, whole], "", because=FROZEN_TOO)
    compare(counts, **inputs)
