"""`make_loader`: shuffled batches of pairs, repeatable whatever others draw."""

import numpy as np
import pytest
import torch

from autograder.exercise.checks import Misconception, expect, fail

NOT_A_LOADER = Misconception(
    "not-a-loader",
    "You return something else than a `DataLoader`: one can loop over it anew in every epoch.",
)
APART = Misconception(
    "shuffled-apart",
    "Rows of x come with the wrong rows of y: the two were shuffled apart from each other.",
)
X_ONLY = Misconception(
    "labels-not-shuffled",
    "The rows of x are shuffled, those of y are not, or the other way round: each row must keep its"
    " label.",
)
PAIR_SWAPPED = Misconception(
    "pairs-swapped", "Your pairs are `(y, x)`: x comes first, as in `for x, y in loader`."
)
ONE_TENSOR = Misconception(
    "no-pairs",
    "Your batches are single tensors, and no pairs `(x, y)`: the loader has to know both.",
)
DROPPED = Misconception(
    "last-batch-dropped",
    "Your loader drops the last batch when it is shorter, and with it some samples in each epoch.",
)
WITH_REPLACEMENT = Misconception(
    "drawn-with-replacement",
    "In an epoch, some samples come several times and others not at all, as it happens when they"
    " are drawn with replacement.",
)
ONE_PASS = Misconception(
    "one-epoch-only",
    "Your loader gives its batches once and is empty afterwards: a second epoch has nothing to"
    " learn from.",
)
BATCH_SIZE_IGNORED = Misconception(
    "batch-size-ignored", "Your batches have another size than the `batch_size` that was given."
)
NOT_SHUFFLED = Misconception(
    "not-shuffled", "Your loader gives the samples in the order in which they came: no shuffling."
)
SHUFFLED_ONCE = Misconception(
    "shuffled-once",
    "Your samples are shuffled once, and every epoch has that same order. Each epoch needs an order"
    " of its own.",
)
BATCHES_SHUFFLED = Misconception(
    "whole-batches-shuffled",
    "The order of your batches changes, but the samples in them are the same in each epoch: it is"
    " the samples that should be shuffled.",
)
GLOBAL_STATE = Misconception(
    "depends-on-global-state",
    "The same seed gives other batches once somebody else has drawn random numbers: your shuffling"
    " draws from the generator that everyone shares. Give it one of its own.",
)
RESEEDS = Misconception(
    "reseeds-globally",
    "Your loader seeds the random generator that everyone shares: whoever draws numbers afterwards"
    " gets the same ones each time, and your batches change as soon as others draw in between. Give"
    " it a generator of its own.",
)
NOT_REPEATABLE = Misconception(
    "not-repeatable",
    "The same seed gives other batches with every call, even when nobody else draws any numbers:"
    " something else than `seed` decides about them.",
)
SEED_IGNORED = Misconception(
    "seed-ignored", "Your batches are the same for every seed: the argument `seed` has no effect."
)
ONE_FOR_ALL = Misconception(
    "shared-generator",
    "All your loaders draw from one and the same generator: a second loader changes the batches of"
    " the first. Each needs a generator of its own.",
)


def probe_loader(notebook, x, y, size, seed, other, noise):
    """Two epochs of several loaders while others use the shared random generators."""
    import random
    from itertools import islice

    from torch.utils.data import DataLoader

    def disturb(number):
        torch.manual_seed(number)
        np.random.seed(number)
        random.seed(number)

    def epoch(loader):
        return [
            list(batch) if isinstance(batch, list | tuple) else [batch]
            for batch in islice(loader, 50)
        ]

    def draws():
        return [torch.rand(3), torch.tensor(np.random.rand(3)), random.random()]

    def two_epochs(number, seed):
        disturb(number)
        loader = notebook.make_loader(x, y, size, seed)
        disturb(number + 1)
        first = epoch(loader)
        disturb(number + 2)
        return {"loader": isinstance(loader, DataLoader), "epochs": [first, epoch(loader)]}

    found = {"one": two_epochs(noise[0], seed), "again": two_epochs(noise[1], seed)}
    found["twice"] = two_epochs(noise[0], seed)
    found["other"] = two_epochs(noise[0], other)
    # Nothing disturbs these but the loaders themselves.
    left = []
    for number in noise:
        disturb(number)
        loader = notebook.make_loader(x, y, size, seed)
        made = draws()
        epoch(loader)
        left.append([*made, *draws()])
    found["left"] = left
    # Two loaders at the same time.
    pair = [notebook.make_loader(x, y, size, seed) for _ in range(2)]
    found["pair"] = [[epoch(loader), epoch(loader)] for loader in pair]
    return found


@pytest.fixture(scope="module")
def loaders(student, suite_rng):
    x, y = samples(suite_rng, 23)
    noise = torch.randint(10**6, (2,), generator=suite_rng).tolist()
    seeds = (torch.randint(10**4, (1,), generator=suite_rng) + torch.tensor([1, 7])).tolist()
    found = student.run(probe_loader, x=x, y=y, size=5, seed=seeds[0], other=seeds[1], noise=noise)
    return found, x, y


def samples(rng, count):
    """Inputs `(count, 3)` and labels `(count, 2)`, all rows different; the labels are integers."""
    x = torch.randn(count, 3, generator=rng)
    y = torch.stack([torch.randperm(count, generator=rng), torch.arange(count)], dim=1)
    return x, y


def rows(epoch, x):
    """The number of each sample of an epoch, in its order, found by its inputs.

    That the batches are pairs is another test's matter.
    """
    given = []
    for batch in epoch:
        parts = [part for part in batch if isinstance(part, torch.Tensor)]
        parts = [part.float() for part in parts if part.shape[1:] == x.shape[1:]]
        expect(bool(parts), "Each batch should be a pair `(x, y)`, with rows of x as they are.")
        given.append(parts[0])
    expect(bool(given), "Your loader gives no batches.")
    match = (torch.cat(given)[:, None] == x).all(2)
    expect(
        bool((match.sum(1) == 1).all()),
        "The rows of your batches are not rows of `x` as it was given.",
    )
    return match.int().argmax(1)


PAIRS = """\
x = torch.arange(10.0).reshape(10, 1)
loader = make_loader(x, 10 * x, 4, seed=0)
print(isinstance(loader, DataLoader))
#> True
for inputs, labels in loader:
    print(len(inputs), torch.equal(labels, 10 * inputs))
#> 4 True
#> 4 True
#> 2 True
"""


@pytest.mark.points(4)
@pytest.mark.example(PAIRS)
def test_pairs(loaders):
    """A `DataLoader` gives pairs of tensors `(x, y)`, and each row of x comes with its own y."""
    found, x, y = loaders
    expect(bool(found["one"]["epochs"][0]), "Your loader gives no batches.")
    for epoch in found["one"]["epochs"]:
        for batch in epoch:
            check_pair(batch, x, y)
        labels = [labels for _, labels in epoch]
        if labels and not torch.equal(torch.cat(labels), y[order := rows(epoch, x)]):
            labels = torch.cat(labels)
            still = torch.equal(labels, y) or torch.equal(order, torch.arange(len(order)))
            fail("", because=X_ONLY if still else APART)
    expect(found["one"]["loader"] is True, "", because=NOT_A_LOADER)


def check_pair(batch, x, y):
    """Check that a batch is a pair of rows of x and rows of y, of the same types and shapes."""
    tensors = all(isinstance(part, torch.Tensor) for part in batch)
    if tensors and len(batch) == 1:
        fail("", because=ONE_TENSOR)
    if not tensors or len(batch) != 2:
        fail("Each batch should be a pair of tensors `(x, y)`; yours is something else.")
    inputs, labels = batch
    if inputs.shape[1:] == y.shape[1:] and labels.shape[1:] == x.shape[1:]:
        fail("", because=PAIR_SWAPPED)
    expect(
        inputs.shape[1:] == x.shape[1:] and labels.shape[1:] == y.shape[1:],
        "A batch should have rows of x and rows of y, of the shapes that they have there.",
    )
    expect(len(inputs) == len(labels), "A batch should have as many rows of x as of y.")
    expect(
        inputs.dtype == x.dtype and labels.dtype == y.dtype,
        "A batch should have the number types that x and y have.",
    )


ALL = """\
x = torch.arange(10.0).reshape(10, 1)
loader = make_loader(x, x, 3, seed=0)
for epoch in range(2):
    batches = [inputs.flatten().tolist() for inputs, labels in loader]
    print([len(batch) for batch in batches], sorted(sum(batches, [])) == x.flatten().tolist())
#> [3, 3, 3, 1] True
#> [3, 3, 3, 1] True
"""


@pytest.mark.points(3)
@pytest.mark.example(ALL)
@pytest.mark.parametrize("count", [23, 20, 3], ids=["a rest", "no rest", "less than a batch"])
def test_all_samples(student, rng, loaders, count):
    """Every epoch holds each sample once, in batches of `batch_size`; the last one holds what is
    left."""
    if count == 23:
        found, x, _ = loaders
        epochs = found["one"]["epochs"]
    else:
        x, y = samples(rng, count)
        epochs = student.run(probe_loader, x=x, y=y, size=5, seed=0, other=1, noise=[2, 9])
        epochs = epochs["one"]["epochs"]
    if epochs[0] and not epochs[1]:
        fail("", because=ONE_PASS)
    wanted = [min(5, count - start) for start in range(0, count, 5)]
    for epoch in epochs:
        dropped = DROPPED if count % 5 and not epoch else None
        expect(bool(epoch), "Your loader gives no batches.", because=dropped)
        order = rows(epoch, x)
        sizes = [len(rows([batch], x)) for batch in epoch]
        if sorted(sizes) != sorted(wanted):
            fail(
                f"{count} samples in batches of 5 should make batches of {wanted};"
                f" yours have {sizes[:20]}.",
                because=DROPPED
                if count % 5 and sizes == wanted[:-1]
                else BATCH_SIZE_IGNORED
                if sizes[0] != wanted[0] and sum(sizes) == count
                else None,
            )
        if not torch.equal(order.sort().values, torch.arange(count)):
            fail("", because=WITH_REPLACEMENT)


SHUFFLED = """\
x = torch.arange(40.0).reshape(40, 1)
loader = make_loader(x, x, 10, seed=0)
meetings = set()  # which samples meet in a batch, in three epochs of four batches
for epoch in range(3):
    for inputs, labels in loader:
        meetings.add(frozenset(inputs.flatten().tolist()))
print(len(meetings))
#> 12
"""


@pytest.mark.points(4)
@pytest.mark.example(SHUFFLED)
def test_shuffled(loaders):
    """The samples are shuffled, anew in each epoch."""
    found, x, _ = loaders
    expect(bool(found["one"]["epochs"][1]), "", because=ONE_PASS)
    first, second = (rows(epoch, x) for epoch in found["one"]["epochs"])
    natural = torch.arange(len(first))
    if torch.equal(first, natural) and torch.equal(second, natural[: len(second)]):
        fail("", because=NOT_SHUFFLED)
    if torch.equal(first, second):
        fail("", because=SHUFFLED_ONCE)
    together = [
        {frozenset(rows([batch], x).tolist()) for batch in epoch}
        for epoch in found["one"]["epochs"]
    ]
    alone = len(together[0]) < 2
    expect(alone or together[0] != together[1], "", because=BATCHES_SHUFFLED)
    moved = min(int((order != natural[: len(order)]).sum()) for order in (first, second))
    expect(moved > len(first) // 2, "Most samples keep their places; they should be shuffled.")


SEED = """\
x = torch.arange(40.0).reshape(40, 1)

def order(loader):
    return [number for inputs, labels in loader for number in inputs.flatten().tolist()]

one, other, again = [make_loader(x, x, 10, seed=seed) for seed in (5, 6, 5)]
first = order(one)
print(first == order(other), first == order(again))
#> False True
drawn = set()
for start in (1, 2):
    torch.manual_seed(start)
    np.random.seed(start)
    order(make_loader(x, x, 10, seed=5))
    drawn |= {torch.rand(1).item(), np.random.rand()}
print(len(drawn))  # different numbers, as nobody else's seed was set
#> 4
"""


@pytest.mark.points(4)
@pytest.mark.example(SEED)
def test_seed(loaders):
    """The same seed gives the same batches, and another seed others, whatever random numbers are
    drawn elsewhere; and nobody else's random numbers are reset."""
    found, x, _ = loaders
    orders = {name: two(found[name]["epochs"], x) for name in ("one", "again", "twice", "other")}
    natural = torch.arange(len(orders["one"][0]))
    if all(torch.equal(order, natural[: len(order)]) for order in orders["one"]):
        fail("", because=NOT_SHUFFLED)
    reset = any(same(one, other) for one, other in zip(*found["left"], strict=True))
    expect(not reset, "", because=RESEEDS)
    if not same(orders["one"], orders["again"]):
        same_state = same(orders["one"], orders["twice"])
        fail("", because=GLOBAL_STATE if same_state else NOT_REPEATABLE)
    expect(not same(orders["one"], orders["other"]), "", because=SEED_IGNORED)
    pair = [two(epochs, x) for epochs in found["pair"]]
    expect(same(*pair), "", because=ONE_FOR_ALL)


def two(epochs, x):
    return [rows(epoch, x) for epoch in epochs if epoch]


def same(one, other):
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return torch.equal(torch.as_tensor(one), torch.as_tensor(other))
