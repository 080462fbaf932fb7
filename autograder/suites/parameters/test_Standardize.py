"""`Standardize`: two buffers, saved and moved with the module, never trained."""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.formula import drawn, in_double
from autograder.exercise.student import StudentError
from autograder.suites.parameters import BATCH_NEEDED, ONLY_MATRICES, run

PLAIN = Misconception(
    "plain-tensor",
    "`mean` or `std` is a plain attribute: not saved with the module, and left where it is by"
    " `.to(...)`. `register_buffer` makes it part of the module (the table in section 4).",
)
PARAMETER = Misconception(
    "buffers-as-parameters",
    "`mean` or `std` is a parameter. It is measured, not learned, so an optimizer must not find it,"
    " not even with `requires_grad=False`. A buffer is saved and moved, but never trained.",
)
NOT_PERSISTENT = Misconception(
    "buffer-not-persistent",
    "Your buffers are registered with `persistent=False`: they move with the module, but are not"
    " saved with it.",
)
STALE = Misconception(
    "stale-copy",
    "Your module has buffers, but `forward` uses other tensors, kept beside them: those stay as"
    " they were when the module is moved or loaded. Use the buffers themselves.",
)
ONLY_CENTRED = Misconception("std-ignored", "You subtract the mean, but do not divide by `std`.")
NOT_CENTRED = Misconception("mean-ignored", "You divide by `std`, but do not subtract the mean.")
VARIANCE = Misconception(
    "divides-by-variance",
    "You divide by the variance, `std` squared. It is the standard deviation that has the unit of"
    " the feature.",
)
ROOT = Misconception(
    "divides-by-root",
    "You divide by the root of `std`. What you are given is the standard deviation: the root of the"
    " variance has been taken already.",
)
MULTIPLIES = Misconception(
    "multiplies", "You multiply by `std` where you should divide: that undoes a standardization."
)
INVERSE = Misconception(
    "inverse-map",
    "You compute the way back, from standardized numbers to the original ones. Look at the formula"
    " in section 4 again.",
)
FLIPPED = Misconception("sign-flipped", "Your sign is flipped: it is `x - mean`, not `mean - x`.")
ADDED = Misconception("mean-added", "You add the mean where it should be subtracted.")
PRECEDENCE = Misconception(
    "missing-brackets",
    "Brackets are missing: `x - mean / std` divides only the mean, not the difference.",
)
SWAPPED = Misconception(
    "arguments-swapped",
    "`mean` and `std` are mixed up: you subtract `std` and divide by `mean`.",
)
EPSILON = Misconception(
    "epsilon-added",
    "You add a small number to `std` before dividing, as a batch norm does. Here the formula has"
    " none, and where a feature's `std` is small itself, it shows.",
)
ONE_FOR_ALL = Misconception(
    "one-number-for-all",
    "You use one mean and one `std` for all features; each feature has its own.",
)
OWN_STATISTICS = Misconception(
    "batch-statistics",
    "You use the mean and standard deviation of the batch at hand. Those given to the constructor"
    " were measured on the training data, and count for every batch.",
)

# The first is the test of the formula; the others are those of the leading axes.
CASES = [{"leading": (3,)}, {"leading": (2, 3)}, {"leading": ()}]


def draw(rng, leading=(3,)):
    """Four features of very different scales; in units of their `std`, all numbers are alike."""

    def make():
        def between(low, high, *shape):
            return low + (high - low) * torch.rand(*shape, generator=rng)

        def signs(*shape):
            return torch.randint(0, 2, shape, generator=rng) * 2 - 1

        # The first `std` is so small that an epsilon of 1e-6 shows and one of 1e-8 does not.
        std = torch.cat([between(0.04, 0.06, 1), between(0.2, 0.6, 1), between(2, 20, 2)])
        std = std[torch.randperm(4, generator=rng)]
        mean = signs(4) * between(2, 4, 4) * std
        side = signs(*leading, 4)
        if leading:
            side[1] = -side[0]  # so that no batch has a standard deviation near 0
        return {
            "x": mean + std * side * between(2, 3, *leading, 4),
            "mean": mean,
            "std": std,
        }

    return drawn(make, reference, mistakes, margin=1e-4)


def reference(x, mean, std):
    return (x - mean) / std


def mistakes(x, mean, std):
    rows = tuple(range(x.dim() - 1))
    return [
        (ONLY_CENTRED, x - mean),
        (NOT_CENTRED, x / std),
        (VARIANCE, (x - mean) / std**2),
        (ROOT, (x - mean) / std.sqrt()),
        (MULTIPLIES, (x - mean) * std),
        (INVERSE, x * std + mean),
        (FLIPPED, (mean - x) / std),
        (ADDED, (x + mean) / std),
        (PRECEDENCE, x - mean / std),
        (SWAPPED, (x - std) / mean),
        (EPSILON, (x - mean) / (std + 1e-5)),
        (EPSILON, (x - mean) / (std**2 + 1e-5).sqrt()),
        (ONE_FOR_ALL, (x - mean.mean()) / std.mean()),
        (OWN_STATISTICS, (x - x.mean(rows)) / x.std(rows)),
        (OWN_STATISTICS, (x - x.mean(rows)) / x.std(rows, unbiased=False)),
        (OWN_STATISTICS, (x - x.mean(0)) / x.std(0)),
        (OWN_STATISTICS, (x - x.mean(0)) / x.std(0, unbiased=False)),
    ]


def unnamed(x, mean, std):
    return [
        (x - mean) / (std + 1e-6),  # too small a mistake to be told from others
        torch.round((x - mean) / std, decimals=2),
        (x - mean) / std.roll(1),
    ]


def compare(got, x, mean, std):
    inputs = in_double({"x": x, "mean": mean, "std": std})
    sizes = (inputs["x"].abs() + inputs["mean"].abs()) / inputs["std"]
    checks.close(
        got,
        reference(**inputs),
        "`forward(x)`",
        checks.roundoff(2),
        among=mistakes(**inputs),
        scale=float(sizes.max()),
    )


def probe_forward(notebook, x, mean, std):
    return notebook.Standardize(mean.clone(), std.clone())(x.clone())


def probe_register(notebook, mean, std):
    """How many parameters a new module has, and whether it holds anything, in whatever way."""
    module = notebook.Standardize(mean.clone(), std.clone())
    held = [*module.parameters(), *module.buffers()]
    for name, value in vars(module).items():
        if isinstance(value, torch.Tensor) or (not name.startswith("_") and value):
            held.append(value)
    return {"parameters": len(list(module.parameters())), "holds": bool(held)}


def probe_saved(notebook, x, mean, std):
    """What a module saves, and what another one with other numbers gives after loading it."""
    module = notebook.Standardize(mean.clone(), std.clone())
    state = module.state_dict()
    other = notebook.Standardize(2 * mean, 3 * std)
    found = {"state": len(state), "buffers": len(list(module.buffers())), "before": None}
    try:
        found["before"] = other(x.clone()).nan_to_num()
        other.load_state_dict(state)
        found["forward"] = module(x.clone()).nan_to_num()
        found["loaded"] = other(x.clone()).nan_to_num()
    except Exception:  # `forward` itself is another test's matter: the state has to do
        other.load_state_dict(state)
        for name, held in (("forward", module), ("loaded", other)):
            numbers = [t.flatten() for t in held.state_dict().values()]
            found[name] = torch.cat([torch.zeros(1), *numbers])
    return found


def probe_moved(notebook, x, mean, std):
    """Whether all that `forward` uses goes along to another device.

    The device `meta` is on every machine: its tensors have a shape and no numbers, and meet those
    of the CPU no better than those of a GPU do. Code that has to see numbers cannot run there; it
    is judged by whether `forward` follows the buffers after a conversion.
    """
    module = notebook.Standardize(mean.clone(), std.clone())
    found = {"moved": False, "follows": False}
    try:
        y = module.to("meta")(x.to("meta"))
        found["moved"] = y.device.type == "meta"
    except Exception:
        pass

    module = notebook.Standardize(mean.clone(), std.clone()).to(torch.float64)
    tensors = [*module.buffers(), *module.parameters()]
    found["held"] = len(tensors)
    found["converted"] = all(t.dtype == torch.float64 for t in tensors)
    try:
        before = module(x.double())
        with torch.no_grad():
            for tensor in tensors:
                tensor.mul_(2)
        found["follows"] = not torch.equal(module(x.double()), before)
    except Exception:
        found["follows"] = True  # `forward` itself is another test's matter
    return found


FORWARD = """\
module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.01]))
print(module(torch.tensor([[14.0, 1.98], [10.25, 2.01], [2.0, 2.02]])))
#> tensor([[ 1.0000, -2.0000],
#>         [ 0.0625,  1.0000],
#>         [-2.0000,  2.0000]])
print(module(torch.tensor([10.25, 1.98])))  # one row alone
#> tensor([ 0.0625, -2.0000])
"""


@pytest.mark.points(8)
@pytest.mark.example(FORWARD)
def test_forward(student, rng):
    """`forward(x)` of a matrix is `(x - mean) / std`, feature by feature."""
    inputs = draw(rng, **CASES[0])
    found = run(student, probe_forward, **inputs)
    shape = tuple(inputs["x"].shape)
    compare(checks.tensor(found, "`forward(x)`", shape, torch.float32), **inputs)


LEADING = """\
module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
x = torch.tensor([[[14.0, 1.0], [10.0, 2.5]], [[6.0, 2.5], [2.0, 1.5]]])
print(module(x.clone()).tolist())
#> [[[1.0, -2.0], [0.0, 1.0]], [[-1.0, 1.0], [-2.0, -1.0]]]
print(module(x[0, 0]).tolist())  # one sample
#> [1.0, -2.0]
"""


@pytest.mark.points(2)
@pytest.mark.example(LEADING)
@pytest.mark.parametrize("case", CASES[1:], ids=["batches of matrices", "one sample"])
def test_leading_shapes(student, rng, case):
    """`forward(x)` takes any leading shape, none included, and does with each row what it does in
    a matrix."""
    inputs = draw(rng, **case)
    x, numbers = inputs["x"], {name: inputs[name] for name in ("mean", "std")}
    # What it does in a matrix is another test's matter.
    rows = x.reshape(-1, 4).expand(max(2, x.numel() // 4), 4)
    alone = run(student, probe_forward, x=rows, **numbers)
    alone = checks.tensor(alone, "`forward(x)` of a matrix", tuple(rows.shape))
    try:
        got = run(student, probe_forward, **inputs)
    except StudentError as error:
        because = BATCH_NEEDED if x.dim() == 1 else ONLY_MATRICES
        fail(str(error), because=because if error.kind == "error" else None)
    if x.dim() == 1 and isinstance(got, torch.Tensor) and got.shape != x.shape:
        fail("", because=BATCH_NEEDED)
    got = checks.tensor(got, f"`forward(x)` of an input with {x.dim()} axes", tuple(x.shape))
    wanted = alone[0] if x.dim() == 1 else alone.reshape(x.shape)
    among = [(OWN_STATISTICS, value) for it, value in mistakes(**inputs) if it is OWN_STATISTICS]
    checks.close(
        got,
        wanted,
        "`forward(x)`",
        checks.roundoff(2),
        among=among,
        message="A row comes out differently in an input with more axes, or fewer, than in a"
        " matrix: the axes are mixed up somewhere.",
        scale=float(((x.abs() + inputs["mean"].abs()) / inputs["std"]).max()),
    )


SAVED = """\
module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
other = Standardize(torch.zeros(2), torch.ones(2))
other.load_state_dict(module.state_dict())
print(other(torch.tensor([[14.0, 1.0]])).tolist())  # as module would do it
#> [[1.0, -2.0]]
"""


@pytest.mark.points(5)
@pytest.mark.example(SAVED)
def test_saved(student, rng):
    """`mean` and `std` are in `state_dict()`: saved with the module, and loaded again."""
    found = run(student, probe_saved, **draw(rng))
    if found["state"] < 2:
        fail("", because=NOT_PERSISTENT if found["buffers"] >= 2 else PLAIN)
    before, loaded, forward = found["before"], found["loaded"], found["forward"]
    if checks.is_close(loaded, forward, checks.roundoff(2)):
        return
    stale = before is not None and checks.is_close(loaded, before, checks.roundoff(2))
    fail(
        "A module that has loaded the `state_dict()` of another should do what that one does; yours"
        " does something else.",
        because=STALE if stale else None,
    )


NOT_TRAINED = """\
module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
print(list(module.parameters()))  # nothing that an optimizer would find
#> []
"""


@pytest.mark.points(5)
@pytest.mark.example(NOT_TRAINED)
def test_not_trained(student, rng):
    """`mean` and `std` are no parameters: an optimizer does not find them."""
    inputs = draw(rng)
    found = run(student, probe_register, mean=inputs["mean"], std=inputs["std"])
    expect(found["parameters"] == 0, "", because=PARAMETER)
    expect(found["holds"], "Your module keeps neither `mean` nor `std`.")


MOVED = """\
module = Standardize(torch.tensor([10.0, 2.0]), torch.tensor([4.0, 0.5]))
module.to(torch.float16)  # `.to("cuda")` works in the same way
print({buffer.dtype for buffer in module.buffers()})
#> {torch.float16}
print(module(torch.ones(3, 2, dtype=torch.float16)).dtype)
#> torch.float16
"""


@pytest.mark.points(5)
@pytest.mark.example(MOVED)
def test_moved(student, rng):
    """`.to(...)` moves and converts `mean` and `std` along with the module."""
    inputs = draw(rng)
    kept = run(student, probe_register, mean=inputs["mean"], std=inputs["std"])
    expect(kept["holds"], "Your module keeps neither `mean` nor `std`.")
    found = run(student, probe_moved, **inputs)
    if found["moved"] or (found["converted"] and found["held"] >= 2 and found["follows"]):
        return
    fail(
        "After `.to(...)` your `forward` still uses something that was left behind.",
        because=PLAIN if found["held"] < 2 else None if found["follows"] else STALE,
    )
