"""`train`: one step a batch in training mode, and each epoch's mean loss over its samples."""

import pytest
import torch

from autograder.exercise import Misconception, criteria, expect, loops, means
from autograder.exercise import small_network as network
from autograder.suites.training_loop import probes, steps

BATCHES = {"samples": 443, "epochs": 3}  # of 131, 131, 131 and 50 samples

mean_losses = network.losses(
    message="The losses are not the epochs' means over all samples.",
    cases=[{**BATCHES, "outputs": 2, "criterion": "mse", "lr": 0.05}],
)


def of_parts(each, at, sizes):
    """The epochs' means where the first samples of each batch alone count, or are counted."""
    for first in criteria.CONSTANTS:
        for weights in (sizes, sizes.clamp(max=first)):
            yield means.mean(each(at, first), weights)


def without_last(trained_with, batches, sizes):
    losses = trained_with(batches[:-1])
    yield from means.either(losses, sizes[:-1])
    yield losses @ sizes[:-1] / sizes.sum()


def so_far(losses, sizes):
    """The epochs' means where each epoch has those before it in its sum."""
    for mean in means.either(losses, sizes) if len(losses) > 1 else ():
        yield mean.cumsum(0)
        yield mean.cumsum(0) / torch.arange(1, len(losses) + 1)


means.add_mistakes(mean_losses, steps.UNWEIGHTED)
mean_losses.add(means.LAST_SKIPPED, without_last)
mean_losses.add(means.FIRST_BATCH, lambda trained_with, batches: trained_with(batches[:1])[:, 0])
mean_losses.add(criteria.PART, of_parts)
mean_losses.mistake("total-not-reset", so_far).says(
    "From the second epoch on, the epochs before are mixed into your losses: each epoch has to"
    " start its sum anew."
)
mean_losses.mistake("loss-after-step", lambda late: iter(late)).says(
    "Your losses are from after each step. The loss of a batch is the one that `backward()` starts"
    " from: keep that number, and compute no second one."
)
mean_losses.mistake("loss-at-end-of-epoch", lambda at_end: iter(at_end)).says(
    "Your losses are computed anew when the epoch is over. Asked for is the mean of the losses that"
    " the steps started from, collected on the way."
)


@pytest.fixture(scope="module")
def whole(student, suite_rng):
    """What happens with two outputs, mean squared error and plain SGD."""
    drawn = mean_losses.draw(suite_rng, **mean_losses.cases[0])
    return network.watch(student, probes.loop, drawn, task="train")


@pytest.mark.points(8)
def test_steps(student, rng):
    """Each batch of each epoch takes one step, along the gradient of that batch's
    `criterion(outputs, labels)` alone.

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
    drawn = steps.gradients.draw(rng, **BATCHES, **steps.SLOW)
    steps.check(network.watch(student, probes.loop, drawn, task="train"))
    # And of many batches none is left out.
    first = {name: drawn[name][: network.BATCH] for name in ("x", "y")}
    some = {**drawn, **first, "epochs": 1}
    count = len(network.watch(student, probes.loop, some, task="train", batch_size=1).steps)
    short = loops.CUT_SHORT if count < network.BATCH else None
    expect(count == network.BATCH, loops.A_BATCH, short, wanted=network.BATCH, got=count)


@pytest.mark.points(2)
def test_returned(whole):
    """A list is returned that holds one Python float for each epoch.

    network = nn.Linear(3, 2)
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    optimizer = optim.SGD(network.parameters(), lr=0.01)
    history = train(network, loader, nn.MSELoss(), optimizer, 5, torch.device("cpu"))
    print(type(history), len(history), {isinstance(value, float) for value in history})
    #> <class 'list'> 5 {True}
    """
    loops.check_floats(whole, steps.FORMS)


@pytest.mark.points(6)
def test_mean_loss(whole):
    """An epoch's loss is the mean over its samples (not over its batches), each batch's loss being
    the one from before its step.

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
    loops.check_losses(mean_losses, whole)


@pytest.mark.points(4)
@pytest.mark.parametrize("mode", [True, False], ids=["from training", "from evaluation"])
def test_training_mode(student, rng, mode):
    """Every batch goes through the model in training mode, whichever mode it came in.

    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).eval()
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    optimizer = optim.SGD(network.parameters(), lr=0.01)
    modes = set()
    network[1].register_forward_hook(lambda module, *_: modes.add(module.training))
    train(network, loader, nn.MSELoss(), optimizer, 1, torch.device("cpu"))
    print(modes)
    #> {True}
    """
    stays = Misconception(
        "training-mode-missing",
        "A model that comes in evaluation mode is trained in evaluation mode: dropout and its like"
        " never work. Section 5 shows the switch.",
    )
    switched = Misconception(
        "eval-mode-in-training",
        "A model that comes in training mode is switched to evaluation mode by your loop.",
    )
    drawn = network.draw(rng, 17, 2, batch_size=5, epochs=3)
    run = network.watch(student, probes.loop, drawn, task="train", modes=[mode] * 5)
    message = "Not every batch goes through the model in training mode."
    loops.check_modes(run, True, stays, message, switched if mode else None)


@pytest.mark.points(3)
def test_device(student):
    """The data of each batch, inputs and labels, are moved to `device`.

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
    loops.check_arrivals(student.run(probes.device, task="train"))


@pytest.mark.points(2)
@steps.any_optimizer
def test_any_optimizer(student, rng, given):
    """It works with any criterion, and with any optimizer: the one that is given moves the
    parameters, and nothing else does.

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
    steps.check_optimizer(student, "train", rng, given)
