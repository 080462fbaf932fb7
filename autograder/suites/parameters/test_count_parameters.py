"""`count_parameters`: how many numbers the trainable parameters hold."""

import pytest
import torch
from torch import nn

from autograder.exercise import Formula, checks, expect
from autograder.suites.parameters import probes


def trained(parameters):
    """Those that are not frozen; a buffer cannot be."""
    return [p for p in parameters if p.requires_grad or not isinstance(p, nn.Parameter)]


def numel(parameters):
    return sum(p.numel() for p in parameters)


def tried(parameters=nn.Module.parameters, count=numel):
    """A way to count such parameters of the modules: those that are trained, or all of them."""
    return lambda modules: (
        [count(which(parameters(module))) for module in modules] for which in (trained, list)
    )


count = Formula(
    "The count",
    # Four different sizes, on which every way to count gives another number.
    draw=lambda rng: {"sizes": (torch.randperm(9, generator=rng)[:4] + 3).tolist()},
    also=lambda sizes: {"modules": probes.freezes(sizes)},
    reference=lambda modules: [numel(trained(module.parameters())) for module in modules],
    take=lambda counts, name, right: [checks.number(each, name) for each in counts],
    message="Your number is not the number of numbers in the trainable parameters.",
    margin=0,
)
count.mistake("counts-tensors", tried(count=len)).says(
    "You count tensors: a weight of shape `(3, 2)` is one tensor, but holds 6 numbers. `numel()`"
    " counts those."
)
count.mistake("counts-rows", tried(count=lambda ps: sum(map(len, ps)))).says(
    "You count the rows of each parameter (`len`, or the first number of its shape): a weight of"
    " shape `(3, 2)` has 3 rows, but holds 6 numbers."
)
count.mistake("adds-the-sides", tried(count=lambda ps: sum(sum(p.shape) for p in ps))).says(
    "You add the numbers of each shape: a weight of shape `(3, 2)` holds 3 times 2 numbers, not 5."
)
count.mistake("counts-bytes", tried(count=lambda ps: 4 * numel(ps))).says(
    "You count bytes: a number of type float32 takes 4 of them, but is one number."
)
count.mistake("biases-left-out", tried(count=lambda ps: numel(p for p in ps if p.dim() > 1))).says(
    "You count the weights alone: biases are parameters too."
)
count.mistake("last-only", tried(count=lambda ps: ps[-1].numel())).says(
    "Your number is that of the last parameter alone: does each round of the loop start again from"
    " nothing?"
)
count.mistake("first-only", tried(count=lambda ps: ps[0].numel())).says(
    "Your number is that of the first parameter alone: is there a `return` inside the loop?"
)
WITH_GRADIENT = count.mistake(
    "counts-gradients", tried(count=lambda ps: numel(p for p in ps if p.grad is not None))
).says(
    "You count what has a gradient now. `p.grad` is `None` until the first `backward()`;"
    " `p.requires_grad` says whether there will be one."
)
count.mistake("own-parameters-only", tried(lambda m: m.parameters(recurse=False))).says(
    "You count the parameters of the module itself: those of the modules inside it are missing."
)
count.mistake(
    "one-level-only",
    tried(lambda m: [p for of in (m, *m.children()) for p in of.parameters(recurse=False)]),
).says("Your count stops one level down: a module inside a module inside the module is missing.")
count.mistake(
    "linear-layers-only",
    tried(lambda m: [p for n in m.modules() if isinstance(n, nn.Linear) for p in n.parameters()]),
).says(
    "You count linear layers alone: other modules have parameters too, and a module can have some"
    " of its own. `parameters()` knows them all."
)
count.mistake(
    "counts-twice", tried(lambda m: [p for each in m.modules() for p in each.parameters()])
).says(
    "You count some parameters more than once: `parameters()` of a module has those of the modules"
    " inside it already."
)
count.mistake("buffers-as-parameters", tried(lambda m: [*m.parameters(), *m.buffers()])).says(
    "You count buffers too: `state_dict()` has parameters and buffers, `parameters()` has the"
    " parameters alone."
)
FROZEN_TOO = count.mistake(
    "counts-frozen", lambda modules: [numel(m.parameters()) for m in modules]
).says("You count frozen parameters too: only those with `requires_grad` are trained.")
count.mistake(
    "counts-frozen-only",
    lambda modules: [numel(p for p in m.parameters() if not p.requires_grad) for m in modules],
).says("You count the frozen parameters instead of the trainable ones.")


@pytest.mark.points(5)
def test_numbers(student, rng):
    """Every number in every parameter is counted, once, no buffer is; the count is an `int`.

    network = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
    print(count_parameters(network))  # 3*2 + 2 + 2*4 + 4 + 4 + 4
    #> 28
    print(type(count_parameters(network)))
    #> <class 'int'>
    """
    inputs = count.draw(rng)
    counts = student.run(probes.counts, **inputs)
    compared = count.compared(counts, **inputs)
    if compared.got[0] != compared.wanted[0]:
        count.check(counts, **inputs)
    kind = checks.kind(counts[0])
    whole = all(type(each) is int for each in counts)
    expect(whole, "The count should be a Python `int`; yours is {kind}.", kind=kind)


@pytest.mark.points(5)
def test_trainable_only(student, rng):
    """Frozen parameters (`requires_grad=False`) are not counted.

    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4))
    print(count_parameters(network))  # 3*2 + 2 + 2*4 + 4
    #> 20
    network[0].weight.requires_grad = False
    print(count_parameters(network))  # 2 + 2*4 + 4
    #> 14
    """
    inputs = count.draw(rng)
    compared = count.compared(student.run(probes.counts, **inputs), **inputs)
    whole, *parts = compared.got
    # Whatever is counted: with some frozen and with the others frozen, it adds up to the whole.
    if whole == sum(parts) and all(parts):
        return
    known = checks.diagnose(compared)
    expect(not whole or parts != [whole, whole] or known is WITH_GRADIENT, FROZEN_TOO)
    count.check(compared.got, **inputs)
