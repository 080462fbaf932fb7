"""`numerical_gradient`: central differences, one number of `x` at a time, `x` as it was."""

from functools import partial

import pytest
import torch

from autograder.exercise import Formula, Misconception, away_from_zero, between, checks, expect
from autograder.exercise.attempts import named_where
from autograder.suites.autograd_functions import probes


def draw(rng):
    """A large `eps`, at which every way of taking differences comes to something else."""
    x, coefficients = away_from_zero(rng, 0.5, 2, 3, 4), away_from_zero(rng, 0.5, 1.5, 12)
    return {"x": x, "coefficients": coefficients, "eps": float(between(rng, 0.3, 0.5, 1))}


def differences(x, coefficients, eps, above=1, below=-1, kept=0.0):
    """The differences for each number of `x`; those that had their turn stay off by `kept`."""
    one = eps * torch.eye(x.numel(), dtype=x.dtype)
    start = x.flatten() + kept * one.cumsum(0).tril(-1)

    def at(k):
        return torch.stack([probes.polynomial(row, coefficients) for row in start + k * one])

    return (at(above) - at(below)).reshape(x.shape)


def also(x, coefficients, eps):
    slopes = partial(differences, x.double(), coefficients.double())
    ends = [probes.polynomial(x.double() + k * eps, coefficients.double()) for k in (1, -1)]
    return {"right": slopes(eps) / (2 * eps), "slopes": slopes, "together": ends[0] - ends[1]}


gradient = Formula(
    "`numerical_gradient(f, x, eps)`",
    draw=draw,
    also=also,
    reference=lambda right: right,
    within=1e-6,
)
gradient.mistake(
    "one-sided", lambda slopes, eps: (slopes(eps, *to) / eps for to in ((1, 0), (0, -1)))
).says(
    "Your differences are one-sided: they compare with f(x) itself. Central differences go `eps` to"
    " both sides, and their error is far smaller."
)
gradient.mistake("divided-by-eps", lambda right: 2 * right).says(
    "Your gradient is twice as large: from `x - eps` to `x + eps` it is `2 * eps`."
)
gradient.mistake("not-divided", lambda right, eps: right * 2 * eps).says(
    "Yours are the differences; divided by the distance, they would be slopes."
)
gradient.mistake("missing-brackets", lambda right, eps: right * eps**2).says(
    "Brackets are missing: `/ 2 * eps` divides by 2 and then multiplies by `eps`."
)
gradient.mistake(
    "eps-ignored", lambda slopes: (slopes(own) / (2 * own) for own in (1e-6, 1e-5, 1e-4, 1e-3))
).says("The argument `eps` has no effect: you take a step of your own.")
gradient.mistake("half-a-step", lambda slopes, eps: slopes(eps, 0.5, -0.5) / eps).says(
    "You go half of `eps` to each side; wanted is `eps` to each side."
)
gradient.mistake("sign-flipped", lambda right: -right).says(
    "The sign is flipped: it is the value above minus the one below."
)
gradient.mistake(
    "numbers-not-put-back", lambda slopes, eps: (slopes(eps, 1, -1, k) / (2 * eps) for k in (1, -1))
).says(
    "A number of `x` that has had its turn is not put back before the next one has its own: the"
    " slopes are those of another place."
)
gradient.mistake(
    "all-at-once", lambda right, together, eps: torch.full_like(right, float(together) / (2 * eps))
).says(
    "You move all numbers of `x` at once: that is one slope, in one direction. Each number has a"
    " slope of its own."
)

FLAT_COPY = Misconception(
    "flat-view-or-copy",
    "With an `x` that is transposed in memory it goes wrong: `view` refuses it, and `flatten` and"
    " `reshape` make a copy, so that a change in it does not reach `x`.",
)
OTHER_SHAPE = "`f` should be given tensors of the shape of `x`; yours gives it another one."


@pytest.mark.points(7)
def test_values(student, rng):
    """Central differences: `(f(x + eps) - f(x - eps)) / (2 * eps)` for each number of `x`.

    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)
    gradient = numerical_gradient(lambda x: (x**3).sum() + x[0, 0] * x[1, 1], x, eps=0.25)
    print([[round(number, 9) for number in row] for row in gradient.tolist()], gradient.dtype)
    #> [[2.0625, 12.0625], [27.0625, 4.0625]] torch.float64
    """
    inputs = gradient.draw(rng)
    got = student.run(probes.numerical, **inputs)["gradient"]
    gradient.check(got, **inputs)
    expect(got.dtype == torch.float64, "The gradient of a float64 `x` should be float64, too.")


@pytest.mark.points(3)
@pytest.mark.parametrize("shape", [(), (12,), (2, 3, 2)], ids=str)
def test_shapes(student, rng, shape):
    """`x` may have any shape, and the gradient has the same.

    for shape in ((), (4,), (1, 2, 1)):
        x = torch.arange(1.0, 1 + torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)
        gradient = numerical_gradient(lambda at: (at**2).sum() * (at.shape == x.shape), x)
        print(tuple(gradient.shape), [round(slope, 4) for slope in gradient.flatten().tolist()])
    #> () [2.0]
    #> (4,) [2.0, 4.0, 6.0, 8.0]
    #> (1, 2, 1) [2.0, 4.0]
    """
    inputs = gradient.draw(rng)
    if not shape:
        inputs = {**inputs, "x": inputs["x"][:1, :1], "coefficients": inputs["coefficients"][:1]}
    wanted = student.run(probes.numerical, **inputs)["gradient"]
    inputs["x"] = inputs["x"].reshape(shape)
    found = student.run(probes.numerical, **inputs)
    expect(found["shapes"] in ([], [list(shape)]), OTHER_SHAPE)
    got = checks.tensor(found["gradient"], gradient.name, shape)
    same = checks.is_close(got.flatten(), wanted.flatten(), 1e-9)
    expect(same, "In an `x` of another shape, the same numbers come to another gradient.")


@pytest.mark.points(2)
def test_layout(student, rng):
    """`x` may be transposed in memory, so that its rows are not one after the other.

    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64).T
    gradient = numerical_gradient(lambda x: (x**2).sum(), x)
    print([[round(slope, 4) for slope in row] for row in gradient.tolist()])
    #> [[2.0, 6.0], [4.0, -2.0]]
    """
    inputs = gradient.draw(rng)
    wanted = student.run(probes.numerical, **inputs)["gradient"]
    with named_where(FLAT_COPY):
        got = student.run(probes.numerical, turned=True, **inputs)["gradient"]
        expect(checks.is_close(got, wanted, 1e-9), FLAT_COPY)


@pytest.mark.points(3)
def test_x_kept(student, rng):
    """`x` is afterwards as it was.

    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)
    numerical_gradient(lambda x: (x**2).sum(), x, eps=0.5)
    print([[round(number, 9) for number in row] for row in x.tolist()])
    #> [[1.0, 2.0], [3.0, -1.0]]
    """
    found = student.run(probes.numerical, **gradient.draw(rng) | {"eps": None})
    changed = not checks.is_close(found["after"], found["before"], 1e-9)
    checks.mistake("x-left-changed", changed).says(
        "Your function leaves `x` changed. Who asks for a gradient wants to go on with the same"
        " `x`: work on a copy, or put each number back as it was."
    )
