"""`LR.backward`: dz, then dw and db of the mean loss; afresh each time, and worked out by hand."""

from itertools import product

import pytest
import torch

from autograder.exercise import Formula, Misconception, checks, expect, fail, in_double, mistake
from autograder.exercise.attempts import named_where
from autograder.exercise.autograd_use import autograd_in
from autograder.exercise.by_hand import expect_by_hand
from autograder.exercise.in_order import is_near
from autograder.suites import manual_backward as lesson
from autograder.suites.manual_backward import probes

DIM = 5
#: The batch sizes that are compared: differences in float32 may be right by luck in one of them,
#: but not in all. One is larger than the constants that people write into slices.
SIZES = (8, 3, 131, 3, 8, 3)
CONSTANTS = (10, 32, 100)
#: What may be left of an earlier `forward`.
STALE = ("x", "yhat"), ("x",), ("yhat",)


def draw(rng, state=None, m=8):
    """Pictures, and what the model answers to them: never near 0 or 1."""
    state = state or lesson.draw_state(rng, DIM)
    x = lesson.draw_pictures(rng, DIM, m)
    yhat = lesson.sigmoid(state["w"].double().T @ x.double() + state["b"].double()).float()
    return {**state, "x": x, "yhat": yhat, "y": lesson.draw_labels(rng, m), "m": m}


# Step 1: from the loss to the score. A mistake in dz is one in dw and in db, too.
dz = Formula(
    "dz",
    draw=draw,
    also=lambda yhat, y: {"off": yhat - y},
    reference=lambda off, m: off / m,
    cases=[{"m": m} for m in sorted({*SIZES})],
)
dz.mistake("gradient-not-filled-in", lambda off: 0 * off, idle=True).says(
    "Your gradient is still zero, as `__init__` made it: `backward` puts no number in its place."
)
summed = dz.mistake("sum-instead-of-mean", lambda off: off).says(
    "Your gradient is that of the summed loss: too large by the factor m, the number of pictures."
    " The loss is a mean. (`len(y)` and `y.shape[0]` count the rows of y, and that is 1.)"
)
dz.mistake("mean-twice", lambda off, m: off / m**2).says(
    "You divide by the number of pictures twice: once in `dz` is enough."
)
dz.mistake("mean-over-pixels", lambda off: off / DIM).says(
    "You divide by the number of pixels, `dim`. The mean of the loss is over the pictures, of which"
    " there are m."
)
dz.mistake("sign-flipped", lambda off, m: -off / m).says(
    "Your gradient has the wrong sign: it points downhill, and the step in `optimize` would then"
    " walk uphill. Look at the order in the difference of `yhat` and `y`."
)
dz.mistake(
    "sigmoid-derivative-left-in",
    lambda off, yhat, m: (k * off * yhat * (1 - yhat) for k in (1 / m, 2 / m, 1)),
).says(
    "The factor `yhat * (1 - yhat)` is left in. With the cross-entropy it cancels: it is in the"
    " derivative of the loss as well, below the line. (With the squared error it would stay.)"
)
dz.mistake("stops-at-yhat", lambda off, yhat, m: off / (yhat * (1 - yhat)) / m).says(
    "You differentiate the loss with respect to `yhat` and stop there: the sigmoid between the"
    " score and `yhat` has a derivative too. Multiply, and nearly everything cancels."
)
dz.mistake("factor-two", lambda off, m: 2 * off / m).says(
    "Your gradient is twice as large: a factor 2 as from a square. This loss has no square."
)
dz.mistake("labels-ignored", lambda yhat, m: yhat / m).says(
    "Your gradient does not depend on the labels: `y` is missing from it."
)
dz.mistake("rounded-answers", lambda yhat, y, m: ((yhat > 0.5).to(y) - y) / m).says(
    "You round `yhat` to 0 or 1 before you take the difference. How far off an answer was counts,"
    " not only whether it was wrong."
)
dz.mistake(
    "part-of-the-pictures",
    lambda off, m: (off * (torch.arange(m) < n) / k for n in CONSTANTS if n < m for k in (n, m)),
).says(
    "You use the first pictures alone, as a slice like `x[:, :10]` cuts them out. Every picture"
    " counts, however many there are."
)

# Step 2: from the score to the weights, and to the bias.
dw = Formula(
    '`grads["dw"]`',
    given={"dz": dz},
    reference=lambda x, dz: x @ dz.T,
    terms=lambda m: DIM + m,
    size=lambda x, dz: x.abs() @ dz.abs().T,
)
dw.mistake("dw-as-a-row", lambda x, dz: dz @ x.T, shape_only=True).says(
    "Your `dw` is a row, `(1, dim)`; wanted is the shape of `w`, `(dim, 1)`: transpose the other"
    " factor instead."
)
dw.mistake("dw-without-column", lambda x, dz: (x * dz).sum(1), shape_only=True).says(
    "Your `dw` has one axis, `(dim,)`; wanted is the shape of `w`, `(dim, 1)`. Otherwise `w - dw`"
    " stretches to `(dim, dim)` without a word."
)
dw.mistake("dw-for-each-picture", lambda x, dz: x * dz, shape_only=True).says(
    "Your `dw` has a column for each picture, `(dim, m)`: nothing adds up over the pictures. With"
    " `*` numbers are multiplied one by one; a matrix product also adds up."
)
stretched = dw.mistake(
    "stretched-difference",
    lambda x, yhat, y, m: (x @ off / k for off in (yhat - y.T, yhat.T - y) for k in (1, m)),
).says(
    "Your difference of `yhat` and `y` has stretched to `(m, m)`: one of them was a column, the"
    " other a row. Both are `(1, m)`, and belong together number by number."
)

db = Formula(
    '`grads["db"]`',
    draw=dw.draw,
    given={"dz": dz},
    reference=lambda dz: dz.sum(),
    terms=lambda m: DIM + m,
    size=lambda dz: dz.abs().sum(),
)
db.mistake("db-for-each-picture", lambda dz: iter((dz, dz.T, dz[0])), shape_only=True).says(
    "Your `db` has a number for each picture. There is one bias, so its derivative is one number:"
    " add up over the pictures."
)
db.mistake("db-not-scalar", lambda dz: iter((dz.sum(1), dz @ dz.T)), shape_only=True).says(
    "Your `db` is one number, but with axes (from `keepdim`, a sum over one axis, or a matrix"
    " product); wanted is a scalar, of shape `()`, like `b`."
)
db.mistake("db-from-dw", lambda x, dz, m: ((x @ dz.T).sum() / k for k in (1, m))).says(
    "Your `db` adds up `dw`. The bias enters every score as it is, not multiplied by pixels."
)

RETURNED = Misconception(
    "returned-not-kept",
    "You return the gradients, but `grads` keeps its old numbers: put them into `self.grads`.",
)
STORED = Misconception(
    "uses-what-forward-stored",
    "Your `backward` works with what `forward` has stored in the model, not with the `x` and `yhat`"
    " that it is given. They need not be those of the last `forward`, and in the check nothing"
    " came before it.",
)


@pytest.fixture(scope="module")
def given(suite_rng):
    """Several data sets for one model."""
    state = lesson.draw_state(suite_rng, DIM)
    return [db.draw(suite_rng, state=state, m=m) for m in SIZES]


@pytest.fixture(scope="module")
def left(student, given):
    """What `backward` of a fresh model leaves behind on each data set."""
    return ask(student, given, given, fresh=True)


@pytest.fixture(scope="module")
def in_turn(student, given):
    """What three calls of one model leave behind."""
    return ask(student, given, [given[0], *given[-2:]])


def ask(student, given, sets, **how):
    with named_where_stored(student, given):
        calls = [*map(backward, sets)]
        return student.watch(probes.lr, w=given[0]["w"], b=given[0]["b"], calls=calls, **how)


def backward(data):
    return ["backward", data["x"], data["yhat"], data["y"]]


def named_where_stored(student, given):
    """Say so where `backward` goes wrong, or raises, since `forward` was not called before it."""

    def stored(data, before):
        """Whether the gradients are those of what `forward` saw before, not of what is given."""
        calls = [["forward", before["x"]], backward(data)]
        _, left = student.run(probes.lr, w=data["w"], b=data["b"], calls=calls)
        got = torch.as_tensor(entry(left, "dw"))
        mixtures = ({**data, **{name: before[name] for name in names}} for names in STALE)
        return any(checks.is_close(got, dw.right(**in_double(each)), 1e-4) for each in mixtures)

    pairs = (given[0], given[4]), (given[1], given[3])  # of the same size
    return named_where(STORED, lambda: all(stored(*pair) for pair in pairs))


def entry(left, key):
    """What lies in `grads` under `key` after a call."""
    grads = left["grads"]
    expect(isinstance(grads, dict), "`grads` should be a dictionary with the keys `dw` and `db`.")
    expect(key in grads, "`grads` has no entry `{key}` after `backward`.", key=key)
    says = "`grads['{key}']` should be a tensor; yours is {got}."
    number = isinstance(grads[key], torch.Tensor | float)
    expect(number, says, key=key, got=checks.kind(grads[key]))
    return grads[key]


def returned_instead(left):
    """Whether the gradients were returned and `grads` left as it was."""
    parts, grads = left["returned"], left["grads"]
    parts = list(parts.values()) if isinstance(parts, dict) else parts
    first = parts[0] if isinstance(parts, list) and parts else None
    kept = grads.get("dw") if isinstance(grads, dict) else None
    return isinstance(first, torch.Tensor) and not is_near(kept, first)


def answers(left, key, given):
    """What lies under a key, beside the data sets that it came of."""
    expect(not any(map(returned_instead, left.value)), RETURNED)
    return [(entry(one, key), data) for one, data in zip(left.value, given, strict=True)]


@pytest.mark.points(5)
def test_dw(student, left, given):
    """`grads["dw"]` is the derivative of the mean loss with respect to `w`, for any batch size.

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
    with named_where_stored(student, given):
        dw.check_all(answers(left, "dw", given))


@pytest.mark.points(3)
def test_db(student, left, given):
    """`grads["db"]` is the derivative of the mean loss with respect to `b`, a scalar.

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
    got = answers(left, "db", given)
    # A difference that has stretched adds up to m times as much.
    if db.diagnosis(got) == summed and dw.diagnosis(answers(left, "dw", given)) == stretched:
        fail(stretched)
    with named_where_stored(student, given):
        db.check_all(got)


@pytest.mark.points(2)
def test_afresh(in_turn, left, given):
    """Each call starts afresh: nothing is left of the gradients before, and `w` and `b` stay.

    small = LR(2)
    with torch.no_grad():
        small.b.fill_(1.0986)
    for m in (2, 2, 4):  # m times the same picture, all m / 2, and the same answer
        x = torch.full((2, m), m / 2, device=device)
        yhat = torch.full((1, m), 0.75, device=device)
        small.backward(x, yhat, torch.zeros(1, m, device=device))
        print(small.grads["dw"].ravel().cpu(), small.grads["db"].cpu())
    #> tensor([0.7500, 0.7500]) tensor(0.7500)
    #> tensor([0.7500, 0.7500]) tensor(0.7500)
    #> tensor([1.5000, 1.5000]) tensor(0.7500)
    print(small.w.ravel().tolist(), round(small.b.item(), 4))  # as before
    #> [0.0, 0.0] 1.0986
    """
    expect_working(left)
    calls, alone = in_turn.value, left.value[-2:]
    moved = [not torch.equal(calls[-1][of].ravel(), given[0][of].ravel()) for of in ("w", "b")]
    mistake("updates-in-backward", any(moved)).says(
        "`backward` changes `w` or `b`. It only works out the gradients; the step is for"
        " `optimize`."
    )
    for key, n in product(("dw", "db"), (0, 1)):
        three = *calls[n : n + 2], alone[n]
        before, now, own = (torch.as_tensor(entry(each, key)) for each in three)
        if is_near(now, own):
            continue
        summed = before.shape == own.shape and is_near(now, before + own)
        mistake("gradients-accumulated", summed).says(
            "Your gradients pile up: each call adds to the ones before, as PyTorch's own"
            " `backward()` does. Here each call starts afresh and puts its own in place of the old."
        )
        mistake("first-call-kept", is_near(now, before)).says(
            "The second call, with other pictures, leaves the gradients of the first in place."
        )
        fail(
            "`{key}` of a second call is another one than that of a fresh model with the same data:"
            " something of the first call is left.",
            key=key,
        )


def expect_working(left):
    """Fail unless fresh models are left with finite gradients, and other data with other ones."""
    one, then = left.value[:2]
    for each, key in product((one, then), ("dw", "db")):
        value = torch.as_tensor(entry(each, key))
        expect(bool(torch.isfinite(value).all()), "`{key}` should be finite.", key=key)
    before, after = entry(one, "dw"), entry(then, "dw")
    says = "`backward` does not work yet: `dw` does not follow from the data."
    follows = before.any() and not torch.equal(before, after)
    expect(follows, says, RETURNED if returned_instead(one) else None)


@pytest.mark.points(10)
def test_by_hand(student, left, in_turn):
    """The gradients are worked out by hand: `backward` works and does not use autograd.

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
    expect_working(left)
    written = autograd_in(student.code, ["LR.backward"])
    expect_by_hand([*written, *left.autograd, *in_turn.autograd])
