"""`Standardize`: two buffers, saved and moved with the module, never trained."""

from functools import partial

import pytest
import torch

from autograder.exercise import Formula, Misconception, away_from_zero, between, checks, expect
from autograder.exercise.checks import mistake
from autograder.exercise.distributions import by_own_statistics
from autograder.exercise.leading import check_leading
from autograder.suites.parameters import probes, run


def draw(rng):
    """Four features of very different scales; in units of their `std`, all numbers are alike."""
    # The first `std` is so small that an epsilon of 1e-6 shows and one of 1e-8 does not.
    ranges = [(0.04, 0.06), (0.2, 0.6), (2, 20), (2, 20)]
    std = torch.cat([between(rng, *each, 1) for each in ranges])[torch.randperm(4, generator=rng)]
    mean = std * away_from_zero(rng, 2, 4, 4)
    z = away_from_zero(rng, 2, 3, 3, 4)
    # On the other side of the mean, so that no batch has a standard deviation near 0.
    opposite = -z.sign() * between(rng, 2, 3, 3, 4)
    return {"x": mean + std * torch.cat([z, opposite]), "mean": mean, "std": std}


standardize = Formula(
    "`forward(x)`",
    draw=draw,
    reference=lambda x, mean, std: (x - mean) / std,
    terms=2,
    size=lambda x, mean, std: (x.abs() + mean.abs()) / std,
    dtype=torch.float32,
    margin=1e-4,
    unnamed=lambda x, mean, std: iter(
        [
            (x - mean) / (std + 1e-6),  # too small a mistake to be told from others
            torch.round((x - mean) / std, decimals=2),
            (x - mean) / std.roll(1),
        ]
    ),
)
standardize.mistake("std-ignored", lambda x, mean: x - mean).says(
    "You subtract the mean, but do not divide by `std`."
)
standardize.mistake("mean-ignored", lambda x, std: x / std).says(
    "You divide by `std`, but do not subtract the mean."
)
standardize.mistake("divides-by-variance", lambda x, mean, std: (x - mean) / std**2).says(
    "You divide by the variance, `std` squared. It is the standard deviation that has the unit of"
    " the feature."
)
standardize.mistake("divides-by-root", lambda x, mean, std: (x - mean) / std.sqrt()).says(
    "You divide by the root of `std`. What you are given is the standard deviation: the root of the"
    " variance has been taken already."
)
standardize.mistake("multiplies", lambda x, mean, std: (x - mean) * std).says(
    "You multiply by `std` where you should divide: that undoes a standardization."
)
standardize.mistake("inverse-map", lambda x, mean, std: x * std + mean).says(
    "You compute the way back, from standardized numbers to the original ones. Look at the formula"
    " in section 4 again."
)
standardize.mistake("sign-flipped", lambda x, mean, std: (mean - x) / std).says(
    "Your sign is flipped: it is `x - mean`, not `mean - x`."
)
standardize.mistake("mean-added", lambda x, mean, std: (x + mean) / std).says(
    "You add the mean where it should be subtracted."
)
standardize.mistake("missing-brackets", lambda x, mean, std: x - mean / std).says(
    "Brackets are missing: `x - mean / std` divides only the mean, not the difference."
)
standardize.mistake("arguments-swapped", lambda x, mean, std: (x - std) / mean).says(
    "`mean` and `std` are mixed up: you subtract `std` and divide by `mean`."
)
standardize.mistake(
    "epsilon-added",
    lambda x, mean, std: (x - mean) / (std + 1e-5),
    lambda x, mean, std: (x - mean) / (std**2 + 1e-5).sqrt(),
).says(
    "You add a small number to `std` before dividing, as a batch norm does. Here the formula has"
    " none, and where a feature's `std` is small itself, it shows."
)
standardize.mistake("one-number-for-all", lambda x, mean, std: (x - mean.mean()) / std.mean()).says(
    "You use one mean and one `std` for all features; each feature has its own."
)
standardize.mistake(
    "batch-statistics", lambda x: by_own_statistics(x, tuple(range(x.dim() - 1)), 0)
).says(
    "You use the mean and standard deviation of the batch at hand. Those given to the constructor"
    " were measured on the training data, and count for every batch."
)

PLAIN = Misconception(
    "plain-tensor",
    "`mean` or `std` is a plain attribute: not saved with the module, and left where it is by"
    " `.to(...)`. `register_buffer` makes it part of the module (the table in section 4).",
)
STALE = Misconception(
    "stale-copy",
    "Your module has buffers, but `forward` uses other tensors, kept beside them: those stay as"
    " they were when the module is moved or loaded. Use the buffers themselves.",
)
NOTHING_KEPT = "Your module keeps neither `mean` nor `std`."


@pytest.mark.points(8)
def test_forward(student, rng):
    """`forward(x)` of a matrix is `(x - mean) / std`, feature by feature.

    module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.01]))
    print(module(torch.tensor([[14.0, 1.98], [10.25, 2.01], [2.0, 2.02]])))
    #> tensor([[ 1.0000, -2.0000],
    #>         [ 0.0625,  1.0000],
    #>         [-2.0000,  2.0000]])
    print(module(torch.tensor([10.25, 1.98])))  # one row alone
    #> tensor([ 0.0625, -2.0000])
    """
    inputs = standardize.draw(rng)
    standardize.check(run(student, probes.standardize, **inputs), **inputs)


@pytest.mark.points(2)
@pytest.mark.parametrize("leading", [(2, 3), ()], ids=["batches of matrices", "one sample"])
def test_leading_shapes(student, rng, leading):
    """`forward(x)` takes any leading shape, none included, and does with each row what it does in
    a matrix.

    module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
    x = torch.tensor([[[14.0, 1.0], [10.0, 2.5]], [[6.0, 2.5], [2.0, 1.5]]])
    print(module(x.clone()).tolist())
    #> [[[1.0, -2.0], [0.0, 1.0]], [[-1.0, 1.0], [-2.0, -1.0]]]
    print(module(x[0, 0]).tolist())  # one sample
    #> [1.0, -2.0]
    """
    ask = partial(run, student, probes.standardize)
    check_leading(leading, standardize, standardize.draw(rng), ask, named=("batch-statistics",))


@pytest.mark.points(5)
def test_saved(student, rng):
    """`mean` and `std` are in `state_dict()`: saved with the module, and loaded again.

    module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
    other = Standardize(torch.zeros(2), torch.ones(2))
    other.load_state_dict(module.state_dict())
    print(other(torch.tensor([[14.0, 1.0]])).tolist())  # as module would do it
    #> [[1.0, -2.0]]
    """
    found = run(student, probes.saved, **standardize.draw(rng))
    unsaved = found["state"] < 2
    mistake("buffer-not-persistent", unsaved and found["buffers"] >= 2).says(
        "Your buffers are registered with `persistent=False`: they move with the module, but are"
        " not saved with it."
    )
    expect(not unsaved, PLAIN)
    checks.close(
        found["loaded"],
        found["forward"],
        "",
        checks.roundoff(2),
        [(STALE, found["before"])],
        "A module that has loaded the `state_dict()` of another should do what that one does; yours"
        " does something else.",
    )


@pytest.mark.points(5)
def test_not_trained(student, rng):
    """`mean` and `std` are no parameters: an optimizer does not find them.

    module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
    print(list(module.parameters()))  # nothing that an optimizer would find
    #> []
    print(len(module.state_dict()))  # and yet there
    #> 2
    """
    found = run(student, probes.moved, **standardize.draw(rng))
    mistake("buffers-as-parameters", bool(found["parameters"])).says(
        "`mean` or `std` is a parameter. It is measured, not learned, so an optimizer must not find"
        " it, not even with `requires_grad=False`. A buffer is saved and moved, but never trained."
    )
    expect(found["holds"], NOTHING_KEPT)


@pytest.mark.points(5)
def test_moved(student, rng):
    """`.to(...)` moves and converts `mean` and `std` along with the module.

    module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
    module.to(torch.float16)  # `.to("cuda")` works in the same way
    print({buffer.dtype for buffer in module.buffers()})
    #> {torch.float16}
    print(module(torch.ones(3, 2, dtype=torch.float16)).dtype)
    #> torch.float16
    """
    found = run(student, probes.moved, **standardize.draw(rng))
    expect(found["holds"], NOTHING_KEPT)
    held = len(found["parameters"]) + found["buffers"]
    expect(
        found["moved"] or (found["converted"] and held >= 2 and found["follows"]),
        "After `.to(...)` your `forward` still uses something that was left behind.",
        PLAIN if held < 2 else None if found["follows"] else STALE,
    )
