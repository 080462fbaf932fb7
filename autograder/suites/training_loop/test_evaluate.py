"""`evaluate`: the mean loss over all samples, and a model that is afterwards as it was before."""

import pytest
import torch

from autograder.exercise import checks, criteria, loops, means, returned
from autograder.exercise import small_network as network
from autograder.exercise.checks import Misconception, expect, mistake
from autograder.exercise.formula import Formula
from autograder.exercise.loops import NO_FORWARD
from autograder.suites.training_loop import probes, steps

# The modules of the probe's network: itself, its inner part with two modules, its outer layer.
MIXED = [True, True, False, True, False]
OTHERWISE = [False, False, True, False, True]


mean_loss = Formula(
    "The mean loss",
    draw=network.draw,
    also=network.evaluated_at,
    reference=means.mean,
    take=lambda value, name, right: torch.tensor([checks.number(value, name)]),
    terms=30,
    steps=3,
    message="The number is not the mean loss over all samples of the loader.",
    cases=[{"samples": 443, "outputs": 1, "criterion": "linex"}],  # batches of 131, 131, 131 and 50
)
means.add_mistakes(mean_loss, steps.UNWEIGHTED)
criteria.add_mistakes(mean_loss, steps.SWAPPED)


@pytest.fixture(scope="module")
def runs(student, suite_rng):
    """What happens to a model with a mix of modes and with gradients, and to another with none."""
    mixed, otherwise = (mean_loss.draw(suite_rng, **mean_loss.cases[0]) for _ in range(2))
    grads = [torch.randn(p.shape, generator=suite_rng) for p in mixed["start"]]
    pairs = (mixed | {"modes": MIXED, "grads": grads}), otherwise | {"modes": OTHERWISE}
    return [network.watch(student, probes.loop, drawn, task="evaluate") for drawn in pairs]


@pytest.mark.points(4)
def test_mean_loss(student, rng, runs):
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
    for run in runs:
        returned.one_float(run.result, "The mean loss", forms=steps.FORMS, graph=run.graph)
    mean_loss.check_all([(run.result, run.drawn) for run in runs])
    drawn = network.draw(rng, network.BATCH, 1, criterion="linex")
    many = network.watch(student, probes.loop, drawn, task="evaluate", batch_size=1)
    expect(
        mean_loss.compared(many.result, **many.drawn).right,
        "The number is not the mean loss where the loader gives 131 batches.",
        loops.CUT_SHORT if len(many.passes) < network.BATCH else None,
    )


@pytest.mark.points(3)
def test_eval_mode(runs):
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
    loops.check_modes(runs[0], False, stays, message)


@pytest.mark.points(2)
def test_no_graph(runs):
    """Nothing is noted for a gradient: the outputs of the model have no graph.

    network = nn.Linear(3, 2)
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    graphs = set()
    network.register_forward_hook(lambda module, x, outputs: graphs.add(outputs.requires_grad))
    evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
    print(graphs)
    #> {False}
    """
    expect(bool(runs[0].passes), NO_FORWARD)
    mistake("graph-in-evaluation", any(each["graph"] for each in runs[0].passes)).says(
        "PyTorch takes notes for a gradient during your evaluation, though nobody will ask for one."
        " Section 6 names the two switches."
    )


@pytest.mark.points(3)
def test_modes_restored(runs):
    """Every module's mode is afterwards what it was before, also where the modes are mixed.

    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.Dropout(0.1))
    network[1].eval()  # on purpose
    loader = DataLoader(TensorDataset(torch.ones(10, 3), torch.ones(10, 2)), batch_size=4)
    evaluate(network, loader, nn.MSELoss(), torch.device("cpu"))
    print([module.training for module in network.modules()])
    #> [True, True, False, True]
    """
    loops.check_modes_restored(*runs)


@pytest.mark.points(1)
def test_untouched(runs):
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
    loops.check_untouched(runs[0])


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
