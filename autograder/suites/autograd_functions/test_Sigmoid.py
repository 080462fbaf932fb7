"""`Sigmoid`: one number at a time, and a derivative that is made of what came out."""

import pytest
import torch

from autograder.exercise import away_from_zero, checks, expect
from autograder.suites.autograd_functions import probes
from autograder.suites.autograd_functions.functions import OVERFLOW, Function

sigmoid = Function(
    "Sigmoid",
    lambda x: torch.sigmoid(x),
    lambda rng: {"x": away_from_zero(rng, 0.3, 2, 3, 4)},
    by=("x",),
    also=lambda x: {"s": torch.sigmoid(x)},
)
forward, gradient = sigmoid.forward, sigmoid.gradients["x"]

forward.mistake("sigmoid-mirrored", lambda s: 1 - s).says(
    "Your sigmoid falls where it should rise: look at the sign in the exponent."
)
sigmoid.mistake("tanh", lambda x: torch.tanh(x)).says(
    "Yours is the hyperbolic tangent, which goes from -1 to 1; the sigmoid goes from 0 to 1."
)
forward.mistake("sigmoid-derivative", lambda s: s * (1 - s)).says(
    "What comes out of `forward` is the derivative of the sigmoid; that is for `backward`."
)
gradient.mistake("input-for-output", lambda g, x: g * x * (1 - x)).says(
    "You put the input into `s * (1 - s)`, where s is the sigmoid of it: what came out."
)
gradient.mistake("sigmoid-twice", lambda g, s: g * s.sigmoid() * (1 - s.sigmoid())).says(
    "Your `backward` takes the sigmoid of what is one already."
)
gradient.mistake("half-of-the-slope", lambda g, s: g * s, lambda g, s: g * (1 - s)).says(
    "One factor of the slope `s * (1 - s)` is missing."
)


@pytest.mark.points(3)
def test_forward(student, rng):
    """`Sigmoid.apply(x)` is `1 / (1 + exp(-x))` of each number, of the type of `x`.

    y = Sigmoid.apply(torch.tensor([[0.0, 1.0, -2.0]], dtype=torch.float64))
    print([round(number, 9) for number in y[0].tolist()], y.dtype)
    #> [0.5, 0.731058579, 0.119202922] torch.float64
    print(Sigmoid.apply(torch.ones(3)).dtype)
    #> torch.float32
    """
    sigmoid.check_forward(student, rng)


@pytest.mark.points(3)
def test_gradient(student, rng):
    """`backward` multiplies what comes in by the slope, number by number.

    x = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    y = Sigmoid.apply(x)
    (gradient,) = torch.autograd.grad(y, x, torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64))
    print([round(number, 9) for number in gradient.tolist()], type(y.grad_fn).__name__)
    #> [0.25, 0.393223866, -0.104993585] SigmoidBackward
    """
    sigmoid.check_gradient(student, rng, "x")


@pytest.mark.points(1)
def test_extreme(student):
    """For x = 1000 and x = -1000 all is finite: 1 and 0 come out, and the gradient is 0.

    x = torch.tensor([1000.0, -1000.0, 0.0], requires_grad=True)
    y = Sigmoid.apply(x)
    print(y.tolist(), torch.autograd.grad(y.sum(), x)[0].abs().tolist())
    #> [1.0, 0.0, 0.5] [0.0, 0.0, 0.25]
    """
    x = torch.tensor([1000.0, -1000.0])
    got = sigmoid.ask(student, probes.whole, inputs={"x": x, "g": torch.ones(2)})["numbers"]
    expect(bool(got.isfinite().all()), OVERFLOW)
    near = checks.is_close(got[:2], [1.0, 0.0], 1e-6, scale=1.0)
    expect(near, "At ±1000 the sigmoid is 1 and 0, as far as can be told; yours is not.")


@pytest.mark.points(2)
def test_second(student, rng):
    """The gradient can be differentiated again: the second derivative is right.

    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(Sigmoid.apply(x).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    print([round(number, 9) for number in bend.tolist()])
    #> [-0.090857748, 0.079962501]
    """
    sigmoid.check_second(student, rng)


@pytest.mark.points(1)
def test_saved(student, rng):
    """Tensors wait for `backward` in `ctx.save_for_backward` alone; what was given stays as it was.

    def goes_well(between, twice=False):
        x, g = torch.tensor([2.0, -2.0]).requires_grad_(), torch.ones(2)
        y = Sigmoid.apply(x)
        with torch.no_grad():
            between(x, y)
        try:
            (found,) = torch.autograd.grad(y, x, g)
            if twice:
                torch.autograd.grad(y, x, g)
        except RuntimeError as error:  # PyTorch has noticed
            return "inplace" in str(error) or "second time" in str(error)
        kept = between != nothing or (x.tolist(), g.tolist()) == ([2.0, -2.0], [1.0, 1.0])
        return not twice and kept and [round(n, 3) for n in found.tolist()] == [0.105, 0.105]

    def nothing(x, y):
        pass

    print(goes_well(nothing), goes_well(nothing, twice=True))
    #> True True
    changes = (lambda x, y: x.add_(1)), (lambda x, y: y.mul_(2))
    print(goes_well(lambda x, y: Sigmoid.apply(x + 1)), [goes_well(each) for each in changes])
    #> True [True, True]
    """
    sigmoid.check_saved(student, rng)
