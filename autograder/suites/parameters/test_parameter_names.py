"""`parameter_names`: every name that `named_parameters()` gives, as a list of str."""

from functools import cache
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from autograder.exercise.checks import Misconception, expect, fail, kind

OWN_ONLY = Misconception(
    "own-parameters-only",
    "Your list stops at the module's own parameters: those of the modules inside it are missing.",
)
ONE_LEVEL = Misconception(
    "one-level-only",
    "Your list stops one level down: a module inside a module inside the module is missing.",
)
LEAVES_ONLY = Misconception(
    "leaves-only",
    "Your list has the parameters of the innermost modules alone: a module that holds other modules"
    " can have parameters of its own.",
)
TRAINABLE_ONLY = Misconception(
    "trainable-only",
    "Your list leaves out frozen parameters (`requires_grad=False`): they are parameters too.",
)
WITH_BUFFERS = Misconception(
    "buffers-as-parameters",
    "Your list holds buffers too: `state_dict()` has parameters and buffers,"
    " `named_parameters()` the parameters alone.",
)
PAIRS = Misconception(
    "pairs",
    "Your list holds pairs: `named_parameters()` gives `(name, parameter)`; keep the name alone.",
)
PARAMETERS = Misconception(
    "parameters-not-names",
    "Your list holds the parameters themselves, not their names.",
)
MODULES = Misconception(
    "module-names",
    "Your list holds the names of modules, not of parameters: a module can have several parameters,"
    " or none.",
)
SHORT = Misconception(
    "last-part-only",
    "Your names are cut: the whole path counts, like `0.weight`, not its last part.",
)
SORTED = Misconception(
    "sorted",
    "Your names are right, but in another order than `named_parameters()` gives them in.",
)
FIRST = Misconception(
    "first-only", "Your list stops after the first name: is there a `return` inside the loop?"
)
LAST = Misconception(
    "last-only",
    "Your list has the last name alone: does each round of the loop start with an empty list?",
)
ACCUMULATED = Misconception(
    "names-of-earlier-calls",
    "Your list still holds the names of an earlier call: is it made outside the function, or in its"
    " first line (`names=[]`), where Python makes it only once?",
)
NOT_A_LIST = Misconception(
    "not-a-list",
    "What you return can be walked through, but is no list. `list(...)` makes one of it.",
)
ONE_TEXT = Misconception("one-text", "You return one text with all the names in it, not a list.")


def probe_names(notebook):
    """The names for a module of nested modules, before and after its parameters are frozen."""

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.register_buffer("seen", torch.zeros(2))
            self.lines = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2, bias=False))

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.ones(2))
            self.offset = nn.Parameter(torch.ones(2))
            self.last = nn.Linear(2, 3)
            self.inner = Inner()
            self.plain = torch.ones(4)

    def ask():
        names = notebook.parameter_names(module)
        found["type"] = type(names).__name__
        walkable = hasattr(names, "__iter__") and not isinstance(names, str | torch.Tensor)
        return list(names) if walkable else names

    module, found = Outer(), {}
    found["names"] = ask()
    for p in module.parameters():
        p.requires_grad = False
    found["frozen"] = ask()
    return found


NAMES = [
    *("slope", "offset", "last.weight", "last.bias"),
    *("inner.scale", "inner.lines.0.weight", "inner.lines.0.bias", "inner.lines.1.weight"),
]
LAST_PARTS = [name.rpartition(".")[2] for name in NAMES]


def draw(rng):
    """The module is always the same: its names are no secret."""
    return {}


def reference():
    return NAMES


@cache
def mistakes():
    """Each a wrong `parameter_names`, tried on the same module."""

    def names(parameters):
        return [name for name, _ in parameters]

    def below(path, module):
        return [".".join([path, name]) for name, _ in module.named_parameters(recurse=False)]

    def own(module):
        return names(module.named_parameters(recurse=False))

    def one_level(module):
        inside = [name for path, each in module.named_children() for name in below(path, each)]
        return own(module) + inside

    def leaves(module):
        found = [(path, each) for path, each in module.named_modules() if not list(each.children())]
        return [name for path, each in found for name in below(path, each)]

    def modules(module):
        return names(module.named_modules())

    functions = [
        (OWN_ONLY, own),
        (ONE_LEVEL, one_level),
        (LEAVES_ONLY, leaves),
        (WITH_BUFFERS, lambda m: list(m.state_dict())),
        (MODULES, modules),
        (MODULES, lambda m: modules(m)[1:]),
        (MODULES, lambda m: names(m.named_children())),
    ]
    found = [(mistake, answer(function)) for mistake, function in functions]
    return [
        *found,
        (SHORT, LAST_PARTS),
        (SORTED, sorted(NAMES)),
        (SORTED, NAMES[::-1]),
        (FIRST, NAMES[:1]),
        (FIRST, NAMES[0]),
        (LAST, NAMES[-1:]),
        (LAST, NAMES[-1]),
        (ONE_TEXT, ", ".join(NAMES)),
        (ACCUMULATED, ["0.weight", "0.bias", *NAMES]),
    ]


def answer(function):
    return probe_names(SimpleNamespace(parameter_names=function))["names"]


def compare(got):
    if got == NAMES:
        return
    for mistake, names in mistakes():
        if got == names:
            fail("", because=mistake)
    if isinstance(got, str):
        fail("You return one text, not a list.", ONE_TEXT if all(n in got for n in NAMES) else None)
    if not isinstance(got, list):
        fail(f"A list of names was expected; yours is {kind(got)}.")
    if got and all(isinstance(item, torch.Tensor) for item in got):
        fail("", because=PARAMETERS)
    if got and all(isinstance(item, list) and len(item) == 2 for item in got):
        fail("", because=PAIRS)
    if len(got) > len(NAMES) and got[-len(NAMES) :] == NAMES:
        fail("", because=ACCUMULATED)
    if sorted(map(str, got)) == sorted(NAMES):
        fail("", because=SORTED)
    what = "other names" if len(got) == len(NAMES) else f"{len(got)} entries"
    fail(
        f"The module in this check has {len(NAMES)} parameters, in modules inside modules; your"
        f" list has {what}."
    )


NESTED = """\
network = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
network.scale = nn.Parameter(torch.ones(1))
print(parameter_names(network))
#> ['scale', '0.weight', '0.bias', '1.0.weight', '1.0.bias', '1.1.weight', '1.1.bias']
print(parameter_names(network))  # the same again
#> ['scale', '0.weight', '0.bias', '1.0.weight', '1.0.bias', '1.1.weight', '1.1.bias']
"""


@pytest.mark.points(6)
@pytest.mark.example(NESTED)
def test_nested(student):
    """All names are in the list, also those of modules inside modules, and no buffer is."""
    found = student.run(probe_names)
    compare(found["names"])
    expect(found["type"] == "list", "", because=NOT_A_LIST)


FROZEN = """\
layer = nn.Linear(3, 2)
layer.bias.requires_grad = False
print(parameter_names(layer))
#> ['weight', 'bias']
"""


@pytest.mark.points(4)
@pytest.mark.example(FROZEN)
def test_frozen(student):
    """A frozen parameter is a parameter too: its name is in the list."""
    found = student.run(probe_names)
    before, after = mentioned(found["names"]), mentioned(found["frozen"])
    expect(bool(before), "No name of a parameter is in what you return, frozen or not.")
    expect(before <= after, "", because=TRAINABLE_ONLY)


def mentioned(names):
    """The names of parameters in an answer, in whatever form: that is the other test's matter."""
    if isinstance(names, str):
        return {name for name in NAMES if name in names}
    if not isinstance(names, list):
        return set()
    names = [item[0] if isinstance(item, list) and item else item for item in names]
    return {name for name in names if isinstance(name, str) and name in NAMES + LAST_PARTS}
