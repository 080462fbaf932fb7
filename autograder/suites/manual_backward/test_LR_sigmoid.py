"""`LR.sigmoid`: 1 / (1 + e^-z) of each number, also of very large and very small ones."""

import pytest
import torch

from autograder.exercise import Formula, Misconception, away_from_zero, checks, expect
from autograder.suites.manual_backward import returned, sigmoid

SHAPES = {"row": (1, 9), "table": (4, 3), "one axis": (131,), "three axes": (2, 3, 4)}

curve = Formula(
    "`sigmoid(z)`",
    draw=lambda rng, shape: {"z": away_from_zero(rng, 0.2, 3.2, *shape)},
    reference=sigmoid,
    also=lambda z: {"right": sigmoid(z)},
    steps=2,
    size=lambda: 1.0,
    cases=[{"shape": shape} for shape in SHAPES.values()],
)
curve.mistake("sigmoid-mirrored", lambda right: 1 - right).says(
    "Your sigmoid falls where it should rise: a large score has to give a probability near 1. Look"
    " at the sign in the exponent."
)
curve.mistake("tanh", lambda z: torch.tanh(z)).says(
    "Yours is the hyperbolic tangent, which goes from -1 to 1; a probability lies between 0 and 1."
)
curve.mistake("softmax", lambda z: (torch.softmax(z, axis) for axis in range(z.dim()))).says(
    "Yours is a softmax: the numbers are compared with each other, and add up to 1. The sigmoid"
    " looks at each number alone."
)
curve.mistake("sigmoid-twice", lambda right: sigmoid(right)).says(
    "You apply the sigmoid twice: all numbers end up between 0.5 and 0.74."
)
curve.mistake("sigmoid-derivative", lambda right: right * (1 - right)).says(
    "Yours is the derivative of the sigmoid: it is largest at 0, and never above 0.25."
)
curve.mistake("exponential", lambda z: torch.exp(z), lambda z: torch.exp(-z)).says(
    "Yours is an exponential alone: it grows beyond 1. Look at the fraction again."
)
curve.mistake("power-of-two", lambda z: (1 / (1 + base**-z) for base in (2.0, 10.0))).says(
    "Your curve is too flat or too steep: the base of the power is e (`torch.exp`)."
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


@pytest.mark.points(3)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_values(student, rng, shape):
    """`sigmoid(z)` is `1 / (1 + exp(-z))` of each number; the shape stays.

    z = torch.tensor([[0.0, 1.0, -1.0], [2.0, -2.0, 5.0]])
    print(LR(4).sigmoid(z))
    #> tensor([[0.5000, 0.7311, 0.2689],
    #>         [0.8808, 0.1192, 0.9933]])
    print(LR(4).sigmoid(z[0]), LR(4).sigmoid(z.reshape(1, 2, 3)).shape)
    #> tensor([0.5000, 0.7311, 0.2689]) torch.Size([1, 2, 3])
    """
    inputs = curve.draw(rng, shape=shape)
    curve.check(returned(student, "sigmoid", inputs["z"]), **inputs)


@pytest.mark.points(2)
def test_extreme(student):
    """For z = 100 and z = -100 the answers are 1 and 0, and finite.

    z = torch.tensor([[100.0, -100.0, 300.0, -300.0, 0.0]])
    print([round(answer, 4) for answer in LR(4).sigmoid(z)[0].tolist()])
    #> [1.0, 0.0, 1.0, 0.0, 0.5]
    """
    z = torch.tensor([[100.0, -100.0, 0.0, -300.0, 300.0]])
    got = returned(student, "sigmoid", z)
    is_tensor = isinstance(got, torch.Tensor)
    expect(is_tensor, "A tensor was expected; yours is {got}.", got=checks.kind(got))
    expect(got.numel() == 5, "There should be one answer for each number of z.")
    undefined = got.reshape(z.shape).isnan()
    overflow = OVERFLOW if undefined[z >= 100].any() else None
    expect(not undefined.any(), "Some answers are `nan`.", overflow)
    compared = curve.compared(got.reshape(z.shape).double().nan_to_num(), z=z)
    nearly = CUT_OFF if checks.is_close(compared.got, compared.wanted, 0.1, 1.0) else None
    says = "The answers for very large and very small z are not 1 and 0."
    expect(compared.right, says, checks.diagnose(compared) or nearly)
