"""`train_full_batch`: one step an epoch on all data, and the losses from before the steps."""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect
from autograder.suites.training_loop import (
    CONSTANTS,
    NO_FORWARD,
    PART,
    ROOT,
    check_floats,
    check_optimizer,
    check_steps,
    draw,
    draw_steep,
    follow,
    loss_at,
    mse,
    places,
    run_loop,
    series,
    size_of_loss,
)

EPOCHS = 3
#: More than the constants that people leave in their code (`x[:100]`).
MANY = 131

AFTER_STEP = Misconception(
    "loss-after-step",
    "Your losses are from after each step. The loss of an epoch is the one that `backward()` starts"
    " from: keep that number, and compute no second one.",
)
RUNNING_SUM = Misconception(
    "losses-add-up", "Each of your losses has those of the epochs before it added."
)
SAME = Misconception(
    "same-loss-repeated", "Your list repeats one loss; each epoch has a loss of its own."
)
TIMES_SAMPLES = Misconception(
    "loss-times-samples",
    "Your losses are too large by the number of samples: the criterion gives a mean, and the whole"
    " batch has no other number.",
)
DIVIDED_AGAIN = Misconception(
    "loss-divided-again",
    "Your losses are too small by the number of samples: the criterion's mean has already divided"
    " by them.",
)

SGD = {"epochs": EPOCHS, "optimizer": "SGD", "options": {"lr": 0.1}}
# Small enough that nothing grows beyond all bounds where the gradients add up.
SLOW = {**SGD, "options": {"lr": 0.01}}


@pytest.fixture(scope="module")
def plain(student, suite_rng):
    """What happens with two outputs, mean squared error and plain SGD; and where it started."""
    start, x, y = draw(suite_rng, MANY, 2)
    found = run_loop(student, "train_full_batch", start, x, y, "mse", SGD)
    return found, start, x, y


STEPS = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 3.0)
x = torch.arange(12_000.0).reshape(-1, 1).sin() + 1
y = x**2
def criterion(outputs, labels):  # squared error, and a little more for large outputs
    return ((outputs - labels) ** 2 + outputs).mean()
optimizer = optim.SGD(network.parameters(), lr=0.005)
optimizer.register_step_post_hook(lambda *_: print(round(network.weight.item(), 4)))
train_full_batch(network, x, y, criterion, optimizer, 3)  # prints the weight after each step
#> 2.975
#> 2.9504
#> 2.9261
"""


@pytest.mark.points(10)
@pytest.mark.example(STEPS)
def test_steps(student, rng):
    """Each epoch takes one step, along the gradient of that epoch's `criterion(outputs, labels)`
    alone."""
    start, x, y = draw_steep(rng, MANY)
    found = run_loop(student, "train_full_batch", start, x, y, "linex", SLOW)
    check_steps(found, start, [(x, y)], EPOCHS)


RETURNED = """\
network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
x, y = torch.ones(5, 3), torch.ones(5, 2)
optimizer = optim.SGD(network.parameters(), lr=0.01)
history = train_full_batch(network, x, y, nn.MSELoss(), optimizer, 5)
print(type(history), len(history), {isinstance(value, float) for value in history})
#> <class 'list'> 5 {True}
"""


@pytest.mark.points(5)
@pytest.mark.example(RETURNED)
def test_returned(plain):
    """A list is returned that holds one Python float for each epoch."""
    check_floats(plain[0], EPOCHS, 1)


LOSSES = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 3.0)
x, y = torch.ones(300, 1), torch.zeros(300, 1)
x[200:] = 2  # the loss is 2 * w * w, of the first 200 samples alone w * w
optimizer = optim.SGD(network.parameters(), lr=0.1)
history = train_full_batch(network, x, y, nn.MSELoss(), optimizer, 3)
print([f"{value:.4f}" for value in history])
#> ['18.0000', '6.4800', '2.3328']
"""


@pytest.mark.points(5)
@pytest.mark.example(LOSSES)
def test_losses(plain):
    """Each returned loss is the one from before its epoch's step."""
    found, start, x, y = plain
    expect(bool(found["passes"]), "", because=NO_FORWARD)
    got = series(found, EPOCHS)
    count = len(got)  # how many there should be is another test's matter
    before = places(found, start, count)
    if before is None:
        right = follow(start, [(x, y)] * count, mse, SGD)
    else:
        right = torch.stack([loss_at(p, x, y, mse) for p in before])
    parts = [
        (PART, torch.stack([loss_at(p, x[:first], y[:first], mse) for p in before or []]))
        for first in (CONSTANTS if before else ())
    ]
    after = [loss_at(step["after"], x, y, mse) for step in found["steps"]]
    late = [(AFTER_STEP, torch.stack(after))] if len(after) == count else []
    checks.close(
        got,
        right,
        "The list of losses",
        checks.roundoff(30, 3 + (count if before is None else 0)),
        among=[
            *late,
            (RUNNING_SUM, right.cumsum(0)),
            (RUNNING_SUM, right.cumsum(0) / torch.arange(1, count + 1)),
            (SAME, right[-1:].expand(count)),
            (SAME, right[:1].expand(count)),
            (TIMES_SAMPLES, right * len(x)),
            (DIVIDED_AGAIN, right / len(x)),
            (ROOT, right.sqrt()),
            *parts,
        ],
        message="The losses are not those of `criterion(outputs, labels)` before each step.",
        scale=max(size_of_loss(p, x, y) for p in before or [start]),
    )


ANY = """\
network = nn.Linear(1, 1, bias=False)
nn.init.constant_(network.weight, 3.0)
x, y = torch.ones(2, 1), torch.zeros(2, 1)
optimizer = optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
train_full_batch(network, x, y, nn.MSELoss(), optimizer, 3)
print(round(network.weight.item(), 4))  # further than without momentum, which ends at 1.536
#> 0.906
classifier = nn.Linear(3, 4)
nn.init.zeros_(classifier.weight)
nn.init.zeros_(classifier.bias)
optimizer = optim.Adam(classifier.parameters(), lr=0.1)
x, y = torch.eye(3), torch.tensor([0, 3, 1])  # the labels are class numbers here
history = train_full_batch(classifier, x, y, nn.CrossEntropyLoss(), optimizer, 2)
print([f"{value:.4f}" for value in history])
#> ['1.3863', '1.1963']
"""

MOMENTUM = {
    "epochs": 4,
    "optimizer": "SGD",
    "options": {"lr": 0.01, "momentum": 0.8, "weight_decay": 0.1},
}
# With this eps a step is well-conditioned also where a gradient is nearly zero.
ADAM = {"epochs": 4, "optimizer": "Adam", "options": {"lr": 0.05, "eps": 0.1}}


@pytest.mark.points(5)
@pytest.mark.example(ANY)
@pytest.mark.parametrize(
    ("plan", "criterion"), [(MOMENTUM, "linex"), (ADAM, "classes")], ids=["SGD", "Adam"]
)
def test_any_optimizer(student, rng, plan, criterion):
    """It works with any criterion, and with any optimizer: the one that is given moves the
    parameters, and nothing else does."""
    start, x, y = draw(rng, 7, 3, classes=criterion == "classes")
    found = run_loop(student, "train_full_batch", start, x, y, criterion, plan)
    check_optimizer(found, start, plan)
