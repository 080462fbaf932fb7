"""`LR.sigmoid`: 1 / (1 + e^-z) of each number, also of very large and very small ones."""

import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.suites.manual_backward import call, draw_state, probe_lr, sigmoid

FLIPPED = Misconception(
    "sigmoid-mirrored",
    "Your sigmoid falls where it should rise: a large score has to give a probability near 1. Look"
    " at the sign in the exponent.",
)
TANH = Misconception(
    "tanh",
    "Yours is the hyperbolic tangent, which goes from -1 to 1; a probability lies between 0 and 1.",
)
SOFTMAX = Misconception(
    "softmax",
    "Yours is a softmax: the numbers are compared with each other, and add up to 1. The sigmoid"
    " looks at each number alone.",
)
TWICE = Misconception(
    "sigmoid-twice", "You apply the sigmoid twice: all numbers end up between 0.5 and 0.74."
)
DERIVATIVE = Misconception(
    "sigmoid-derivative",
    "Yours is the derivative of the sigmoid: it is largest at 0, and never above 0.25.",
)
NO_ONE = Misconception(
    "exponential",
    "Yours is an exponential alone: it grows beyond 1. Look at the fraction again.",
)
BASE_TWO = Misconception(
    "power-of-two", "Your curve is too flat or too steep: the base of the power is e (`torch.exp`)."
)
OVERFLOW = Misconception(
    "exp-overflow",
    "For z = 100 you get `nan`: `exp(100)` is infinite in float32, and infinity divided by infinity"
    " is not a number. Write the fraction such that a large number stands in one place only.",
)
CUT_OFF = Misconception(
    "cut-off",
    "You cut z off too early: at ±100 the sigmoid is 1 and 0, as far as float32 can tell.",
)


def ask(student, z):
    state = draw_state(torch.Generator().manual_seed(0), 4)
    lr = torch.tensor(0.1)
    return student.run(probe_lr, dim=4, lr=lr, state=state, calls=[call("sigmoid", z)])[0][
        "returned"
    ]


def mistakes(z):
    """What known mistakes make of z."""
    right, z = sigmoid(z), z.double()
    return [
        (FLIPPED, 1 - right),
        (TANH, torch.tanh(z)),
        *((SOFTMAX, torch.softmax(z, dim)) for dim in range(z.dim())),
        (TWICE, sigmoid(right)),
        (DERIVATIVE, right * (1 - right)),
        (NO_ONE, torch.exp(z)),
        (NO_ONE, torch.exp(-z)),
        (BASE_TWO, 1 / (1 + 2.0**-z)),
        (BASE_TWO, 1 / (1 + 10.0**-z)),
    ]


MODERATE = """\
z = torch.tensor([[0.0, 1.0, -1.0], [2.0, -2.0, 5.0]])
print(LR(4).sigmoid(z))
#> tensor([[0.5000, 0.7311, 0.2689],
#>         [0.8808, 0.1192, 0.9933]])
print(LR(4).sigmoid(z[0]), LR(4).sigmoid(z.reshape(1, 2, 3)).shape)
#> tensor([0.5000, 0.7311, 0.2689]) torch.Size([1, 2, 3])
"""


@pytest.mark.points(3)
@pytest.mark.example(MODERATE)
@pytest.mark.parametrize(
    "shape", [(1, 9), (4, 3), (131,), (2, 3, 4)], ids=["row", "table", "one axis", "three axes"]
)
def test_values(student, rng, shape):
    """`sigmoid(z)` is `1 / (1 + exp(-z))` of each number; the shape stays."""
    sign = torch.randint(2, shape, generator=rng) * 2.0 - 1
    z = sign * (0.2 + 3 * torch.rand(shape, generator=rng))
    got = checks.tensor(ask(student, z), "`sigmoid(z)`", shape)
    expect(got.dtype.is_floating_point, "`sigmoid(z)` should hold floating-point numbers.")
    wanted = sigmoid(z)
    among = mistakes(z)
    checks.close(got, wanted, "`sigmoid(z)`", checks.roundoff(1, 2), among, scale=1.0)


EXTREME = """\
z = torch.tensor([[100.0, -100.0, 300.0, -300.0, 0.0]])
print([round(answer, 4) for answer in LR(4).sigmoid(z)[0].tolist()])
#> [1.0, 0.0, 1.0, 0.0, 0.5]
"""


@pytest.mark.points(2)
@pytest.mark.example(EXTREME)
def test_extreme(student):
    """For z = 100 and z = -100 the answers are 1 and 0, and finite."""
    z = torch.tensor([[100.0, -100.0, 0.0, -300.0, 300.0]])
    got = ask(student, z)
    expect(isinstance(got, torch.Tensor), f"A tensor was expected; yours is {checks.kind(got)}.")
    expect(got.numel() == 5, "There should be one answer for each number of z.")
    got = got.reshape(-1).double()
    if bool(torch.isnan(got).any()):
        fail("Some answers are `nan`.", OVERFLOW if bool(torch.isnan(got[[0, 4]]).any()) else None)
    wanted = torch.tensor([1, 0, 0.5, 0, 1], dtype=torch.float64)
    if checks.is_close(got, wanted, 1e-6, scale=1.0):
        return
    among = [(mistake, value.reshape(-1)) for mistake, value in mistakes(z)]
    because = checks.diagnose(checks.Compared(got, wanted, among, 1e-6, 1.0))
    if because is None and checks.is_close(got, wanted, 0.1, scale=1.0):
        because = CUT_OFF
    fail("The answers for very large and very small z are not 1 and 0.", because)
