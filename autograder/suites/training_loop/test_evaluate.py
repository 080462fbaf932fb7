"""`evaluate`: the mean loss over all samples, and a model that is afterwards as it was before."""

import numpy as np
import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail, kind
from autograder.exercise.formula import told_apart
from autograder.suites.training_loop import (
    BROADCAST,
    CONSTANTS,
    CUT_SHORT,
    GRAPH_KEPT,
    IGNORED,
    NO_FORWARD,
    NO_RETURN,
    NUMPY,
    PART,
    ROOT,
    SWAPPED,
    TENSORS,
    all_apart,
    check_device,
    draw_batches,
    linex,
    loss_at,
    means,
    mse,
    run_loop,
    size_of_linex,
    sizes_of,
)

#: A batch has more samples than the constants that people leave in their code (`x[:100]`).
BATCH = 131
SAMPLES = 443  # batches of 131, 131, 131 and 50
#: Of a mean loss in float32.
MEAN_ERROR = checks.roundoff(30, 3)

# The modules of the probe's network: itself, its inner part with two modules, its outer layer.
MIXED = [True, True, False, True, False]
OTHERWISE = [False, False, True, False, True]

TRAINING_MODE = Misconception(
    "eval-mode-missing",
    "The model answers in whatever mode it came in, and so perhaps with dropout at work. Section 6"
    " names the two switches.",
)
ROOT_ONLY = Misconception(
    "mode-of-root-only",
    "You switch the outermost module alone; the modules inside it keep the mode they had.",
)
GRAPH = Misconception(
    "graph-in-evaluation",
    "PyTorch takes notes for a gradient during your evaluation, though nobody will ask for one."
    " Section 6 names the two switches.",
)
STAYS_EVAL = Misconception(
    "left-in-eval-mode",
    "Afterwards the model is still in evaluation mode, and the next epoch would train in the wrong"
    " mode.",
)
ALL_TRAINING = Misconception(
    "all-in-training-mode",
    "Afterwards all modules are in training mode, also those that someone had put to evaluation"
    " mode on purpose.",
)
MODE_OF_ROOT = Misconception(
    "root-mode-for-all",
    "Afterwards all modules have the mode that the outermost one had: the modules inside may have"
    " had modes of their own.",
)
FLAG_OF_ROOT = Misconception(
    "root-mode-only-restored",
    "Afterwards only the outermost module has the mode it had: those inside it are still in"
    " evaluation mode.",
)
TRAINS = Misconception(
    "evaluation-trains", "Your evaluation changes the parameters: it must only look at the model."
)
GRADIENTS_GONE = Misconception(
    "gradients-wiped",
    "Your evaluation wipes the gradients that were there. They are not yours to forget here: it"
    " must only look at the model.",
)
GRADIENTS_ADDED = Misconception(
    "gradients-added",
    "Your evaluation adds to the gradients of the parameters: nothing may go backward here.",
)
GRAD_LEFT_OFF = Misconception(
    "grad-left-off",
    "Your evaluation switches gradients off for everyone, and never on again: the next training"
    " would fail. A `with` block ends by itself.",
)
FROZEN = Misconception(
    "parameters-left-frozen",
    "Your evaluation leaves the parameters frozen (`requires_grad` is off): no optimizer would"
    " train them again.",
)


def run(student, drawn, **plan):
    start, x, y, _ = drawn
    plan = {"batch_size": BATCH, **plan}
    return run_loop(student, "evaluate", start, x, y, "linex", plan)


def few(drawn):
    """The same with two samples, where the numbers do not count."""
    start, x, y, batches = drawn
    return start, x[:2], y[:2], batches


@pytest.fixture(scope="module")
def drawn(suite_rng):
    """A network, data for it, their batches; and the mean loss with what people take for it."""
    while True:
        start, x, y, batches = draw_batches(suite_rng, SAMPLES, 1, BATCH, linex)
        sizes = sizes_of(batches)

        def mean(criterion, take, batches=batches, sizes=sizes, start=start):
            losses = torch.stack([loss_at(start, *batch, criterion) for batch in batches])[None]
            return take(means(losses, sizes))

        right, others = mean(linex, lambda both: both)
        for mistake, criterion in (
            (SWAPPED, lambda outputs, labels: linex(labels, outputs)),
            (IGNORED, mse),
            (BROADCAST, lambda outputs, labels: linex(outputs, labels.T)),
            (ROOT, lambda outputs, labels: linex(outputs, labels).sqrt()),
        ):
            others.append((mistake, mean(criterion, lambda both: both[0])))
        if not all_apart(right, others):
            continue
        for first in CONSTANTS:
            part = [loss_at(start, x[:first], y[:first], linex) for x, y in batches]
            weights = sizes.clamp(max=first)
            others.append((PART, (torch.stack(part) * weights).sum() / weights.sum()))
        values = [(mistake, value.reshape(())) for mistake, value in others]
        if told_apart(values, 12 * MEAN_ERROR * size_of_linex(start, x, y)):
            return (start, x, y, batches), right, others


@pytest.fixture(scope="module")
def mixed(student, suite_rng, drawn):
    """What happens to a model with a mix of modes and with gradients; and the gradients."""
    grads = [torch.randn(p.shape, generator=suite_rng) for p in drawn[0][0]]
    return run(student, drawn[0], modes=MIXED, grads=grads), grads


@pytest.fixture(scope="module")
def otherwise(student, drawn):
    """The same with another mix of modes."""
    return run(student, few(drawn[0]), modes=OTHERWISE)


MEAN = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 1.0)  # the outputs are x
x = torch.arange(350.0).reshape(-1, 1).sin() + 1
y = x**2
loader = DataLoader(TensorDataset(x, y), batch_size=20)  # 18 batches; the last has 10
def criterion(outputs, labels):  # squared error, and a little more for large outputs
    return ((outputs - labels) ** 2 + outputs).mean()
mean = evaluate(network, loader, criterion, torch.device("cpu"))
print(isinstance(mean, float), f"{mean:.4f}")
#> True 1.8843
"""


@pytest.mark.points(4)
@pytest.mark.example(MEAN)
def test_mean_loss(student, mixed, drawn):
    """The result is the mean loss over all samples (not over batches), as a Python float."""
    found = mixed[0]
    result = found["result"]
    expect(result is not None, "", because=NO_RETURN)
    if isinstance(result, torch.Tensor) and result.numel() == 1:
        fail("", because=GRAPH_KEPT if found["graph"] else TENSORS)
    expect(not isinstance(result, np.ndarray), "", because=NUMPY)
    expect(
        isinstance(result, float),
        f"The mean loss should be a Python float; yours is {kind(result)}.",
    )
    (start, x, y, _), right, others = drawn
    checks.close(
        checks.number(result, "The mean loss"),
        float(right),
        "The mean loss",
        MEAN_ERROR,
        among=[(mistake, float(value)) for mistake, value in others],
        message="The number is not the mean loss over all samples of the loader.",
        scale=size_of_linex(start, x, y),
    )
    # And of many batches none is left out.
    x, y, plan = x[:BATCH], y[:BATCH], {"batch_size": 1, "short": True}
    alone = run_loop(student, "evaluate", start, x, y, "linex", plan)["result"]
    checks.close(
        checks.number(alone, "The mean loss"),
        float(loss_at(start, x, y, linex)),
        "The mean loss",
        MEAN_ERROR,
        among=[(CUT_SHORT, float(loss_at(start, x[:n], y[:n], linex))) for n in CONSTANTS],
        message=f"The number is not the mean loss where the loader gives {BATCH} batches.",
        scale=size_of_linex(start, x, y),
    )


EVAL = """\
network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
modes = set()
network[1].register_forward_hook(lambda module, *_: modes.add(module.training))
evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
print(modes)
#> {False}
"""


@pytest.mark.points(3)
@pytest.mark.example(EVAL)
def test_eval_mode(mixed):
    """All samples go through the model in evaluation mode, the modules inside it included."""
    found, _ = mixed
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    passes = found["passes"]
    if any(any(each["modes"]) for each in passes):
        root_only = all(each["modes"] == [False, *MIXED[1:]] for each in passes)
        same = all(each["modes"] == MIXED for each in passes)
        fail(
            "Not every module is in evaluation mode while the batches go through the model.",
            because=ROOT_ONLY if root_only else TRAINING_MODE if same else None,
        )


NO_GRAPH = """\
network = nn.Linear(3, 2)
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
graphs = set()
network.register_forward_hook(lambda module, x, outputs: graphs.add(outputs.requires_grad))
evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
print(graphs)
#> {False}
"""


@pytest.mark.points(2)
@pytest.mark.example(NO_GRAPH)
def test_no_graph(mixed):
    """Nothing is noted for a gradient: the outputs of the model have no graph."""
    found, _ = mixed
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    expect(not any(each["graph"] for each in found["passes"]), "", because=GRAPH)


RESTORED = """\
network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.Dropout(0.1))
network[1].eval()  # on purpose
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
print([module.training for module in network.modules()])
#> [True, True, False, True]
"""


@pytest.mark.points(3)
@pytest.mark.example(RESTORED)
def test_modes_restored(mixed, otherwise):
    """Every module's mode is afterwards what it was before, also where the modes are mixed."""
    for found in (mixed[0], otherwise):
        expect(bool(found["passes"]), "", because=NO_FORWARD)
    after = mixed[0]["modes"], otherwise["modes"]
    if after == (MIXED, OTHERWISE):
        return
    off, on = [False] * 5, [True] * 5
    named = [
        (STAYS_EVAL, (off, off)),
        (ALL_TRAINING, (on, on)),
        (MODE_OF_ROOT, (on, off)),
        (FLAG_OF_ROOT, ([True, *off[1:]], off)),
    ]
    fail(
        "Not every module's mode is afterwards what it was before.",
        because=next((mistake for mistake, modes in named if modes == after), None),
    )


UNTOUCHED = """\
network = nn.Linear(3, 2)
network(torch.ones(4, 3)).sum().backward()
before = network.weight.tolist(), network.weight.grad.tolist()
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
print(torch.is_grad_enabled(), network.weight.requires_grad)
#> True True
print((network.weight.tolist(), network.weight.grad.tolist()) == before)
#> True
"""


@pytest.mark.points(1)
@pytest.mark.example(UNTOUCHED)
def test_untouched(mixed, drawn):
    """Parameters and gradients stay as they were, and gradients can be computed again."""
    found, grads = mixed
    start = drawn[0][0]
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    same = all(torch.equal(p, q) for p, q in zip(found["after"], start, strict=True))
    expect(same, "", because=TRAINS)
    expect(found["grad mode"] is True, "", because=GRAD_LEFT_OFF)
    expect(all(found["trainable"]), "", because=FROZEN)
    for got, before in zip(found["gradients"], grads, strict=True):
        if got is None or not bool(got.any()):
            fail("", because=GRADIENTS_GONE)
        expect(torch.equal(got, before), "", because=GRADIENTS_ADDED)


DEVICE = """\
# The device "meta" is there on every machine: its tensors have a shape, but no numbers.
network = nn.Linear(3, 2, device="meta")
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=5)
places = set()
def criterion(outputs, labels):
    places.add((outputs.device.type, labels.device.type))
    return torch.tensor(1.0, requires_grad=True)
evaluate(network, loader, criterion, torch.device("meta"))
print(places)
#> {('meta', 'meta')}
"""


@pytest.mark.points(2)
@pytest.mark.example(DEVICE)
def test_device(student, drawn):
    """The data of each batch, inputs and labels, are moved to `device`."""
    check_device(run(student, few(drawn[0]), far=True))
