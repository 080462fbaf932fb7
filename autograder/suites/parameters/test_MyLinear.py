"""`MyLinear`: registered parameters of the right form and distribution, and what it computes."""

import pytest
import torch
from torch import nn

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.formula import drawn, in_double
from autograder.exercise.student import StudentError
from autograder.suites.parameters import BATCH_NEEDED, run

PLAIN_TENSOR = Misconception(
    "plain-tensor",
    "`weights` or `bias` is a plain tensor. A module registers only what is an `nn.Parameter`, so"
    " `parameters()` does not see yours and no optimizer would train it. See section 1.",
)
AS_BUFFER = Misconception(
    "parameters-as-buffers",
    "`weights` or `bias` is a buffer: saved and moved with the module, but never trained. Numbers"
    " that are to be learned are an `nn.Parameter`.",
)
FROZEN = Misconception(
    "frozen-from-the-start",
    "Your parameters are registered, but with `requires_grad=False`: they get no gradient, so"
    " training would leave them as they are.",
)
HIDDEN_IN_A_LIST = Misconception(
    "parameters-in-a-list",
    "Your numbers are in a Python list or dict, and a module does not look inside those:"
    " `parameters()` misses them. Make `weights` and `bias` attributes of the module itself.",
)
TRANSPOSED = Misconception(
    "weights-transposed",
    "Your `weights` are the other way round: `(out_features, in_features)`, as `nn.Linear` keeps"
    " them. Here one column belongs to one output: `(in_features, out_features)`.",
)
UNIFORM = Misconception(
    "uniform",
    "Your numbers come from a uniform distribution between 0 and 1 (`torch.rand`). A standard"
    " normal has mean 0 and standard deviation 1, and half of its numbers are negative.",
)
UNIFORM_AROUND_ZERO = Misconception(
    "uniform-around-zero",
    "Your numbers are spread evenly around 0, as `nn.Linear` draws its own. Here a standard normal"
    " is asked for: most numbers near 0, a few far from it.",
)
CONSTANT = Misconception(
    "constant-start",
    "All numbers of `weights` or of `bias` start the same, as `torch.zeros` and `torch.ones` make"
    " them. Both should be random: a layer whose columns start the same also learns them the same.",
)
REPEATED = Misconception(
    "repeated-numbers",
    "Your numbers repeat: the same few are used again and again. Draw every entry on its own.",
)
SCALED = Misconception(
    "scaled-normal",
    "Your numbers look normal with mean 0, but their standard deviation is not 1. Is there a factor"
    " too much, or an initialisation that scales by the size of the layer?",
)
NO_BIAS = Misconception(
    "bias-ignored", "Your `forward` leaves the bias out: the result is `x @ weights` alone."
)
BIAS_TWICE = Misconception("bias-twice", "Your `forward` adds the bias twice.")
BIAS_MINUS = Misconception("bias-subtracted", "Your `forward` subtracts the bias; it is added.")
RELU_INSIDE = Misconception(
    "relu-in-layer",
    "Your layer cuts off negative results. A linear layer has no ReLU of its own: what stands"
    " between two layers is the network's matter (section 5).",
)
ONLY_MATRICES = Misconception(
    "matrices-only",
    "Your `forward` takes matrices alone. `@` works on the last axis of an input with any number"
    " of axes; `torch.mm`, `.T` and an `einsum` with two fixed letters do not.",
)
GRADIENT_CUT = Misconception(
    "gradient-cut",
    "The result of your `forward` has lost its connection to `weights` or `bias`, so `backward()`"
    " cannot reach them and nothing would be learned. Usual causes: `.data`, `.detach()`,"
    " `.numpy()`, `torch.tensor(...)` or `torch.no_grad()` in `forward`.",
)
BIAS_THOUGH_FALSE = Misconception(
    "bias-though-false",
    "With `bias=False` your layer still has a bias. The attribute should be `None` then: no numbers"
    " at all, neither zeros nor frozen ones.",
)


def draw(rng, samples=4):
    """An input, and the numbers that the layer is given: one from 5 to 3."""

    def make():
        bias = torch.rand(3, generator=rng) + 0.5
        sign = torch.randint(0, 2, (3,), generator=rng) * 2 - 1
        return {
            "x": torch.randn(samples, 5, generator=rng),
            "weights": torch.randn(5, 3, generator=rng),
            "bias": bias * sign,
        }

    return drawn(make, reference, mistakes)


def reference(x, weights, bias):
    return x @ weights + bias


def mistakes(x, weights, bias):
    product = x @ weights
    return [
        (NO_BIAS, product),
        (BIAS_TWICE, product + 2 * bias),
        (BIAS_MINUS, product - bias),
        (RELU_INSIDE, torch.relu(product + bias)),
    ]


def compare(got, x, weights, bias):
    inputs = in_double({"x": x, "weights": weights, "bias": bias})
    sizes = reference(**{name: value.abs() for name, value in inputs.items()})
    checks.close(
        got,
        reference(**inputs),
        "`forward(x)`",
        checks.roundoff(x.shape[-1]),
        among=mistakes(**inputs),
        scale=float(sizes.max()),
    )


def probe_layer(notebook, sizes):
    """What a new layer has: its numbers, and how each is registered."""
    layer = notebook.MyLinear(*sizes)
    contents = []
    for name, value in vars(layer).items():
        if not name.startswith("_") and isinstance(value, list | tuple | dict):
            contents += value.values() if isinstance(value, dict) else value

    def look(name, dims):
        value = getattr(layer, name, None)
        tensors = [*layer.parameters(), *layer.buffers(), *vars(layer).values()]
        other = [t for t in tensors if isinstance(t, torch.Tensor) and t.dim() == dims]
        hidden = [t for t in contents if isinstance(t, torch.Tensor) and t.dim() == dims]
        used = value if isinstance(value, torch.Tensor) else next(iter(other + hidden), None)
        return {
            "attribute": value,
            "used": used,
            "parameter": any(p is used for p in layer.parameters()),
            "buffer": any(b is used for b in layer.buffers()),
            "trainable": isinstance(used, torch.Tensor) and used.requires_grad,
            "contained": any(item is used for item in contents),
        }

    return {
        "weights": look("weights", 2),
        "bias": look("bias", 1),
        "features": [getattr(layer, "in_features", None), getattr(layer, "out_features", None)],
        "parameters": len(list(layer.parameters())),
        "state": len(layer.state_dict()),
    }


def probe_forward(notebook, sizes, x, numbers):
    """The result of a layer that holds `numbers`, what it was made from, and what is cut off.

    Where the student's own tensors are of a form that `forward` cannot use, they are replaced by
    parameters of the right form: that form is another test's matter.
    """
    layer = notebook.MyLinear(*sizes)
    used = {}
    for name, given in numbers.items():
        mine = getattr(layer, name, None)
        if not isinstance(mine, torch.Tensor):
            others = [*layer.parameters(), *layer.buffers(), *vars(layer).values()]
            others = [t for t in others if isinstance(t, torch.Tensor) and t.dim() == given.dim()]
            if not others:
                continue
            mine = others[0]
        turned = given.dim() == 2 and tuple(mine.shape) == (given.shape[1], given.shape[0])
        try:
            with torch.no_grad():
                mine.copy_(given.T if turned else given.reshape(mine.shape))
        except RuntimeError:
            pass  # a form of its own, so its own numbers stay in it
        used[name] = mine
    for tensor in used.values():
        if tensor.is_leaf and tensor.is_floating_point():
            tensor.requires_grad_()

    try:
        y = layer(x.clone())
    except Exception as error:
        used = {name: nn.Parameter(given.clone()) for name, given in numbers.items()}
        try:
            for name, parameter in used.items():
                setattr(layer, name, parameter)
            y = layer(x.clone())
        except Exception:
            raise error from None

    found = {"y": y.clone() if isinstance(y, torch.Tensor) else y, "used": {}, "cut": []}
    for name, tensor in used.items():
        found["used"][name] = tensor.detach().clone()
        if not isinstance(y, torch.Tensor):
            continue
        reached = False
        if y.requires_grad and tensor.requires_grad:
            (grad,) = torch.autograd.grad(y.sum(), [tensor], retain_graph=True, allow_unused=True)
            reached = grad is not None
        if not reached:
            before = y.detach().clone()
            try:
                with torch.no_grad():
                    tensor.add_(1)
                    if not torch.equal(layer(x.clone()), before):
                        found["cut"].append(name)
                    tensor.sub_(1)
            except RuntimeError:
                found["cut"].append(name)
    return found


def probe_without(notebook, sizes, x, weights, bias):
    """A layer without bias beside one with a bias of zeros; both hold the same weights."""
    without = notebook.MyLinear(*sizes, bias=False)
    found = {
        "has": hasattr(without, "bias"),
        "bias": getattr(without, "bias", None),
        "biases": sum(p.numel() == len(bias) for p in without.parameters()),
        "forward": None,
        "zeros": None,
    }

    def result(layer):
        with torch.no_grad():
            for mine in [layer.weights, layer.bias]:
                if isinstance(mine, torch.Tensor):
                    given = weights if mine.numel() == weights.numel() else bias
                    mine.copy_(given.reshape(mine.shape))
            return layer(x.clone())

    try:
        found["zeros"] = result(notebook.MyLinear(*sizes))
    except Exception:
        return found  # `forward` itself is another test's matter
    if found["bias"] is None and found["has"]:
        found["forward"] = result(without)
    return found


SHAPES = """\
layer = MyLinear(3, 2)
print(layer.in_features, layer.out_features)
#> 3 2
print(layer.weights.shape, layer.weights.dtype)
#> torch.Size([3, 2]) torch.float32
print(layer.bias.shape, layer.bias.dtype)
#> torch.Size([2]) torch.float32
"""


@pytest.mark.points(5)
@pytest.mark.example(SHAPES)
def test_shapes(student):
    """`weights` is `(in_features, out_features)`, `bias` is `(out_features,)`, both float32, and
    `in_features` and `out_features` are kept."""
    found = run(student, probe_layer, sizes=[5, 3])
    weights, bias = found["weights"]["attribute"], found["bias"]["attribute"]
    if isinstance(weights, torch.Tensor) and tuple(weights.shape) == (3, 5):
        fail("", because=TRANSPOSED)
    for name, value in (("weights", weights), ("bias", bias)):
        if value is None:
            fail(f"Your layer has no attribute `{name}` with numbers in it.")
    checks.tensor(weights, "`weights`", (5, 3), torch.float32)
    checks.tensor(bias, "`bias`", (3,), torch.float32)
    expect(
        found["features"] == [5, 3],
        "`in_features` and `out_features` should be attributes: the two numbers given to the"
        " constructor.",
    )


REGISTERED = """\
layer = MyLinear(3, 2)
print(sorted((list(each.shape), each.requires_grad) for each in layer.parameters()))
#> [([2], True), ([3, 2], True)]
"""


@pytest.mark.points(8)
@pytest.mark.example(REGISTERED)
def test_registered(student):
    """`parameters()` holds the weights and the bias, ready to be trained, and nothing else."""
    found = run(student, probe_layer, sizes=[5, 3])
    for name in ("weights", "bias"):
        one = found[name]
        if not isinstance(one["used"], torch.Tensor):
            fail(f"Your layer has no `{name}` that could be registered.")
        if one["buffer"]:
            fail("", because=AS_BUFFER)
        if not one["parameter"]:
            fail("", because=HIDDEN_IN_A_LIST if one["contained"] else PLAIN_TENSOR)
    expect(
        found["parameters"] == 2,
        "`parameters()` should hold the weights and the bias alone; yours holds"
        f" {found['parameters']} tensors. Each is trained and saved: is one of them left over?",
    )
    expect(found["weights"]["trainable"] and found["bias"]["trainable"], "", because=FROZEN)
    expect(
        found["state"] >= 2,
        "`state_dict()` should hold `weights` and `bias`: otherwise they are not saved.",
    )


class Start:
    """The distribution of a tensor's numbers: a formula whose inputs are draws of its own."""

    CASES = ({"n": 997}, {"n": 23 * 997})

    @staticmethod
    def draw(rng, n=997):
        return {"normal": torch.randn(n, generator=rng), "uniform": torch.rand(n, generator=rng)}

    @staticmethod
    def reference(normal, uniform):
        return normal

    @staticmethod
    def mistakes(normal, uniform):
        bound = 5**-0.5
        return [
            (UNIFORM, uniform),
            (UNIFORM_AROUND_ZERO, (2 * uniform - 1) * bound),
            (UNIFORM_AROUND_ZERO, (2 * uniform - 1) * 3**0.5),
            (CONSTANT, torch.zeros_like(normal)),
            (CONSTANT, torch.ones_like(normal)),
            (SCALED, normal * 0.01),
            (SCALED, normal * (2 / (23 + 997)) ** 0.5),
            (SCALED, normal * 2),
            (REPEATED, normal[: len(normal) // 20].repeat(21)[: len(normal)]),
        ]

    @staticmethod
    def compare(got, name="`weights`", **inputs):
        """Take the numbers for a standard normal, or say what they are like.

        The bounds are six standard errors: those of the mean, n^-1/2, and of the standard
        deviation, (2n)^-1/2. One right start in 10^9 fails; that seed's grade would still repeat.
        The kurtosis is 3 of a normal and 1.8 of a uniform distribution, with a standard error of
        (24/n)^1/2 at most: 2.3 and 4.5 are more than four of them away.
        """
        values = got.double().flatten()
        n = len(values)
        if n < 20:
            expect(bool((values != 0).any()), "", because=CONSTANT)
            return  # too few to tell a distribution by; that they are few is another test's matter
        mean, std = values.mean().item(), values.std().item()
        if std < 1e-6:
            fail("", because=CONSTANT)
        kurtosis = ((values - mean) ** 4).mean().item() / std**4
        head = values[:5000]
        if len(head.unique()) < len(head) / 2:
            fail("", because=REPEATED)
        centred = abs(mean) < 6 * std / n**0.5
        if centred and abs(std - 1) < 6 / (2 * n) ** 0.5 and (kurtosis > 2.3 or n < 500):
            return
        fail(
            f"{name} should look like a standard normal: mean near 0, standard deviation near 1.",
            because=UNIFORM
            if values.min() >= 0 and values.max() <= 1 and kurtosis < 2.3
            else UNIFORM_AROUND_ZERO
            if centred and kurtosis < 2.3
            else SCALED
            if centred and kurtosis < 4.5
            else None,
        )


NORMAL = """\
layer = MyLinear(50, 20_000)
for numbers in layer.weights, layer.bias:  # mean, standard deviation, are a few far out?
    print(f"{numbers.mean().abs():.1f} {numbers.std():.1f} {numbers.abs().max() > 3}")
#> 0.0 1.0 True
#> 0.0 1.0 True
print(f"{layer.weights.std(dim=0).mean():.1f} {layer.weights.std(dim=1).mean():.1f}")
#> 1.0 1.0
"""


@pytest.mark.points(4)
@pytest.mark.example(NORMAL)
@pytest.mark.parametrize("name", ["weights", "bias"])
def test_standard_normal(student, name):
    """`weights` and `bias` start as random numbers of a standard normal distribution."""
    value = run(student, probe_layer, sizes=[23, 997])[name]["used"]
    expect(isinstance(value, torch.Tensor), f"Your layer has no `{name}` with numbers in it.")
    value = checks.tensor(value, f"`{name}`", tuple(value.shape))
    Start.compare(value, name=f"`{name}`")


FORWARD = """\
layer = MyLinear(3, 2)
with torch.no_grad():
    layer.weights.copy_(torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]))
    layer.bias.copy_(torch.tensor([10.0, -20.0]))
y = layer(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, -10.0]]))
print(y.dtype, y.tolist())  # first the bias alone, then with the first row of the weights
#> torch.float32 [[10.0, -20.0], [11.0, -16.0], [-17.0, -71.0]]
"""


@pytest.mark.points(5)
@pytest.mark.example(FORWARD)
def test_forward(student, rng):
    """`forward(x)` of a matrix with one sample a row is `x @ weights + bias`."""
    numbers = draw(rng, samples=131)  # more than the constants that people write
    x = numbers.pop("x")
    found = run(student, probe_forward, sizes=[5, 3], x=x, numbers=numbers)
    # Numbers that the probe could not replace count as they are, but for zeros: with zeros in it
    # a layer that computes nothing would be right.
    used = numbers | {n: mine for n, mine in found["used"].items() if mine.abs().max() > 0.1}
    weights, bias = used["weights"], used["bias"]
    if tuple(weights.shape) == (3, 5):
        weights = weights.T
    if bias.numel() not in (1, 3):
        bias = numbers["bias"]
    # Tensors of float64 give such a result: their type is another test's matter.
    same = weights.dtype == bias.dtype == torch.float32
    dtype = torch.float32 if same else None
    got = checks.tensor(found["y"], "`forward(x)`", (len(x), 3), dtype)
    compare(got, x=x, weights=weights, bias=bias.reshape(-1))


LEADING = """\
layer = MyLinear(3, 2)
x = torch.randn(4, 5, 3)
print(layer(x[0, 0]).shape, layer(x).shape, layer(x.reshape(2, 2, 5, 3)).shape)
#> torch.Size([2]) torch.Size([4, 5, 2]) torch.Size([2, 2, 5, 2])
print(torch.allclose(layer(x)[3, 1], layer(x[3])[1], atol=1e-5))  # a row is a row
#> True
"""


@pytest.mark.points(2)
@pytest.mark.example(LEADING)
def test_leading_shapes(student, rng):
    """`forward(x)` takes any leading shape, none included, and does with each row what it does in
    a matrix."""
    numbers = draw(rng, samples=24)
    rows = numbers.pop("x")
    # First that a matrix works at all; what it should give is another test's matter.
    alone = run(student, probe_forward, sizes=[5, 3], x=rows, numbers=numbers)["y"]
    alone = checks.tensor(alone, "`forward(x)` of a matrix", (24, 3))
    for shape in ((6, 4), (4, 2, 3), ()):
        x, wanted = (each[0] if shape == () else each for each in (rows, alone))
        because = ONLY_MATRICES if shape else BATCH_NEEDED
        try:
            found = run(
                student, probe_forward, sizes=[5, 3], x=x.reshape(*shape, 5), numbers=numbers
            )
        except StudentError as error:
            fail(str(error), because=because if error.kind == "error" else None)
        name = f"`forward(x)` of an input with {len(shape) + 1} axes"
        got, bias = found["y"], found["used"].get("bias")
        if shape == () and bias is not None and bias.dim() > 1 and got.numel() == 3:
            got = got.reshape(3)  # a bias with too many axes is another test's matter
        if shape == () and isinstance(got, torch.Tensor) and got.shape != (3,):
            fail("", because=BATCH_NEEDED)
        got = checks.tensor(got, name, (*shape, 3))
        expect(
            checks.is_close(got, wanted.reshape(*shape, 3), 2 * checks.roundoff(5), scale=20),
            "A row comes out differently in an input with more axes, or fewer, than in a matrix:"
            " the axes are mixed up somewhere.",
        )


GRADIENT = """\
layer = MyLinear(3, 2)
layer(torch.ones(4, 3)).sum().backward()
print(layer.weights.grad)
#> tensor([[4., 4.],
#>         [4., 4.],
#>         [4., 4.]])
print(layer.bias.grad)
#> tensor([4., 4.])
"""


@pytest.mark.points(2)
@pytest.mark.example(GRADIENT)
def test_gradient(student, rng):
    """`backward()` reaches what `forward` used: the weights and the bias can learn."""
    numbers = draw(rng)
    x = numbers.pop("x")
    found = run(student, probe_forward, sizes=[5, 3], x=x, numbers=numbers)
    y = found["y"]
    expect(
        isinstance(y, torch.Tensor), f"`forward(x)` should be a tensor; yours is {checks.kind(y)}."
    )
    expect(bool(found["used"]), "Your layer holds no numbers that `backward()` could reach.")
    expect(not found["cut"], "", because=GRADIENT_CUT)


WITHOUT = """\
layer = MyLinear(3, 2, bias=False)
print(layer.bias, [list(each.shape) for each in layer.parameters()])
#> None [[3, 2]]
y = layer(torch.zeros(4, 3))
print(y.shape, y.count_nonzero().item())
#> torch.Size([4, 2]) 0
"""


@pytest.mark.points(4)
@pytest.mark.example(WITHOUT)
def test_without_bias(student, rng):
    """With `bias=False` the attribute `bias` is `None`, and nothing is added."""
    inputs = draw(rng)
    inputs["bias"] = torch.zeros(3)
    found = run(student, probe_without, sizes=[5, 3], **inputs)
    expect(
        found["has"],
        "With `bias=False` your layer has no attribute `bias` at all: it should be there and be"
        " `None`, so that others can ask for it.",
    )
    expect(found["bias"] is None, "", because=BIAS_THOUGH_FALSE)
    expect(found["biases"] == 0, "", because=BIAS_THOUGH_FALSE)
    if found["zeros"] is not None:
        expect(
            checks.is_close(found["forward"], found["zeros"], checks.roundoff(5), scale=20),
            "With `bias=False`, `forward(x)` should give what a bias of zeros gives.",
        )
