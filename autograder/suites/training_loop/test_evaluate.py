"""`evaluate`: the mean loss over all samples, and a model that is afterwards as it was before."""

from functools import partial

import pytest
import torch

from autograder.exercise import checks, criteria, loops, means, returned
from autograder.exercise.checks import Misconception, expect, mistake
from autograder.exercise.criteria import linex
from autograder.exercise.formula import Formula
from autograder.exercise.loops import NO_FORWARD
from autograder.exercise.trajectories import at_each
from autograder.suites.training_loop import network, probes, steps
from autograder.suites.training_loop.network import BATCH

# The modules of the probe's network: itself, its inner part with two modules, its outer layer.
MIXED = [True, True, False, True, False]
OTHERWISE = [False, False, True, False, True]


def losses_at(start, batches):
    """The loss of each batch, in one row; and the mean by `each` criterion, or of first samples."""
    sizes = means.sizes_of(batches)

    def losses(criterion, first=None):
        return at_each(network.loss(criterion, first), [start] * len(batches), batches)[None]

    def each(criterion, first=BATCH):
        return means.mean(losses(criterion, first), sizes.clamp(max=first))

    return {"losses": losses(linex), "sizes": sizes, "each": each}


a_mean = partial(
    Formula,
    "The mean loss",
    draw=network.draw,
    also=losses_at,
    reference=means.mean,
    take=lambda value, name, right: torch.tensor([checks.number(value, name)]),
    terms=30,
    steps=3,
)
mean_loss = a_mean(
    message="The number is not the mean loss over all samples of the loader.",
    cases=[{"samples": 443, "outputs": 1}],  # batches of 131, 131, 131 and 50
)
means.add_mistakes(mean_loss, steps.UNWEIGHTED)
criteria.add_mistakes(mean_loss, steps.SWAPPED)

mean_of_many = a_mean(
    message="The number is not the mean loss where the loader gives 131 batches.",
    cases=[{"samples": BATCH, "outputs": 1}],
)
mean_of_many.add(loops.CUT_SHORT, lambda each: (each(linex, n) for n in criteria.CONSTANTS))


def evaluated(student, drawn, **more):
    return steps.watch(student, "evaluate", drawn, criterion="linex", **more)


@pytest.fixture(scope="module")
def mixed(student, suite_rng):
    """What happens to a model with a mix of modes and with gradients."""
    drawn = mean_loss.draw(suite_rng, **mean_loss.cases[0])
    grads = [torch.randn(p.shape, generator=suite_rng) for p in drawn["start"]]
    return evaluated(student, drawn, modes=MIXED, grads=grads)


@pytest.fixture(scope="module")
def otherwise(student, suite_rng):
    """The same with another mix of modes, other numbers and no gradients."""
    drawn = mean_loss.draw(suite_rng, **mean_loss.cases[0])
    return evaluated(student, drawn, modes=OTHERWISE)


@pytest.mark.points(4)
def test_mean_loss(student, rng, mixed, otherwise):
    """The result is the mean loss over all samples (not over batches), as a Python float.

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
    for run in (mixed, otherwise):
        returned.one_float(run.result, "The mean loss", forms=steps.FORMS, graph=run.graph)
    mean_loss.check_all([(run.result, run.drawn) for run in (mixed, otherwise)])
    # And of many batches none is left out.
    some = [mean_of_many.draw(rng, **mean_of_many.cases[0]) for _ in range(2)]
    single = [evaluated(student, drawn, batch_size=1) for drawn in some]
    mean_of_many.check_all([(run.result, run.drawn) for run in single])


@pytest.mark.points(3)
def test_eval_mode(mixed):
    """All samples go through the model in evaluation mode, the modules inside it included.

    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    modes = set()
    network[1].register_forward_hook(lambda module, *_: modes.add(module.training))
    evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
    print(modes)
    #> {False}
    """
    stays = Misconception(
        "eval-mode-missing",
        "The model answers in whatever mode it came in, and so perhaps with dropout at work."
        " Section 6 names the two switches.",
    )
    message = "Not every module is in evaluation mode while the batches go through the model."
    loops.check_modes(mixed, False, stays, message)


@pytest.mark.points(2)
def test_no_graph(mixed):
    """Nothing is noted for a gradient: the outputs of the model have no graph.

    network = nn.Linear(3, 2)
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    graphs = set()
    network.register_forward_hook(lambda module, x, outputs: graphs.add(outputs.requires_grad))
    evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
    print(graphs)
    #> {False}
    """
    expect(bool(mixed.passes), NO_FORWARD)
    mistake("graph-in-evaluation", any(each["graph"] for each in mixed.passes)).says(
        "PyTorch takes notes for a gradient during your evaluation, though nobody will ask for one."
        " Section 6 names the two switches."
    )


@pytest.mark.points(3)
def test_modes_restored(mixed, otherwise):
    """Every module's mode is afterwards what it was before, also where the modes are mixed.

    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.Dropout(0.1))
    network[1].eval()  # on purpose
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
    print([module.training for module in network.modules()])
    #> [True, True, False, True]
    """
    loops.check_modes_restored(mixed, otherwise)


@pytest.mark.points(1)
def test_untouched(mixed):
    """Parameters and gradients stay as they were, and gradients can be computed again.

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
    loops.check_untouched(mixed)


@pytest.mark.points(2)
def test_device(student):
    """The data of each batch, inputs and labels, are moved to `device`.

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
    loops.check_arrivals(student.run(probes.device, task="evaluate"))
