"""`make_loader`: shuffled batches of pairs, repeatable whatever others draw."""

from itertools import chain
from operator import eq, ne

import pytest
import torch

from autograder.exercise import Misconception, expect, mistake
from autograder.suites.training_loop import probes

SIZE = 5  # of a batch
NO_BATCHES = "Your loader gives no batches."
DROPPED = Misconception(
    "last-batch-dropped",
    "Your loader drops the last batch when it is shorter, and with it some samples in each epoch.",
)
ONE_PASS = Misconception(
    "one-epoch-only",
    "Your loader gives its batches once and is empty afterwards: a second epoch has nothing to"
    " learn from.",
)
NOT_SHUFFLED = Misconception(
    "not-shuffled", "Your loader gives the samples in the order in which they came: no shuffling."
)


def ask(student, rng, count):
    """Two epochs of several loaders, and what they are made of.

    Inputs `(count, 3)` and labels `(count, 2)`, all rows different; the labels are integers.
    """
    x = torch.randn(count, 3, generator=rng)
    y = torch.stack([torch.randperm(count, generator=rng), torch.arange(count)], dim=1)
    seed, *noise = torch.randint(1, 10**6, (3,), generator=rng).tolist()
    return student.run(probes.loaders, x=x, y=y, size=SIZE, seed=seed, noise=noise), x, y


@pytest.fixture(scope="module")
def loaders(student, suite_rng):
    return ask(student, suite_rng, 23)


def rows(epoch, x):
    """The numbers of the samples of each batch, in its order, found by their inputs.

    That the batches are pairs is another test's matter.
    """
    tensors = ([part for part in batch if isinstance(part, torch.Tensor)] for batch in epoch)
    inputs = [[part for part in batch if part.shape[1:] == x.shape[1:]] for batch in tensors]
    expect(all(inputs), "Each batch should be a pair `(x, y)`, with rows of x as they are.")
    expect(bool(inputs), NO_BATCHES)
    number = {tuple(row): place for place, row in enumerate(x.tolist())}
    found = [[number.get(tuple(row)) for row in first.tolist()] for first, *_ in inputs]
    known = None not in chain(*found)
    expect(known, "The rows of your batches are not rows of `x` as it was given.")
    return found


def order_of(epoch, x):
    """The numbers of the samples, in the order of an epoch."""
    return [*chain(*rows(epoch, x))]


def unshuffled(*orders):
    return all(order == [*range(len(order))] for order in orders)


@pytest.mark.points(4)
def test_pairs(loaders):
    """A `DataLoader` gives pairs of tensors `(x, y)`, and each row of x comes with its own y.

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
    found, x, y = loaders
    expect(bool(found["one"]["epochs"][0]), NO_BATCHES)
    for epoch in filter(None, found["one"]["epochs"]):
        for batch in epoch:
            check_pair(batch, x, y)
        labels, order = torch.cat([labels for _, labels in epoch]), order_of(epoch, x)
        apart = not torch.equal(labels, y[order])
        in_order = torch.equal(labels, y) or unshuffled(order)
        mistake("labels-not-shuffled", apart and in_order).says(
            "The rows of x are shuffled, those of y are not, or the other way round: each row must"
            " keep its label."
        )
        mistake("shuffled-apart", apart).says(
            "Rows of x come with the wrong rows of y: the two were shuffled apart from each other."
        )
    mistake("not-a-loader", found["is_loader"] is not True).says(
        "You return something else than a `DataLoader`: one can loop over it anew in every epoch."
    )


def check_pair(batch, x, y):
    """Check that a batch is a pair of rows of x and rows of y, of the same types and shapes."""
    tensors = all(isinstance(part, torch.Tensor) for part in batch)
    mistake("no-pairs", tensors and len(batch) == 1).says(
        "Your batches are single tensors, and no pairs `(x, y)`: the loader has to know both."
    )
    pair = tensors and len(batch) == 2
    expect(pair, "Each batch should be a pair of tensors `(x, y)`; yours is something else.")
    got, wanted = [part.shape[1:] for part in batch], [x.shape[1:], y.shape[1:]]
    mistake("pairs-swapped", got == wanted[::-1]).says(
        "Your pairs are `(y, x)`: x comes first, as in `for x, y in loader`."
    )
    shapes = "A batch should have rows of x and rows of y, of the shapes that they have there."
    expect(got == wanted, shapes)
    expect(len(batch[0]) == len(batch[1]), "A batch should have as many rows of x as of y.")
    types = [part.dtype for part in batch] == [x.dtype, y.dtype]
    expect(types, "A batch should have the number types that x and y have.")


@pytest.mark.points(3)
@pytest.mark.parametrize("count", [23, 20, 3], ids=["a rest", "no rest", "less than a batch"])
def test_all_samples(student, rng, loaders, count):
    """Every epoch holds each sample once, in batches of `batch_size`; the last one holds what is
    left.

    x = torch.arange(10.0).reshape(10, 1)
    loader = make_loader(x, x, 3, seed=0)
    for epoch in range(2):
        batches = [inputs.flatten().tolist() for inputs, labels in loader]
        print([len(batch) for batch in batches], sorted(sum(batches, [])) == x.flatten().tolist())
    #> [3, 3, 3, 1] True
    #> [3, 3, 3, 1] True
    """
    found, x, _ = loaders if count == 23 else ask(student, rng, count)
    first, second = found["one"]["epochs"]
    expect(bool(second) or not first, ONE_PASS)
    wanted = [min(SIZE, count - start) for start in range(0, count, SIZE)]
    says = "{count} samples in batches of 5 should make batches of {wanted}; yours have {got}."
    for epoch in (first, second):
        expect(bool(epoch), NO_BATCHES, DROPPED if count % SIZE else None)
        order, sizes = order_of(epoch, x), [len(batch) for batch in rows(epoch, x)]
        expect(not count % SIZE or sizes != wanted[:-1], DROPPED)
        right = sorted(sizes) == sorted(wanted)
        ignored = not right and sizes[0] != wanted[0] and sum(sizes) == count
        mistake("batch-size-ignored", ignored).says(
            "Your batches have another size than the `batch_size` that was given."
        )
        expect(right, says, count=count, wanted=wanted, got=sizes[:20])
        mistake("drawn-with-replacement", not unshuffled(sorted(order))).says(
            "In an epoch, some samples come several times and others not at all, as it happens when"
            " they are drawn with replacement."
        )


@pytest.mark.points(4)
def test_shuffled(loaders):
    """The samples are shuffled, anew in each epoch.

    x = torch.arange(40.0).reshape(40, 1)
    loader = make_loader(x, x, 10, seed=0)
    meetings = set()  # which samples meet in a batch, in three epochs of four batches
    for epoch in range(3):
        for inputs, labels in loader:
            meetings.add(frozenset(inputs.flatten().tolist()))
    print(len(meetings))
    #> 12
    """
    found, x, _ = loaders
    epochs = found["one"]["epochs"]
    expect(bool(epochs[1]), ONE_PASS)
    first, second = (order_of(epoch, x) for epoch in epochs)
    expect(not unshuffled(first, second), NOT_SHUFFLED)
    mistake("shuffled-once", first == second).says(
        "Your samples are shuffled once, and every epoch has that same order. Each epoch needs an"
        " order of its own."
    )
    one, other = ({frozenset(batch) for batch in rows(epoch, x)} for epoch in epochs)
    mistake("whole-batches-shuffled", one == other and len(one) > 1).says(
        "The order of your batches changes, but the samples in them are the same in each epoch: it"
        " is the samples that should be shuffled."
    )
    moved = min(sum(map(ne, order, range(len(order)))) for order in (first, second))
    expect(moved > len(first) // 2, "Most samples keep their places; they should be shuffled.")


@pytest.mark.points(4)
def test_seed(loaders):
    """The same seed gives the same batches, and another seed others, whatever random numbers are
    drawn elsewhere; and nobody else's random numbers are reset.

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
    found, x, _ = loaders
    names = ("one", "again", "twice", "other", "first", "second")
    one, again, twice, other, *pair = (
        [order_of(epoch, x) for epoch in found[name]["epochs"] if epoch] for name in names
    )
    expect(not unshuffled(*one), NOT_SHUFFLED)
    reseeds = any(map(eq, found["one"]["left"], found["again"]["left"]))
    mistake("reseeds-globally", reseeds).says(
        "Your loader seeds the random generator that everyone shares: whoever draws numbers"
        " afterwards gets the same ones each time, and your batches change as soon as others draw"
        " in between. Give it a generator of its own."
    )
    mistake("depends-on-global-state", one != again and one == twice).says(
        "The same seed gives other batches once somebody else has drawn random numbers: your"
        " shuffling draws from the generator that everyone shares. Give it one of its own."
    )
    mistake("not-repeatable", one != again).says(
        "The same seed gives other batches with every call, even when nobody else draws any"
        " numbers: something else than `seed` decides about them."
    )
    mistake("seed-ignored", one == other).says(
        "Your batches are the same for every seed: the argument `seed` has no effect."
    )
    mistake("shared-generator", pair[0] != pair[1]).says(
        "All your loaders draw from one and the same generator: a second loader changes the batches"
        " of the first. Each needs a generator of its own."
    )
