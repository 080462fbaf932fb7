"""`parameter_names`: every name that `named_parameters()` gives, as a list of str."""

import re

import pytest
from torch import Tensor

from autograder.exercise import Formula, Misconception, Text, checks, expect, fail, mistake
from autograder.suites.parameters import probes

# The module is always the same: its names are no secret.
SIZES = [3, 4, 5, 2]
MODULE = probes.Nested(*SIZES)
NAMES = list(dict(MODULE.named_parameters()))
LAST_PARTS = [name.rpartition(".")[2] for name in NAMES]

names = Formula("The list", reference=lambda: NAMES, take=lambda got, *_: got)
names.mistake("own-parameters-only", lambda: [n for n in NAMES if "." not in n]).says(
    "Your list stops at the module's own parameters: those of the modules inside it are missing."
)
names.mistake("one-level-only", lambda: [n for n in NAMES if n.count(".") < 2]).says(
    "Your list stops one level down: a module inside a module inside the module is missing."
)
names.mistake("leaves-only", lambda: [n for n in NAMES if "." in n]).says(
    "Your list has the parameters of the innermost modules alone: a module that holds other modules"
    " can have parameters of its own."
)
names.mistake("buffers-as-parameters", lambda: list(MODULE.state_dict())).says(
    "Your list holds buffers too: `state_dict()` has parameters and buffers,"
    " `named_parameters()` the parameters alone."
)
names.mistake(
    "module-names",
    lambda: (list(dict(MODULE.named_modules()))[start:] for start in (0, 1)),
    lambda: list(dict(MODULE.named_children())),
).says(
    "Your list holds the names of modules, not of parameters: a module can have several parameters,"
    " or none."
)
names.mistake("last-part-only", lambda: LAST_PARTS).says(
    "Your names are cut: the whole path counts, like `0.weight`, not its last part."
)
SORTED = names.mistake("sorted", lambda: sorted(NAMES), lambda: NAMES[::-1]).says(
    "Your names are right, but in another order than `named_parameters()` gives them in."
)
names.mistake("first-only", lambda: NAMES[:1], lambda: NAMES[0]).says(
    "Your list stops after the first name: is there a `return` inside the loop?"
)
names.mistake("last-only", lambda: NAMES[-1:], lambda: NAMES[-1]).says(
    "Your list has the last name alone: does each round of the loop start with an empty list?"
)
ONE_TEXT = names.mistake("one-text", lambda: ", ".join(NAMES)).says(
    "You return one text with all the names in it, not a list."
)
ACCUMULATED = names.mistake("names-of-earlier-calls", lambda: ["0.weight", "0.bias", *NAMES]).says(
    "Your list still holds the names of an earlier call: is it made outside the function, or in its"
    " first line (`names=[]`), where Python makes it only once?"
)
PARAMETERS = Misconception(
    "parameters-not-names",
    "Your list holds the parameters themselves, not their names.",
)
PAIRS = Misconception(
    "pairs",
    "Your list holds pairs: `named_parameters()` gives `(name, parameter)`; keep the name alone.",
)


def shown(got):
    """The known mistake that shows in an answer, whatever exactly is in it."""
    items = got if isinstance(got, list) and got else [got]
    shows = {
        ONE_TEXT: isinstance(got, str) and all(name in got for name in NAMES),
        PARAMETERS: all(isinstance(item, Tensor) for item in items),
        PAIRS: all(isinstance(item, list) and len(item) == 2 for item in items),
        ACCUMULATED: items[-len(NAMES) :] == NAMES,
        SORTED: sorted(map(str, items)) == sorted(NAMES),
    }
    return next((known for known, there in shows.items() if there), None)


def mentioned(got):
    """The names of parameters in an answer, in whatever form: that is the other test's matter."""
    return {*NAMES, *LAST_PARTS} & {*re.findall(r"[\w.]+", str(got))}


@pytest.mark.points(6)
def test_nested(student):
    """All names are in the list, also those of modules inside modules, and no buffer is.

    network = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
    network.scale = nn.Parameter(torch.ones(1))
    print(parameter_names(network))
    #> ['scale', '0.weight', '0.bias', '1.0.weight', '1.0.bias', '1.1.weight', '1.1.bias']
    print(parameter_names(network))  # the same again
    #> ['scale', '0.weight', '0.bias', '1.0.weight', '1.0.bias', '1.1.weight', '1.1.bias']
    """
    (got, form), _ = student.run(probes.names, sizes=SIZES)
    compared = names.compared(got)
    if not compared.right:
        known, kind = checks.diagnose(compared) or shown(got), checks.kind(got)
        expect(not isinstance(got, str), "You return one text, not a list.", known)
        expect(isinstance(got, list), "A list of names was expected; yours is {kind}.", kind=kind)
        what = Text("other names" if len(got) == len(NAMES) else "{n} entries", n=len(got))
        fail(
            "The module in this check has {all} parameters, in modules inside modules; your list"
            " has {what}.",
            known,
            **{"all": len(NAMES), "what": what},
        )
    mistake("not-a-list", form != "list").says(
        "What you return can be walked through, but is no list. `list(...)` makes one of it."
    )


@pytest.mark.points(4)
def test_frozen(student):
    """A frozen parameter is a parameter too: its name is in the list.

    layer = nn.Linear(3, 2)
    layer.bias.requires_grad = False
    print(parameter_names(layer))
    #> ['weight', 'bias']
    """
    before, after = (mentioned(got) for got, _ in student.run(probes.names, sizes=SIZES))
    expect(bool(before), "No name of a parameter is in what you return, frozen or not.")
    mistake("trainable-only", not before <= after).says(
        "Your list leaves out frozen parameters (`requires_grad=False`): they are parameters too."
    )
