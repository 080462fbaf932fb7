"""`LR.optimize`: one step downhill, whatever put the gradients into `grads`."""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, fail
from autograder.exercise.pytorch_words import Says, named_by_pytorch
from autograder.suites.manual_backward import call, draw_state, probe_lr

DIM, STEPS = 5, 3

UPHILL = Misconception(
    "gradient-ascent",
    "Your step goes uphill: the gradient points to where the loss grows, so it is subtracted.",
)
NO_RATE = Misconception(
    "lr-ignored",
    "You subtract the whole gradient: it has to be multiplied by the learning rate `lr`.",
)
RATE_TWICE = Misconception(
    "lr-twice", "The learning rate is applied twice: your step is `lr` times too long or too short."
)
DIVIDED = Misconception(
    "divides-by-lr", "You divide by the learning rate; the step is `lr` times the gradient."
)
FIXED_RATE = Misconception(
    "lr-fixed",
    "Your step uses a learning rate of 0.01 whatever `lr` is: use the model's own `lr`.",
)
COPY = Misconception(
    "updates-a-copy",
    "Nothing moves: the step changes a copy or a local name (`w = w - ...`), or its result is"
    " thrown away. The new numbers have to end up in the model itself.",
)
FORGOTTEN = Misconception(
    "one-of-two-forgotten",
    "This one stays where it was, and only the other one of `w` and `b` takes the step.",
)
REPLACED = Misconception(
    "replaced-by-step",
    "The step itself takes the place of the number: it has to be subtracted from the old one.",
)
SIGN_ONLY = Misconception(
    "sign-only",
    "Each number moves by the same length: you use only the sign of the gradient, or scale it to a"
    " fixed length.",
)
IN_GRAPH = Misconception(
    "update-within-the-graph",
    "PyTorch refuses to change a parameter in place while it takes notes for autograd. Make the"
    " step under `torch.no_grad()`, or keep plain tensors.",
)
NOT_A_PARAMETER = Misconception(
    "parameter-replaced-by-tensor",
    "Your `w` or `b` is an `nn.Parameter`, and a module refuses a plain tensor in its place. Change"
    " it in place under `torch.no_grad()`, or keep plain tensors.",
)
MOMENTUM = Misconception(
    "momentum",
    "The first step is right, but later ones carry something of the steps before. Each step here"
    " uses the present `grads` alone.",
)
SHRINKING = Misconception(
    "lr-changes",
    "The first step is right, but the learning rate is another one later: `optimize` leaves `lr`"
    " as it is.",
)
FIRST_ONLY = Misconception(
    "first-step-only", "Only the first step is made: later calls change nothing.", idle=True
)

PYTORCH_SAYS = (
    Says("RuntimeError", "leaf Variable that requires grad", IN_GRAPH),
    Says("TypeError", "torch.nn.Parameter or None expected", NOT_A_PARAMETER),
)


@pytest.fixture(scope="module")
def given(suite_rng):
    grads = [
        {"dw": draw_state(suite_rng, DIM)["w"], "db": draw_state(suite_rng, DIM)["b"]}
        for _ in range(STEPS)
    ]
    # Between 0.3 and 0.6, so that lr, its square and its reciprocal make different steps.
    lr = 0.3 + 0.3 * torch.rand((), generator=suite_rng)
    return {"lr": lr, "state": draw_state(suite_rng, DIM), "grads": grads}


def ask(student, given, steps):
    calls = [call("optimize", grads=grads) for grads in given["grads"][:steps]]
    with named_by_pytorch(*PYTORCH_SAYS):
        return student.run(probe_lr, dim=DIM, lr=given["lr"], state=given["state"], calls=calls)


@pytest.fixture(scope="module")
def one_step(student, given):
    return ask(student, given, 1)[0]


def compare(left, given, name):
    """Compare what one step made of `w` or `b`."""
    start, step = given["state"][name].double(), given["grads"][0]["d" + name].double()
    lr, got = given["lr"].double(), left[name]
    got = torch.tensor(got) if isinstance(got, float) else got
    shape = tuple(start.shape)
    if isinstance(got, torch.Tensor) and got.numel() == start.numel():
        got = got.reshape(shape)  # its shape is another test's matter
    got = checks.tensor(got, f"`{name}`", shape)
    other = "b" if name == "w" else "w"
    before, after = given["state"][other].reshape(-1), torch.as_tensor(left[other]).reshape(-1)
    still = torch.equal(before.double(), after.double())
    checks.close(
        got,
        start - lr * step,
        f"`{name}`",
        checks.roundoff(2),
        among=[
            (UPHILL, start + lr * step),
            (NO_RATE, start - step),
            (RATE_TWICE, start - lr**2 * step),
            (DIVIDED, start - step / lr),
            (FIXED_RATE, start - 0.01 * step),
            (COPY if still else FORGOTTEN, start),
            (REPLACED, lr * step),
            (REPLACED, -lr * step),
            (SIGN_ONLY, start - lr * step.sign()),
            (SIGN_ONLY, start - lr * step / step.norm()),
        ],
        message=f"After one step, `{name}` is not where it should be: `lr` times its gradient below"
        " where it was.",
        scale=float((start.abs() + step.abs()).max()),
    )


def unit(slopes):
    """The gradients of `w` and of `b`, each scaled to length 1."""
    return torch.cat([slopes[:-1] / slopes[:-1].norm(), slopes[-1:].sign()])


W = """\
small = LR(3, lr=torch.scalar_tensor(0.5))
with torch.no_grad():
    small.w.fill_(1.0)
    small.b.fill_(1.0)
small.grads["dw"] = torch.tensor([[1.0], [-2.0], [0.5]], device=device)
small.grads["db"] = torch.scalar_tensor(3.0, device=device)
small.optimize()
print(small.w.ravel().tolist())
#> [0.5, 2.0, 0.75]
"""


@pytest.mark.points(4)
@pytest.mark.example(W)
def test_w(one_step, given):
    """One step moves `w` downhill: by `lr` times `dw`."""
    compare(one_step, given, "w")


B = """\
small = LR(3, lr=torch.scalar_tensor(0.5))
with torch.no_grad():
    small.w.fill_(1.0)
    small.b.fill_(1.0)
small.grads["dw"] = torch.tensor([[1.0], [-2.0], [0.5]], device=device)
small.grads["db"] = torch.scalar_tensor(3.0, device=device)
small.optimize()
print(small.b.item())
#> -0.5
"""


@pytest.mark.points(3)
@pytest.mark.example(B)
def test_b(one_step, given):
    """The same step moves `b` downhill: by `lr` times `db`."""
    compare(one_step, given, "b")


LATER = """\
small = LR(1, lr=torch.scalar_tensor(0.5))
for slope in (1.0, 2.0, 4.0):  # each step is half of its slope
    small.grads["dw"] = torch.tensor([[slope]], device=device)
    small.grads["db"] = torch.scalar_tensor(slope, device=device)
    small.optimize()
    print(small.w.item(), small.b.item())
#> -0.5 -0.5
#> -1.5 -1.5
#> -3.5 -3.5
"""


@pytest.mark.points(3)
@pytest.mark.example(LATER)
def test_later_steps(student, given):
    """Later steps are like the first: each follows from the gradients that are there then."""
    left = ask(student, given, STEPS)
    points = []
    for each in left:
        parts = [torch.as_tensor(each[name]).double().reshape(-1) for name in ("w", "b")]
        points.append(torch.cat(parts))
    slopes = [
        torch.cat([grads["dw"].double().reshape(-1), grads["db"].double().reshape(1)])
        for grads in given["grads"]
    ]
    start = torch.cat([given["state"][name].double().reshape(-1) for name in ("w", "b")])
    moved = [later - earlier for earlier, later in zip([start, *points], points, strict=False)]
    for each in moved:
        checks.tensor(each, "`w` and `b`", (DIM + 1,))
    if not bool(moved[0].abs().max() > 0):
        fail("", because=COPY)
    # How the first step relates to its gradient is taken as it is: that is what `test_w` and
    # `test_b` judge. Later ones have to relate to theirs alike.
    factors, lr = moved[0] / slopes[0], given["lr"].double()
    for place in (1, 2):
        wanted = factors * slopes[place]
        older = [factors * slopes[before] for before in range(place)]
        decay = [0.5, 0.9, 0.99, 0.95, 0.999]
        carried = {
            rate: wanted + sum(rate ** (place - before) * older[before] for before in range(place))
            for rate in decay
        }
        checks.close(
            moved[place],
            wanted,
            "A later step",
            checks.roundoff(4),
            among=[
                (FIRST_ONLY, torch.zeros_like(wanted)),
                *((REPLACED, sign * lr * (slopes[place] - slopes[place - 1])) for sign in (1, -1)),
                (SIGN_ONLY, -lr * slopes[place].sign()),
                (SIGN_ONLY, -lr * unit(slopes[place])),
                *((MOMENTUM, value) for value in carried.values()),
                *((SHRINKING, wanted * rate**place) for rate in decay),
                *((SHRINKING, wanted / (place + 1) ** power) for power in (0.5, 1)),
            ],
            message="The first step follows from its gradients, but a later one does not follow"
            " from its own in the same way.",
            scale=float((start.abs() + slopes[0].abs() + slopes[place].abs()).max()) * 3,
        )
