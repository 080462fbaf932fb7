"""`MyLinear`: registered parameters of the right form and distribution, and what it computes."""

from functools import partial

import pytest
import torch
from torch import Tensor

from autograder.exercise import Formula, Misconception, Text, away_from_zero, checks, expect
from autograder.exercise.checks import mistake
from autograder.exercise.distributions import standard_normal
from autograder.exercise.leading import check_leading
from autograder.exercise.student import StudentError
from autograder.suites.parameters import probes, run

linear = Formula(
    "`forward(x)`",
    draw=lambda rng, rows=24: {
        "x": torch.randn(rows, 5, generator=rng),
        "weights": torch.randn(5, 3, generator=rng),
        "bias": away_from_zero(rng, 0.5, 1.5, 3),
    },
    reference=lambda x, weights, bias: x @ weights + bias,
    terms=5,
    size=lambda x, weights, bias: x.abs() @ weights.abs() + bias.abs(),
    cases=[{}, {"rows": 131}],
)
linear.mistake("bias-ignored", lambda x, weights: x @ weights).says(
    "Your `forward` leaves the bias out: the result is `x @ weights` alone."
)
linear.mistake("bias-twice", lambda x, weights, bias: x @ weights + 2 * bias).says(
    "Your `forward` adds the bias twice."
)
linear.mistake("bias-subtracted", lambda x, weights, bias: x @ weights - bias).says(
    "Your `forward` subtracts the bias; it is added."
)
linear.mistake("relu-in-layer", lambda x, weights, bias: torch.relu(x @ weights + bias)).says(
    "Your layer cuts off negative results. A linear layer has no ReLU of its own: what stands"
    " between two layers is the network's matter (section 5)."
)

start = standard_normal(
    Misconception(
        "constant-start",
        "All numbers of `weights` or of `bias` start the same, as `torch.zeros` and `torch.ones`"
        " make them. Both should be random: a layer whose columns start the same also learns them"
        " the same.",
    ),
    cases=[{}, {"n": 23 * 997}],
)
ONLY_MATRICES = Misconception(
    "matrices-only",
    "Your `forward` takes matrices alone. `@` works on the last axis of an input with any number"
    " of axes; `torch.mm`, `.T` and an `einsum` with two fixed letters do not.",
)
SHAPES = {"weights": (5, 3), "bias": (3,)}
NO_NUMBERS = "Your layer has no attribute `{name}` with numbers in it."


def forward(student, **inputs):
    return run(student, probes.linear, **inputs)["forward"]


@pytest.mark.points(5)
def test_shapes(student):
    """`weights` is `(in_features, out_features)`, `bias` is `(out_features,)`, both float32, and
    `in_features` and `out_features` are kept.

    layer = MyLinear(3, 2)
    print(layer.in_features, layer.out_features)
    #> 3 2
    print(layer.weights.shape, layer.weights.dtype)
    #> torch.Size([3, 2]) torch.float32
    print(layer.bias.shape, layer.bias.dtype)
    #> torch.Size([2]) torch.float32
    """
    found = run(student, probes.layer, sizes=[5, 3])
    weights = found["weights"]["attribute"]
    mistake("weights-transposed", isinstance(weights, Tensor) and weights.shape == (3, 5)).says(
        "Your `weights` are the other way round: `(out_features, in_features)`, as `nn.Linear`"
        " keeps them. Here one column belongs to one output: `(in_features, out_features)`."
    )
    for name, shape in SHAPES.items():
        numbers = found[name]["attribute"]
        expect(numbers is not None, NO_NUMBERS, name=name)
        checks.tensor(numbers, Text("`{name}`", name=name), shape, torch.float32)
    expect(
        found["sizes"] == [5, 3],
        "`in_features` and `out_features` should be attributes: the two numbers given to the"
        " constructor.",
    )


@pytest.mark.points(8)
def test_registered(student):
    """`parameters()` holds the weights and the bias, ready to be trained, and nothing else.

    layer = MyLinear(3, 2)
    print(sorted((list(each.shape), each.requires_grad) for each in layer.parameters()))
    #> [([2], True), ([3, 2], True)]
    """
    found = run(student, probes.layer, sizes=[5, 3])
    for name in SHAPES:
        there, how = isinstance(found[name]["used"], Tensor), found[name]["how"]
        expect(there, "Your layer has no `{name}` that could be registered.", name=name)
        mistake("parameters-as-buffers", how == "buffer").says(
            "`weights` or `bias` is a buffer: saved and moved with the module, but never trained."
            " Numbers that are to be learned are an `nn.Parameter`."
        )
        mistake("parameters-in-a-list", how == "contained").says(
            "Your numbers are in a Python list or dict, and a module does not look inside those:"
            " `parameters()` misses them. Make `weights` and `bias` attributes of the module"
            " itself."
        )
        mistake("plain-tensor", how == "plain").says(
            "`weights` or `bias` is a plain tensor. A module registers only what is an"
            " `nn.Parameter`, so `parameters()` does not see yours and no optimizer would train it."
            " See section 1."
        )
    expect(
        len(found["parameters"]) == 2,
        "`parameters()` should hold the weights and the bias alone; yours holds {number} tensors."
        " Each is trained and saved: is one of them left over?",
        number=len(found["parameters"]),
    )
    mistake("frozen-from-the-start", not all(found[name]["trained"] for name in SHAPES)).says(
        "Your parameters are registered, but with `requires_grad=False`: they get no gradient, so"
        " training would leave them as they are."
    )
    saved = "`state_dict()` should hold `weights` and `bias`: otherwise they are not saved."
    expect(found["state"] >= 2, saved)


@pytest.mark.points(4)
@pytest.mark.parametrize("name", SHAPES)
def test_standard_normal(student, rng, name):
    """`weights` and `bias` start as random numbers of a standard normal distribution.

    layer = MyLinear(50, 20_000)
    for numbers in layer.weights, layer.bias:  # mean, standard deviation, are a few far out?
        print(f"{numbers.mean().abs():.1f} {numbers.std():.1f} {numbers.abs().max() > 3}")
    #> 0.0 1.0 True
    #> 0.0 1.0 True
    print(f"{layer.weights.std(dim=0).mean():.1f} {layer.weights.std(dim=1).mean():.1f}")
    #> 1.0 1.0
    """
    value = run(student, probes.layer, sizes=[23, 997])[name]["used"]
    expect(isinstance(value, Tensor), NO_NUMBERS, name=name)
    checks.tensor(value, Text("`{name}`", name=name), tuple(value.shape))
    start.check(value, **start.draw(rng, what=name))


@pytest.mark.points(5)
def test_forward(student, rng):
    """`forward(x)` of a matrix with one sample a row is `x @ weights + bias`.

    layer = MyLinear(3, 2)
    with torch.no_grad():
        layer.weights.copy_(torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]))
        layer.bias.copy_(torch.tensor([10.0, -20.0]))
    y = layer(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, -10.0]]))
    print(y.dtype, y.tolist())  # first the bias alone, then with the first row of the weights
    #> torch.float32 [[10.0, -20.0], [11.0, -16.0], [-17.0, -71.0]]
    """
    inputs = linear.draw(rng, rows=131)  # more than the constants that people write
    got = forward(student, **inputs)
    checks.tensor(got, linear.name, (131, 3), torch.float32)
    linear.check(got, **inputs)


@pytest.mark.points(2)
@pytest.mark.parametrize("leading", [(6, 4), (4, 2, 3), ()], ids=["3 axes", "4 axes", "1 axis"])
def test_leading_shapes(student, rng, leading):
    """`forward(x)` takes any leading shape, none included, and does with each row what it does in
    a matrix.

    layer = MyLinear(3, 2)
    x = torch.randn(4, 5, 3)
    print(layer(x[0, 0]).shape, layer(x).shape, layer(x.reshape(2, 2, 5, 3)).shape)
    #> torch.Size([2]) torch.Size([4, 5, 2]) torch.Size([2, 2, 5, 2])
    print(torch.allclose(layer(x)[3, 1], layer(x[3])[1], atol=1e-5))  # a row is a row
    #> True
    """
    check_leading(leading, linear, linear.draw(rng), partial(forward, student), ONLY_MATRICES)


@pytest.mark.points(2)
def test_gradient(student, rng):
    """`backward()` reaches what `forward` used: the weights and the bias can learn.

    layer = MyLinear(3, 2)
    layer(torch.ones(4, 3)).sum().backward()
    print(layer.weights.grad)
    #> tensor([[4., 4.],
    #>         [4., 4.],
    #>         [4., 4.]])
    print(layer.bias.grad)
    #> tensor([4., 4.])
    """
    found = run(student, probes.linear, **linear.draw(rng))
    y, kind = found["forward"], checks.kind(found["forward"])
    expect(isinstance(y, Tensor), "`forward(x)` should be a tensor; yours is {kind}.", kind=kind)
    expect(found["holds"], "Your layer holds no numbers that `backward()` could reach.")
    mistake("gradient-cut", found["cut"]).says(
        "The result of your `forward` has lost its connection to `weights` or `bias`, so"
        " `backward()` cannot reach them and nothing would be learned. Usual causes: `.data`,"
        " `.detach()`, `.numpy()`, `torch.tensor(...)` or `torch.no_grad()` in `forward`."
    )


@pytest.mark.points(4)
def test_without_bias(student, rng):
    """With `bias=False` the attribute `bias` is `None`, and nothing is added.

    layer = MyLinear(3, 2, bias=False)
    print(layer.bias, [list(each.shape) for each in layer.parameters()])
    #> None [[3, 2]]
    y = layer(torch.zeros(4, 3))
    print(y.shape, y.count_nonzero().item())
    #> torch.Size([4, 2]) 0
    """
    found = run(student, probes.layer, sizes=[5, 3], bias=False)
    expect(
        found["bias"]["there"],
        "With `bias=False` your layer has no attribute `bias` at all: it should be there and be"
        " `None`, so that others can ask for it.",
    )
    biased = found["bias"]["attribute"] is not None or 3 in found["parameters"]
    mistake("bias-though-false", biased).says(
        "With `bias=False` your layer still has a bias. The attribute should be `None` then: no"
        " numbers at all, neither zeros nor frozen ones."
    )
    inputs = linear.draw(rng)
    try:
        wanted = forward(student, **{**inputs, "bias": torch.zeros(3)})
    except StudentError:  # `forward` itself is another test's matter
        return
    got = forward(student, x=inputs["x"], weights=inputs["weights"])
    same = checks.is_close(got, wanted, checks.roundoff(5), scale=20)
    expect(same, "With `bias=False`, `forward(x)` should give what a bias of zeros gives.")
