"""`train`: one step a batch in training mode, and each epoch's mean loss over its samples."""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect
from autograder.suites.training_loop import (
    CONSTANTS,
    CUT_SHORT,
    FIRST_BATCH,
    LAST_SKIPPED,
    NO_FORWARD,
    PART,
    check_device,
    check_floats,
    check_optimizer,
    check_steps,
    draw,
    draw_batches,
    follow,
    linex,
    loss_at,
    means,
    mse,
    places,
    run_loop,
    series,
    size_of_loss,
    sizes_of,
)

#: A batch has more samples than the constants that people leave in their code (`x[:100]`).
EPOCHS, BATCH = 3, 131
SAMPLES = 443  # batches of 131, 131, 131 and 50
FEW = {"samples": 17, "batch_size": 5}  # where the numbers do not count

STAYS_EVAL = Misconception(
    "training-mode-missing",
    "A model that comes in evaluation mode is trained in evaluation mode: dropout and its like"
    " never work. Section 5 shows the switch.",
)
SWITCHED_OFF = Misconception(
    "eval-mode-in-training",
    "A model that comes in training mode is switched to evaluation mode by your loop.",
)
ROOT_ONLY = Misconception(
    "mode-of-root-only",
    "You switch the outermost module alone; the modules inside it keep the mode they had.",
)
AFTER_STEP = Misconception(
    "loss-after-step",
    "Your losses are from after each step. The loss of a batch is the one that `backward()` starts"
    " from: keep that number, and compute no second one.",
)
END_OF_EPOCH = Misconception(
    "loss-at-end-of-epoch",
    "Your losses are computed anew when the epoch is over. Asked for is the mean of the losses that"
    " the steps started from, collected on the way.",
)
NOT_RESET = Misconception(
    "total-not-reset",
    "From the second epoch on, the epochs before are mixed into your losses: each epoch has to"
    " start its sum anew.",
)

SGD = {"epochs": EPOCHS, "batch_size": BATCH, "optimizer": "SGD", "options": {"lr": 0.05}}
# Small enough that nothing grows beyond all bounds where the gradients add up.
SLOW = {**SGD, "options": {"lr": 0.01}}


@pytest.fixture(scope="module")
def plain(student, suite_rng):
    """What happens with two outputs, mean squared error and plain SGD; and where it started."""
    drawn = draw_batches(suite_rng, SAMPLES, 2, BATCH, mse)
    return run_loop(student, "train", *drawn[:3], "mse", SGD), drawn


STEPS = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 3.0)
x = torch.arange(12_000.0).reshape(-1, 1).sin() + 1
y = x**2
loader = DataLoader(TensorDataset(x, y), batch_size=110)  # 110 batches; the last has 10
def criterion(outputs, labels):  # squared error, and a little more for large outputs
    return ((outputs - labels) ** 2 + outputs).mean()
optimizer = optim.SGD(network.parameters(), lr=0.005)
train(network, loader, criterion, optimizer, 2, torch.device("cpu"))
print(f"{network.weight.item():.4f}")  # after 220 steps
#> 1.3940
"""


@pytest.mark.points(8)
@pytest.mark.example(STEPS)
def test_steps(student, rng):
    """Each batch of each epoch takes one step, along the gradient of that batch's
    `criterion(outputs, labels)` alone."""
    start, x, y, batches = draw_batches(rng, SAMPLES, 1, BATCH, linex)
    found = run_loop(student, "train", start, x, y, "linex", SLOW)
    check_steps(found, start, batches, EPOCHS)
    # And of many batches none is left out.
    plan = {**SLOW, "epochs": 1, "batch_size": 1, "short": True}
    found = run_loop(student, "train", start, x[:BATCH], y[:BATCH], "linex", plan)
    count = len(found["steps"])
    expect(
        count == BATCH,
        f"{BATCH} steps were expected, a batch each; your optimizer took {count}.",
        because=CUT_SHORT if count < BATCH else None,
    )


RETURNED = """\
network = nn.Linear(3, 2)
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
optimizer = optim.SGD(network.parameters(), lr=0.01)
history = train(network, loader, nn.MSELoss(), optimizer, 5, torch.device("cpu"))
print(type(history), len(history), {isinstance(value, float) for value in history})
#> <class 'list'> 5 {True}
"""


@pytest.mark.points(2)
@pytest.mark.example(RETURNED)
def test_returned(plain):
    """A list is returned that holds one Python float for each epoch."""
    check_floats(plain[0], EPOCHS, 4)


MEAN = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 3.0)
x = torch.arange(12_000.0).reshape(-1, 1).sin() + 1
y = x**2
loader = DataLoader(TensorDataset(x, y), batch_size=110)  # 110 batches; the last has 10
optimizer = optim.SGD(network.parameters(), lr=0.005)
history = train(network, loader, nn.MSELoss(), optimizer, 2, torch.device("cpu"))
print([f"{value:.4f}" for value in history])
#> ['0.9990', '0.2369']
"""


@pytest.mark.points(6)
@pytest.mark.example(MEAN)
def test_mean_loss(plain):
    """An epoch's loss is the mean over its samples (not over its batches), each batch's loss being
    the one from before its step."""
    found, (start, x, y, batches) = plain
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    got = series(found, EPOCHS, len(batches))
    turns, sizes = batches * EPOCHS, sizes_of(batches)
    at = places(found, start, len(turns))
    if at is None:  # as many steps as no right answer takes
        losses = follow(start, turns, mse, SGD).reshape(EPOCHS, -1)
        others = fewer_batches(start, batches, sizes)
    else:
        losses = each_loss(at, turns)
        others = other_losses(found, losses, turns, sizes)
        for first in CONSTANTS:
            part = each_loss(at, turns, first)
            others += [
                (PART, means(part, sizes.clamp(max=first))[0]),
                (PART, means(part, sizes)[0]),
            ]
    right, _ = means(losses, sizes)
    count = min(len(got), EPOCHS)  # how many there should be is another test's matter
    checks.close(
        got[:count],
        right[:count],
        "The list of losses",
        checks.roundoff(30, 3 if at else len(turns)),
        among=[(mistake, value[:count]) for mistake, value in others],
        message="The losses are not the epochs' means over all samples.",
        scale=max(size_of_loss(p, x, y) for p in (at or [start])),
    )


def each_loss(at, turns, first=None):
    """The loss of each batch (or its first samples) at the parameters `at`, a row an epoch."""
    losses = [loss_at(p, x[:first], y[:first], mse) for p, (x, y) in zip(at, turns, strict=True)]
    return torch.stack(losses).reshape(EPOCHS, -1)


def fewer_batches(start, batches, sizes):
    """What comes of training without the last batch, or with the first alone."""
    skipping = follow(start, batches[:-1] * EPOCHS, mse, SGD).reshape(EPOCHS, -1)
    weighted = (skipping * sizes[:-1]).sum(1)
    return [
        (LAST_SKIPPED, weighted / sizes[:-1].sum()),
        (LAST_SKIPPED, weighted / sizes.sum()),
        (LAST_SKIPPED, skipping.mean(1)),
        (FIRST_BATCH, follow(start, batches[:1] * EPOCHS, mse, SGD)),
    ]


def other_losses(found, losses, turns, sizes):
    """What people take for an epoch's loss where the steps are right."""
    right, others = means(losses, sizes)
    epochs = torch.arange(1, EPOCHS + 1)
    others += [
        (NOT_RESET, right.cumsum(0)),
        (NOT_RESET, right.cumsum(0) / epochs),
        (NOT_RESET, losses.mean(1).cumsum(0)),
        (NOT_RESET, losses.mean(1).cumsum(0) / epochs),
    ]
    if len(found["steps"]) == len(turns):
        after = [step["after"] for step in found["steps"]]
        batches = losses.shape[1]
        ends = [p for p in after[batches - 1 :: batches] for _ in range(batches)]
        for mistake, late in ((AFTER_STEP, after), (END_OF_EPOCH, ends)):
            late = each_loss(late, turns)
            others += [(mistake, means(late, sizes)[0]), (mistake, late.mean(1))]
    return others


MODE = """\
network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).eval()
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
optimizer = optim.SGD(network.parameters(), lr=0.01)
modes = set()
network[1].register_forward_hook(lambda module, *_: modes.add(module.training))
train(network, loader, nn.MSELoss(), optimizer, 1, torch.device("cpu"))
print(modes)
#> {True}
"""


@pytest.mark.points(4)
@pytest.mark.example(MODE)
@pytest.mark.parametrize("mode", [True, False], ids=["from training", "from evaluation"])
def test_training_mode(student, rng, mode):
    """Every batch goes through the model in training mode, whichever mode it came in."""
    start, x, y = draw(rng, FEW["samples"], 2)
    found = run_loop(student, "train", start, x, y, "mse", {**SGD, **FEW, "modes": [mode] * 5})
    modes = [each["modes"] for each in found["passes"] if each["graph"]]
    expect(bool(modes), "", because=NO_FORWARD)
    if all(all(each) for each in modes):
        return
    if not mode:
        root_only = all(each[0] and not any(each[1:]) for each in modes)
        same = not any(any(each) for each in modes)
        because = ROOT_ONLY if root_only else STAYS_EVAL if same else None
    else:
        because = SWITCHED_OFF
    expect(False, "Not every batch goes through the model in training mode.", because=because)


DEVICE = """\
# The device "meta" is there on every machine: its tensors have a shape, but no numbers.
network = nn.Linear(3, 2, device="meta")
loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=5)
places = set()
def criterion(outputs, labels):
    places.add((outputs.device.type, labels.device.type))
    return torch.tensor(1.0, requires_grad=True)
optimizer = optim.SGD(network.parameters(), lr=0.01)
train(network, loader, criterion, optimizer, 1, torch.device("meta"))
print(places)
#> {('meta', 'meta')}
"""


@pytest.mark.points(3)
@pytest.mark.example(DEVICE)
def test_device(student, rng):
    """The data of each batch, inputs and labels, are moved to `device`."""
    start, x, y = draw(rng, FEW["samples"], 2)
    plan = {**SGD, **FEW, "epochs": 1, "far": True}
    check_device(run_loop(student, "train", start, x, y, "mse", plan))


ANY = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 3.0)
loader = DataLoader(TensorDataset(torch.ones(2, 1), torch.zeros(2, 1)), batch_size=2)
optimizer = optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
train(network, loader, nn.MSELoss(), optimizer, 3, torch.device("cpu"))
print(round(network.weight.item(), 4))  # further than without momentum, which ends at 1.536
#> 0.906
classifier = nn.Linear(3, 4)
nn.init.zeros_(classifier.weight)
nn.init.zeros_(classifier.bias)
optimizer = optim.Adam(classifier.parameters(), lr=0.1)
loader = DataLoader(TensorDataset(torch.eye(3), torch.tensor([0, 3, 1])), batch_size=2)
history = train(classifier, loader, nn.CrossEntropyLoss(), optimizer, 2, torch.device("cpu"))
print([f"{value:.4f}" for value in history])  # the labels are class numbers here
#> ['1.4213', '1.1077']
"""

MOMENTUM = {**SGD, **FEW, "options": {"lr": 0.01, "momentum": 0.8, "weight_decay": 0.1}}
# With this eps a step is well-conditioned also where a gradient is nearly zero.
ADAM = {**SGD, **FEW, "optimizer": "Adam", "options": {"lr": 0.05, "eps": 0.1}}


@pytest.mark.points(2)
@pytest.mark.example(ANY)
@pytest.mark.parametrize(
    ("plan", "criterion"), [(MOMENTUM, "linex"), (ADAM, "classes")], ids=["SGD", "Adam"]
)
def test_any_optimizer(student, rng, plan, criterion):
    """It works with any criterion, and with any optimizer: the one that is given moves the
    parameters, and nothing else does."""
    start, x, y = draw(rng, FEW["samples"], 3, classes=criterion == "classes")
    found = run_loop(student, "train", start, x, y, criterion, plan)
    check_optimizer(found, start, plan)
