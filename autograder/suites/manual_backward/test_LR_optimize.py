"""`LR.optimize`: one step downhill, whatever put the gradients into `grads`."""

import pytest
import torch

from autograder.exercise import Formula, Misconception, Says, between, checks, expect, fail
from autograder.exercise.pytorch_words import named_by_pytorch
from autograder.suites.manual_backward import draw_state, probes, reshaped

DIM, STEPS = 5, 3
DECAY = (0.5, 0.9, 0.95, 0.99, 0.999)


def flat(state):
    """The numbers of `w` and `b` in one vector."""
    return torch.cat([torch.as_tensor(state[of]).double().reshape(-1) for of in ("w", "b")])


def move(before, after):
    return checks.tensor(flat(after), "`w` and `b`", (DIM + 1,)) - flat(before)


def draw(rng, of="w", lr=None, still=False):
    """Where `w` or `b` is, its gradient, and whether the other one stays where it is."""
    start, slope = (draw_state(rng, DIM)[of] for _ in range(2))
    # So that lr, its square and its reciprocal make different steps.
    lr = between(rng, 0.3, 0.6) if lr is None else lr
    return {"of": of, "start": start, "slope": slope, "lr": lr, "still": still}


step = Formula(
    "`{of}`",
    draw=draw,
    reference=lambda start, slope, lr: start - lr * slope,
    terms=2,
    size=lambda start, slope: start.abs() + slope.abs(),
    take=reshaped,
    message="After one step, `{of}` is not where it should be: `lr` times its gradient below where"
    " it was.",
    cases=[{}, {"of": "b"}, {"still": True}, {"of": "b", "still": True}],
)
step.mistake("gradient-ascent", lambda start, slope, lr: start + lr * slope).says(
    "Your step goes uphill: the gradient points to where the loss grows, so it is subtracted."
)
step.mistake("lr-ignored", lambda start, slope: start - slope).says(
    "You subtract the whole gradient: it has to be multiplied by the learning rate `lr`."
)
step.mistake("lr-twice", lambda start, slope, lr: start - lr**2 * slope).says(
    "The learning rate is applied twice: your step is `lr` times too long or too short."
)
step.mistake("divides-by-lr", lambda start, slope, lr: start - slope / lr).says(
    "You divide by the learning rate; the step is `lr` times the gradient."
)
step.mistake("lr-fixed", lambda start, slope: start - 0.01 * slope).says(
    "Your step uses a learning rate of 0.01 whatever `lr` is: use the model's own `lr`."
)
copied = step.mistake(
    "updates-a-copy", lambda start, still: (start for _ in range(still)), idle=True
).says(
    "Nothing moves: the step changes a copy or a local name (`w = w - ...`), or its result is"
    " thrown away. The new numbers have to end up in the model itself."
)
step.mistake(
    "one-of-two-forgotten", lambda start, still: (start for _ in range(not still)), idle=True
).says("This one stays where it was, and only the other one of `w` and `b` takes the step.")
replaced = step.mistake(
    "replaced-by-step", lambda slope, lr: (sign * lr * slope for sign in (1, -1))
).says("The step itself takes the place of the number: it has to be subtracted from the old one.")
sign_only = step.mistake(
    "sign-only",
    lambda start, slope, lr: (start - lr * each for each in (slope.sign(), slope / slope.norm())),
).says(
    "Each number moves by the same length: you use only the sign of the gradient, or scale it to a"
    " fixed length."
)


# How a fresh model steps is taken as it is: that is what `test_w` and `test_b` judge. A later step
# has to be the same for the same gradients.
later = Formula(
    "A later step",
    draw=lambda rng, n: {"steps": [flat(draw_state(rng, DIM)) for _ in range(n)]},
    reference=lambda steps: steps[-1],
    terms=4,
    size=lambda: 4.0,
    message="The first step follows from its gradients, but a later one does not follow from its"
    " own in the same way.",
    margin=5e-4,
    cases=[{"n": 2}, {"n": 3}],
)
later.mistake(
    "momentum",
    lambda steps: (sum(r**age * each for age, each in enumerate(steps[::-1])) for r in DECAY),
).says(
    "The first step is right, but later ones carry something of the steps before. Each step here"
    " uses the present `grads` alone."
)
later.mistake(
    "lr-changes",
    lambda steps: (rate ** (len(steps) - 1) * steps[-1] for rate in DECAY),
    lambda steps: (steps[-1] / len(steps) ** power for power in (0.5, 1)),
).says(
    "The first step is right, but the learning rate is another one later: `optimize` leaves `lr`"
    " as it is."
)
later.mistake("first-step-only", lambda steps: 0 * steps[-1], idle=True).says(
    "Only the first step is made: later calls change nothing."
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
PYTORCH_SAYS = (
    Says("RuntimeError", "leaf Variable that requires grad", IN_GRAPH),
    Says("TypeError", "torch.nn.Parameter or None expected", NOT_A_PARAMETER),
)


@pytest.fixture(scope="module")
def given(suite_rng):
    """What `w` and `b` start from, and their gradients: several times, for one learning rate."""
    lr = between(suite_rng, 0.3, 0.6)
    return [{of: step.draw(suite_rng, of=of, lr=lr) for of in ("w", "b")} for _ in range(STEPS)]


def ask(student, given):
    """What steps with those gradients leave behind, one after the other, from the first start."""
    calls = [["optimize", *(each[of]["slope"] for of in each)] for each in given]
    start = {of: each["start"] for of, each in given[0].items()}
    with named_by_pytorch(*PYTORCH_SAYS):
        return student.run(probes.lr, **start, calls=calls, lr=given[0]["w"]["lr"])


@pytest.fixture(scope="module")
def single_steps(student, given):
    return [ask(student, [each])[0] for each in given]


def moved(single_steps, given, of):
    """What single steps made of `w` or `b`, with their inputs."""
    other = "b" if of == "w" else "w"
    for left, inputs in zip(single_steps, given, strict=True):
        still = torch.equal(left[other].ravel(), inputs[other]["start"].ravel())
        yield left[of], {**inputs[of], "still": still}


@pytest.mark.points(4)
def test_w(single_steps, given):
    """One step moves `w` downhill: by `lr` times `dw`.

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
    step.check_all(moved(single_steps, given, "w"))


@pytest.mark.points(3)
def test_b(single_steps, given):
    """The same step moves `b` downhill: by `lr` times `db`.

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
    step.check_all(moved(single_steps, given, "b"))


@pytest.mark.points(3)
def test_later_steps(student, single_steps, given):
    """Later steps are like the first: each follows from the gradients that are there then.

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
    known = step.diagnosis(moved(single_steps, given, "w"))
    if known in (replaced, sign_only):  # no step that could go on from another
        fail(known)
    starts = [{of: inputs["start"] for of, inputs in each.items()} for each in given]
    places = [starts[0], *ask(student, given)]
    steps, alone = [*map(move, places, places[1:])], [*map(move, starts, single_steps)]
    expect(bool(steps[0].any()), copied)
    later.check_all((steps[n], {"steps": alone[: n + 1]}) for n in range(1, STEPS))
