"""`train_full_batch`: one step an epoch on all data, and the losses from before the steps."""

import pytest
import torch

from autograder.exercise import criteria, loops
from autograder.exercise import small_network as network
from autograder.suites.training_loop import probes, steps

FULL = {"samples": network.BATCH, "epochs": 3}

losses = network.losses(
    message="The losses are not those of `criterion(outputs, labels)` before each step.",
    cases=[{**FULL, "outputs": 2, "criterion": "mse", "lr": 0.1}],
)
losses.mistake("loss-after-step", lambda late: iter(late)).says(
    "Your losses are from after each step. The loss of an epoch is the one that `backward()` starts"
    " from: keep that number, and compute no second one."
)
losses.mistake(
    "losses-add-up",
    lambda right: (right.cumsum(0) / by for by in (1, torch.arange(1, len(right) + 1))),
    where_seen=True,
).says("Each of your losses has those of the epochs before it added.")
losses.mistake(
    "same-loss-repeated",
    lambda right: (right[place].expand(len(right)) for place in (-1, 0)),
    where_seen=True,
).says("Your list repeats one loss; each epoch has a loss of its own.")
losses.mistake("loss-times-samples", lambda right, x: right * len(x)).says(
    "Your losses are too large by the number of samples: the criterion gives a mean, and the whole"
    " batch has no other number."
)
losses.mistake("loss-divided-again", lambda right, x: right / len(x)).says(
    "Your losses are too small by the number of samples: the criterion's mean has already divided"
    " by them."
)
losses.add(criteria.ROOT, lambda right: right.sqrt())
losses.add(criteria.PART, lambda each, at: (each(at, first)[:, 0] for first in criteria.CONSTANTS))


@pytest.fixture(scope="module")
def whole(student, suite_rng):
    """What happens with two outputs, mean squared error and plain SGD."""
    drawn = losses.draw(suite_rng, **losses.cases[0])
    return network.watch(student, probes.loop, drawn, task="train_full_batch")


@pytest.mark.points(10)
def test_steps(student, rng):
    """Each epoch takes one step, along the gradient of that epoch's `criterion(outputs, labels)`
    alone.

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
    drawn = steps.gradients.draw(rng, **FULL, **steps.SLOW)
    steps.check(network.watch(student, probes.loop, drawn, task="train_full_batch"))


@pytest.mark.points(5)
def test_returned(whole):
    """A list is returned that holds one Python float for each epoch.

    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    x, y = torch.ones(5, 3), torch.ones(5, 2)
    optimizer = optim.SGD(network.parameters(), lr=0.01)
    history = train_full_batch(network, x, y, nn.MSELoss(), optimizer, 5)
    print(type(history), len(history), {isinstance(value, float) for value in history})
    #> <class 'list'> 5 {True}
    """
    loops.check_floats(whole, steps.FORMS)


@pytest.mark.points(5)
def test_losses(whole):
    """Each returned loss is the one from before its epoch's step.

    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 3.0)
    x, y = torch.ones(300, 1), torch.zeros(300, 1)
    x[200:] = 2  # the loss is 2 * w * w, of the first 200 samples alone w * w
    optimizer = optim.SGD(network.parameters(), lr=0.1)
    history = train_full_batch(network, x, y, nn.MSELoss(), optimizer, 3)
    print([f"{value:.4f}" for value in history])
    #> ['18.0000', '6.4800', '2.3328']
    """
    loops.check_losses(losses, whole)


@pytest.mark.points(5)
@steps.any_optimizer
def test_any_optimizer(student, rng, given):
    """It works with any criterion, and with any optimizer: the one that is given moves the
    parameters, and nothing else does.

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
    steps.check_optimizer(student, "train_full_batch", rng, given)
