"""`LR.backward`: dw and db of the mean loss, afresh each time, and worked out by hand.

The right gradients are autograd's own, in float64, of the mean binary cross-entropy.
"""

from contextlib import contextmanager

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.autograd_use import UNREAD, autograd_in
from autograder.exercise.checks import Failure, Misconception, expect, fail
from autograder.exercise.formula import told_apart
from autograder.exercise.student import StudentError
from autograder.kernel.inside import Recording
from autograder.suites.manual_backward import (
    call,
    cross_entropy,
    draw_labels,
    draw_pictures,
    draw_state,
    probe_lr,
    sigmoid,
)

DIM = 5
#: The batch sizes that are compared: differences in float32 may be right by luck in one of them,
#: but not in all. One is larger than the constants that people write into slices.
SIZES = (8, 3, 131, 3, 8, 3)
CONSTANTS = (10, 32, 100)

SUM = Misconception(
    "sum-instead-of-mean",
    "Your gradient is that of the summed loss: too large by the factor m, the number of pictures."
    " The loss is a mean. (`len(y)` and `y.shape[0]` count the rows of y, and that is 1.)",
)
MEAN_TWICE = Misconception(
    "mean-twice", "You divide by the number of pictures twice: once in `dz` is enough."
)
OVER_PIXELS = Misconception(
    "mean-over-pixels",
    "You divide by the number of pixels, `dim`. The mean of the loss is over the pictures, of which"
    " there are m.",
)
FLIPPED = Misconception(
    "sign-flipped",
    "Your gradient has the wrong sign: it points downhill, and the step in `optimize` would then"
    " walk uphill. Look at the order in the difference of `yhat` and `y`.",
)
MSE_LEFT = Misconception(
    "sigmoid-derivative-left-in",
    "The factor `yhat * (1 - yhat)` is left in. With the cross-entropy it cancels: it is in the"
    " derivative of the loss as well, below the line. (With the squared error it would stay.)",
)
STOPS = Misconception(
    "stops-at-yhat",
    "You differentiate the loss with respect to `yhat` and stop there: the sigmoid between the"
    " score and `yhat` has a derivative too. Multiply, and nearly everything cancels.",
)
DOUBLED = Misconception(
    "factor-two",
    "Your gradient is twice as large: a factor 2 as from a square. This loss has no square.",
)
NO_LABELS = Misconception(
    "labels-ignored", "Your gradient does not depend on the labels: `y` is missing from it."
)
ROUNDED = Misconception(
    "rounded-answers",
    "You round `yhat` to 0 or 1 before you take the difference. How far off an answer was counts,"
    " not only whether it was wrong.",
)
ROW = Misconception(
    "dw-as-a-row",
    "Your `dw` is a row, `(1, dim)`; wanted is the shape of `w`, `(dim, 1)`: transpose the other"
    " factor instead.",
)
NO_COLUMN = Misconception(
    "dw-without-column",
    "Your `dw` has one axis, `(dim,)`; wanted is the shape of `w`, `(dim, 1)`. Otherwise `w - dw`"
    " stretches to `(dim, dim)` without a word.",
)
ELEMENTWISE = Misconception(
    "dw-for-each-picture",
    "Your `dw` has a column for each picture, `(dim, m)`: nothing adds up over the pictures. With"
    " `*` numbers are multiplied one by one; a matrix product also adds up.",
)
STRETCHED = Misconception(
    "stretched-difference",
    "Your difference of `yhat` and `y` has stretched to `(m, m)`: one of them was a column, the"
    " other a row. Both are `(1, m)`, and belong together number by number.",
)
DB_VECTOR = Misconception(
    "db-for-each-picture",
    "Your `db` has a number for each picture. There is one bias, so its derivative is one number:"
    " add up over the pictures.",
)
DB_AXES = Misconception(
    "db-not-scalar",
    "Your `db` is one number, but with axes (from `keepdim`, a sum over one axis, or a matrix"
    " product); wanted is a scalar, of shape `()`, like `b`.",
)
DB_OF_DW = Misconception(
    "db-from-dw",
    "Your `db` adds up `dw`. The bias enters every score as it is, not multiplied by pixels.",
)
RETURNED = Misconception(
    "returned-not-kept",
    "You return the gradients, but `grads` keeps its old numbers: put them into `self.grads`.",
)
UPDATES = Misconception(
    "updates-in-backward",
    "`backward` changes `w` or `b`. It only works out the gradients; the step is for `optimize`.",
)
PILED_UP = Misconception(
    "gradients-accumulated",
    "Your gradients pile up: each call adds to the ones before, as PyTorch's own `backward()` does."
    " Here each call starts afresh and puts its own in place of the old.",
)
NOT_FILLED = Misconception(
    "gradient-not-filled-in",
    "Your gradient is still zero, as `__init__` made it: `backward` puts no number in its place.",
)
PART = Misconception(
    "part-of-the-pictures",
    "You use the first pictures alone, as a slice like `x[:, :10]` cuts them out. Every picture"
    " counts, however many there are.",
)
STORED = Misconception(
    "uses-what-forward-stored",
    "Your `backward` works with what `forward` has stored in the model, not with the `x` and `yhat`"
    " that it is given. They need not be those of the last `forward`, and in the check nothing"
    " came before it.",
)
FIRST_ONLY = Misconception(
    "first-call-kept",
    "The second call, with other pictures, leaves the gradients of the first in place.",
)


NOT_READ = Misconception(
    "backward-unreadable",
    "Your `backward`, or what it uses, cannot be read to its end: an expression in it is too long"
    " or too deeply nested, it runs a text as code, or stands in a cell that is no plain Python. So"
    " it cannot be seen that it is worked out by hand: write it in short, plain lines.",
)
NOT_WATCHED = Misconception(
    "record-ended",
    "While `backward` runs, torch's profiler records whether autograd works out the gradients. Your"
    " code ends that record, so it cannot be seen that they are worked out by hand: leave the"
    " profiler's inner functions alone.",
)


def by_hand(ways):
    """The first of the ways into autograd, written or taken, that is known is told."""
    named = next((way for way in ways if "._" not in way), "torch.autograd")
    return Misconception(
        "autograd-in-backward",
        f"Your `backward` uses autograd (`{named}`). In this notebook it computes the formulas of"
        " section 4 itself; to check yourself with autograd is welcome outside of it.",
    )


def draw(rng, state, m):
    """Pictures, and what the model answers to them: never near 0 or 1.

    Drawn again until no mistake gives what another one, the right way or doing nothing gives.
    """
    while True:
        x = draw_pictures(rng, DIM, m)
        yhat = sigmoid(state["w"].double().T @ x.double() + state["b"].double()).float()
        data = {"state": state, "x": x, "yhat": yhat, "y": draw_labels(rng, m)}
        if is_telling(data):
            return data


def is_telling(data):
    dz, among = derivatives(data)
    dz = [("", dz), ("zeros", torch.zeros_like(dz)), *((it.name, value) for it, value in among)]
    x = data["x"].double()
    far = 20 * checks.roundoff(DIM + x.shape[1]) * float(dz[0][1].abs().sum())
    dw = [(name, x @ value.T) for name, value in dz]
    db = [(name, value.sum()) for name, value in dz]
    db += [(DB_OF_DW.name, dw[0][1].sum()), (DB_OF_DW.name, dw[0][1].sum() / x.shape[1])]
    return told_apart(dw, far) and told_apart(db, far)


@pytest.fixture(scope="module")
def given(suite_rng):
    """Several data sets for one model, of two batch sizes."""
    state = draw_state(suite_rng, DIM)
    return [draw(suite_rng, state, m) for m in SIZES]


@pytest.fixture(scope="module")
def taken():
    """The ways into autograd that were taken so far: a gradient can be kept for a later call."""
    return []


@pytest.fixture(scope="module")
def left(student, given, taken):
    """What `backward` of a fresh model leaves behind on each data set."""
    with named_where_stored(student, given):
        return ask(student, given, taken, fresh=True)


@pytest.fixture(scope="module")
def twice(student, given, taken):
    """What two calls of one model leave behind."""
    with named_where_stored(student, given):
        return ask(student, [given[0], given[-1]], taken)


@contextmanager
def named_where_stored(student, given):
    """Say so where `backward` raises since `forward` was not called before it."""
    try:
        yield
    except StudentError as error:
        stored = error.kind == "error" and stored_by_forward(student, given)
        fail(error.message, because=STORED if stored else None)


def ask(student, given, taken, **how):
    calls = [backward(data) for data in given]
    lr, state = torch.tensor(0.1), given[0]["state"]
    watched = student.watch(probe_lr, dim=DIM, lr=lr, state=state, calls=calls, **how)
    taken += watched.autograd
    return watched.value


def backward(data):
    return call("backward", data["x"], data["yhat"], data["y"])


def stored_by_forward(student, given):
    """Whether the gradients are those of pictures that `forward` saw before, not of those given."""
    for place, other in ((0, 4), (1, 3)):  # of the same size
        data, before = given[place], given[other]
        calls = [call("forward", before["x"]), backward(data)]
        lr, state = torch.tensor(0.1), data["state"]
        try:
            left = student.run(probe_lr, dim=DIM, lr=lr, state=state, calls=calls)[-1]
            got = torch.as_tensor(entry(left, "dw"))
        except Failure:
            return False
        m = data["x"].shape[1]
        mixtures = [
            one["x"].double() @ ((two["yhat"] - data["y"]).double() / m).T
            for one in (data, before)
            for two in (data, before)
        ]
        if not any(checks.is_close(got, each, 1e-4) for each in mixtures[1:]):
            return False
    return True


def on_each(check, student, left, given):
    """Run `check` on each data set; a name is told where it is the one name of all that fail."""
    failures = []
    for one, data in zip(left, given, strict=True):
        try:
            check(one, data)
        except Failure as failure:
            failures.append(failure)
    if not failures:
        return
    names = {failure.misconception for failure in failures}
    if names == {None} and stored_by_forward(student, given):
        fail("", because=STORED)
    if len(names) == 1:
        raise failures[0]
    fail("The gradient has the right form, but not the right values.")


def gradients(data):
    """Autograd's dw (dim, 1) and db, float64."""
    w, b = (data["state"][name].double().requires_grad_() for name in ("w", "b"))
    mean = cross_entropy(torch.sigmoid(w.T @ data["x"].double() + b), data["y"])
    return torch.autograd.grad(mean, (w, b))


def entry(left, name):
    """What lies in `grads` under `name` after a call."""
    grads = left["grads"]
    expect(isinstance(grads, dict), "`grads` should be a dictionary with the keys `dw` and `db`.")
    expect(name in grads, f"`grads` has no entry `{name}` after `backward`.")
    number = isinstance(grads[name], torch.Tensor | float)
    expect(number, f"`grads[{name!r}]` should be a tensor; yours is {checks.kind(grads[name])}.")
    return grads[name]


def derivatives(data):
    """What stands for dz, `(1, m)`, with each known mistake, and what is right."""
    x, yhat, y = (data[name].double() for name in ("x", "yhat", "y"))
    m, off = x.shape[1], yhat - y
    among = [
        (SUM, off),
        (MEAN_TWICE, off / m**2),
        (OVER_PIXELS, off / DIM),
        (FLIPPED, -off / m),
        (MSE_LEFT, off * yhat * (1 - yhat) / m),
        (MSE_LEFT, 2 * off * yhat * (1 - yhat) / m),
        (MSE_LEFT, off * yhat * (1 - yhat)),
        (STOPS, off / (yhat * (1 - yhat)) / m),
        (DOUBLED, 2 * off / m),
        (NO_LABELS, yhat / m),
        (ROUNDED, ((yhat > 0.5).double() - y) / m),
    ]
    for first in CONSTANTS:
        if first < m:
            part = off * (torch.arange(m) < first)
            among += [(PART, part / first), (PART, part / m)]
    return off / m, among


def stretched(dw, data):
    """Whether a `dw` of shape (dim, m) comes from a difference of shape (m, m)."""
    x, yhat, y = (data[name].double() for name in ("x", "yhat", "y"))
    products = [x @ (yhat - y.T), x @ (yhat - y.T).T]
    made = [value / scale for value in products for scale in (1, x.shape[1])]
    return any(checks.is_close(dw, value, 1e-4) for value in made)


def returned_instead(left):
    """Whether the gradients were returned and `grads` left as it was."""
    parts = left["returned"]
    parts = list(parts.values()) if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], torch.Tensor):
        return False
    kept = left["grads"].get("dw") if isinstance(left["grads"], dict) else None
    same = isinstance(kept, torch.Tensor) and kept.shape == parts[0].shape
    return not (same and torch.equal(kept, parts[0]))


DW = """\
small = LR(3)
with torch.no_grad():
    small.w.copy_(torch.tensor([[-0.549306], [0.0], [0.0]]))
x = torch.tensor([[2.0, 0.0], [1.0, -1.0], [0.0, 4.0]], device=device)
yhat = torch.tensor([[0.25, 0.5]], device=device)
y = torch.tensor([[0.0, 1.0]], device=device)
for times in (1, 128):  # each picture once, then 128 times: the mean stays as it is
    small.backward(*(each.repeat_interleave(times, dim=1) for each in (x, yhat, y)))
    dw = small.grads["dw"]
    print(dw.shape, [round(value, 6) for value in dw.ravel().tolist()])
#> torch.Size([3, 1]) [0.25, 0.375, -1.0]
#> torch.Size([3, 1]) [0.25, 0.375, -1.0]
"""


@pytest.mark.points(5)
@pytest.mark.example(DW)
def test_dw(student, left, given):
    """`grads["dw"]` is the derivative of the mean loss with respect to `w`, for any batch size."""

    def check(one, data):
        if returned_instead(one):
            fail("", because=RETURNED)
        got, x, m = entry(one, "dw"), data["x"].double(), data["x"].shape[1]
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else None
        if shape == (1, DIM):
            fail("", because=ROW)
        if shape == (DIM,):
            fail("", because=NO_COLUMN)
        if shape == (DIM, m):
            fail("", because=STRETCHED if stretched(got, data) else ELEMENTWISE)
        dz, among = derivatives(data)
        expect(not isinstance(got, torch.Tensor) or bool(got.any()), "", because=NOT_FILLED)
        checks.close(
            checks.tensor(got, '`grads["dw"]`', (DIM, 1)),
            gradients(data)[0],
            '`grads["dw"]`',
            checks.roundoff(DIM + m),
            among=[(mistake, x @ value.T) for mistake, value in among],
            scale=float((x.abs() @ dz.abs().T).max()),
        )

    on_each(check, student, left, given)


DB = """\
small = LR(3)
with torch.no_grad():
    small.w.copy_(torch.tensor([[-0.549306], [0.0], [0.0]]))
x = torch.tensor([[2.0, 0.0], [1.0, -1.0], [0.0, 4.0]], device=device)
yhat = torch.tensor([[0.25, 0.5]], device=device)
y = torch.tensor([[0.0, 1.0]], device=device)
for times in (1, 128):  # each picture once, then 128 times: the mean stays as it is
    small.backward(*(each.repeat_interleave(times, dim=1) for each in (x, yhat, y)))
    db = small.grads["db"]
    print(db.shape, round(db.item(), 6))
#> torch.Size([]) -0.125
#> torch.Size([]) -0.125
"""


@pytest.mark.points(3)
@pytest.mark.example(DB)
def test_db(student, left, given):
    """`grads["db"]` is the derivative of the mean loss with respect to `b`, a scalar."""

    def check(one, data):
        if returned_instead(one):
            fail("", because=RETURNED)
        got, dw = entry(one, "db"), one["grads"].get("dw")
        x, m = data["x"].double(), data["x"].shape[1]
        if isinstance(got, torch.Tensor) and got.numel() == m:
            fail("", because=DB_VECTOR)
        if isinstance(got, torch.Tensor) and got.numel() == 1 and got.dim() > 0:
            fail("", because=DB_AXES)
        dz, among = derivatives(data)
        expect(not isinstance(got, torch.Tensor) or bool(got.any()), "", because=NOT_FILLED)
        among += [(DB_OF_DW, x @ dz.T), (DB_OF_DW, x @ dz.T / m)]
        if isinstance(dw, torch.Tensor) and tuple(dw.shape) == (DIM, m) and stretched(dw, data):
            among = [(STRETCHED, m * dz), (STRETCHED, m**2 * dz), (STRETCHED, dz)]
        checks.close(
            checks.tensor(got, '`grads["db"]`', ()),
            gradients(data)[1],
            '`grads["db"]`',
            checks.roundoff(DIM + m),
            among=[(mistake, value.sum()) for mistake, value in among],
            scale=float(dz.abs().sum()),
        )

    on_each(check, student, left, given)


AFRESH = """\
small = LR(2)
with torch.no_grad():
    small.b.fill_(1.0986)
for m in (2, 2, 4):  # m times the same picture and the same answer: the mean stays as it is
    x, yhat = torch.ones(2, m, device=device), torch.full((1, m), 0.75, device=device)
    small.backward(x, yhat, torch.zeros(1, m, device=device))
    print(small.grads["dw"].ravel().cpu(), small.grads["db"].cpu())
#> tensor([0.7500, 0.7500]) tensor(0.7500)
#> tensor([0.7500, 0.7500]) tensor(0.7500)
#> tensor([0.7500, 0.7500]) tensor(0.7500)
print(small.w.ravel().tolist(), round(small.b.item(), 4))  # as before
#> [0.0, 0.0] 1.0986
"""


@pytest.mark.points(2)
@pytest.mark.example(AFRESH)
def test_afresh(twice, left, given):
    """Each call starts afresh: nothing is left of the gradients before, and `w` and `b` stay."""
    one, then = twice
    alone, state = left[-1], given[0]["state"]
    working(one, then)
    for name in ("w", "b"):
        same = torch.equal(then[name].reshape(-1), state[name].reshape(-1))
        expect(same, "", because=UPDATES)
    for name in ("dw", "db"):
        before, got, wanted = (
            torch.as_tensor(entry(each, name)).double() for each in (one, then, alone)
        )
        sizes = before.shape == wanted.shape
        checks.close(
            got,
            wanted,
            f"`{name}` of the second call",
            checks.roundoff(8),
            among=[(PILED_UP, before + wanted), (FIRST_ONLY, before)] if sizes else (),
            message=f"`{name}` of a second call is another one than that of a fresh model with the"
            " same data: something of the first call is left.",
        )


def working(one, then):
    """Fail unless two calls left finite gradients, and other data other ones."""
    for left in (one, then):
        for name in ("dw", "db"):
            value = torch.as_tensor(entry(left, name))
            expect(bool(torch.isfinite(value).all()), f"`{name}` should be finite.")
    dw, other = entry(one, "dw"), entry(then, "dw")
    expect(
        bool(dw.any()) and not torch.equal(dw, other),
        "`backward` does not work yet: `dw` does not follow from the data.",
        because=RETURNED if returned_instead(one) else None,
    )


BY_HAND = """\
small = LR(3)
with torch.no_grad():
    small.w.copy_(torch.tensor([[-0.549306], [0.0], [0.0]]))
x = torch.tensor([[2.0, 0.0], [1.0, -1.0], [0.0, 4.0]], device=device)
yhat = torch.tensor([[0.25, 0.5]], device=device)
y = torch.tensor([[0.0, 1.0]], device=device)
keep = lambda tensor: tensor
with torch.inference_mode(), torch.autograd.graph.saved_tensors_hooks(keep, keep):
    # Here autograd does not work, in any of its ways; your own formulas do.
    small.backward(x, yhat, y)
print(small.grads["dw"].ravel().cpu(), small.grads["db"].cpu())
#> tensor([ 0.2500,  0.3750, -1.0000]) tensor(-0.1250)
"""


@pytest.mark.points(10)
@pytest.mark.example(BY_HAND)
def test_by_hand(student, twice, taken):
    """The gradients are worked out by hand: `backward` works and does not use autograd."""
    working(*twice)
    written = autograd_in(student.code, ["LR.backward"])
    ways = [way for way in (*written, *taken) if way not in (UNREAD, Recording.ENDED)]
    expect(not ways, "", because=by_hand(ways))
    expect(Recording.ENDED not in taken, "", because=NOT_WATCHED)
    expect(UNREAD not in written, "", because=NOT_READ)
