"""`MLP`: registered linear blocks with ReLU between them and none after the last.

Each check passes with the student's own `MyLinear` or, where that one is wrong, with a layer of
PyTorch's in its place: a mistake there costs nothing here.
"""

from itertools import pairwise

import pytest
import torch
from torch import nn

from autograder.exercise import checks
from autograder.exercise.checks import Failure, Misconception, expect, fail
from autograder.exercise.formula import drawn, in_double
from autograder.exercise.student import StudentError
from autograder.suites.parameters import BATCH_NEEDED, NO_SUPER, ONLY_MATRICES, run

IN_A_LIST = Misconception(
    "parameters-in-a-list",
    "Your layers are in a plain Python list, tuple or dict, which hides them: `parameters()` sees"
    " none of it. `nn.ModuleList` and `nn.Sequential` register what they hold.",
)
IN_FORWARD = Misconception(
    "layers-made-in-forward",
    "Your `forward` makes its layers anew in every call: with new random numbers each time, and"
    " never registered. Make them once, in `__init__`.",
)
OVERWRITTEN = Misconception(
    "layer-overwritten",
    "Your network keeps its last layer alone: does each round of a loop assign the same attribute,"
    " so that the next layer takes the place of the one before?",
)
SHARED = Misconception(
    "shared-block",
    "Your network uses one layer object several times: each block needs parameters of its own.",
)
RELU_LAST = Misconception(
    "relu-after-last",
    "There is a ReLU after the last layer: your network can never answer with a negative number.",
)
NO_RELU = Misconception(
    "no-relu",
    "There is no ReLU between your layers, or its result is not used: linear layers alone are"
    " together one linear layer again.",
)
RELU_FIRST = Misconception(
    "relu-before-first", "There is a ReLU before the first layer: it cuts off negative inputs."
)
RELU_ONCE = Misconception(
    "relu-only-once",
    "Only one pair of your layers has a ReLU between them: each linear layer but the last is"
    " followed by one.",
)
SIGMOID = Misconception(
    "sigmoid-between", "Between your layers stands a sigmoid; the task asks for ReLU."
)
TANH = Misconception("tanh-between", "Between your layers stands a tanh; the task asks for ReLU.")
LEAKY = Misconception(
    "leaky-relu",
    "Between your layers stands a leaky ReLU, which lets a little of the negative numbers through;"
    " the task asks for the plain one.",
)
FLIPPED = Misconception(
    "relu-flipped", "Your ReLU is the wrong way round: it keeps the negative numbers."
)
SQUASHED_LAST = Misconception(
    "squashed-last",
    "There is a softmax or a sigmoid after the last layer. Its result should come out as it is: any"
    " number.",
)
TORCH_LINEAR = Misconception(
    "layers-of-pytorch",
    "Your network is made of `nn.Linear`, the layer of PyTorch; the task asks for your own"
    " `MyLinear`.",
)
GRADIENT_CUT = Misconception(
    "gradient-cut",
    "Somewhere in your `forward` the connection to the parameters is lost, so `backward()` cannot"
    " reach all of them. Usual causes: `.data`, `.detach()`, `.numpy()`, `torch.tensor(...)` or"
    " `torch.no_grad()` in `forward`.",
)


def forward(x, layers, between=torch.relu, first=False, last=None):
    """A network's result; `between` may be a list, one function for each pair of layers."""
    pairs = len(layers) - 1
    bends = between if isinstance(between, list) else [between] * pairs
    x = torch.relu(x) if first else x
    for (weights, bias), bend in zip(layers, [*bends, last], strict=True):
        x = x @ weights + bias
        x = bend(x) if bend else x
    return x


CASES = [{"sizes": (5, 7, 2), "leading": (131,)}, {"sizes": (4, 6, 5, 3), "leading": (12,)}]


def draw(rng, sizes=(5, 7, 2), leading=(12,)):
    def make():
        return {
            "x": 2 * torch.randn(*leading, sizes[0], generator=rng),
            "layers": [
                [torch.randn(a, b, generator=rng), torch.randn(b, generator=rng)]
                for a, b in pairwise(sizes)
            ],
        }

    return drawn(make, reference, mistakes)


def reference(x, layers):
    return forward(x, layers)


def mistakes(x, layers):
    found = [
        (RELU_LAST, forward(x, layers, last=torch.relu)),
        (NO_RELU, forward(x, layers, between=None)),
        (RELU_FIRST, forward(x, layers, first=True)),
        (SIGMOID, forward(x, layers, between=torch.sigmoid)),
        (TANH, forward(x, layers, between=torch.tanh)),
        (LEAKY, forward(x, layers, between=torch.nn.functional.leaky_relu)),
        (FLIPPED, forward(x, layers, between=lambda z: z.clamp(max=0))),
        (SQUASHED_LAST, forward(x, layers, last=torch.sigmoid)),
        (SQUASHED_LAST, forward(x, layers, last=lambda z: z.softmax(-1))),
        (SQUASHED_LAST, forward(x, layers, last=lambda z: z.log_softmax(-1))),
    ]
    pairs = len(layers) - 1
    if pairs > 1:
        for place in range(pairs):
            once = [torch.relu if pair == place else None for pair in range(pairs)]
            found.append((RELU_ONCE, forward(x, layers, between=once)))
    return found


def size_of(x, layers):
    """The size of the terms that the last layer sums."""
    inputs = in_double({"x": x, "layers": layers})
    sizes = forward(inputs["x"].abs(), [[w.abs(), b.abs()] for w, b in inputs["layers"]])
    return float(sizes.max())


def compare(got, x, layers):
    inputs = in_double({"x": x, "layers": layers})
    terms = max(weights.shape[0] for weights, _ in layers)
    checks.close(
        got,
        reference(**inputs),
        "`forward(x)`",
        checks.roundoff(terms, len(layers)),
        among=mistakes(**inputs),
        scale=size_of(x, layers),
    )


def probe_mlp(notebook, sizes, x, layers, stand_in, must):
    """A network, all tensors that can be found in it, and its result with given numbers in them.

    The numbers in `layers` find their place by their shape; without any, the network keeps its own.
    An exception in `forward` counts only where it `must` work.
    """

    class Layer(nn.Linear):
        """Stands for MyLinear."""

    if stand_in:
        notebook.MyLinear = Layer
    network = notebook.MLP(list(sizes))
    tensors, modules, seen = [], [], {}

    def walk(thing):
        if id(thing) in seen:
            return
        seen[id(thing)] = thing
        if isinstance(thing, torch.Tensor):
            if thing.is_floating_point():
                tensors.append(thing)
        elif isinstance(thing, nn.Module):
            modules.append(thing)
            walk(vars(thing))
        elif isinstance(thing, dict):
            for each in list(thing.values()):
                walk(each)
        elif isinstance(thing, list | tuple | set):
            for each in list(thing):
                walk(each)

    walk(network)
    registered = list(network.parameters())
    for given in [tensor for layer in layers for tensor in layer]:
        for mine in tensors:
            turned = given.T if given.dim() == 2 else given
            try:
                with torch.no_grad():
                    if mine.shape == given.shape:
                        mine.copy_(given)
                    elif mine.shape == turned.shape:
                        mine.copy_(turned)
            except RuntimeError:
                pass  # a form of its own, so its own numbers stay in it
    for tensor in tensors:
        if tensor.is_leaf:
            tensor.requires_grad_()
    found = {
        "registered": len(registered),
        "hidden": sum(all(t is not p for p in registered) for t in tensors),
        "tensors": [tensor.detach().clone() for tensor in tensors],
        "own": 0,
        "torch": 0,
        "forward": None,
        "reused": False,
        "cut": False,
    }

    try:
        layer = notebook.MyLinear
    except Exception:  # it is not there, and that is another test's matter
        layer = None
    for module in modules:
        own = isinstance(layer, type) and isinstance(module, layer)
        if own or isinstance(getattr(module, "weights", None), torch.Tensor):
            found["own"] += 1
        elif isinstance(module, nn.Linear):
            found["torch"] += 1

    calls = []
    for module in modules:
        if any(
            isinstance(t, torch.Tensor)
            for t in [*vars(module).values(), *module._parameters.values()]
        ):
            module.register_forward_hook(lambda module, args, y: calls.append(id(module)))
    try:
        y = network(x.clone())
    except Exception:
        if must:
            raise
        return found
    found["reused"] = len(set(calls)) < len(calls)
    found["forward"] = y.clone() if isinstance(y, torch.Tensor) else y

    for tensor in tensors if isinstance(y, torch.Tensor) else []:
        grad = None
        if y.requires_grad and tensor.requires_grad:
            (grad,) = torch.autograd.grad(y.sum(), [tensor], retain_graph=True, allow_unused=True)
        if grad is None:
            with torch.no_grad():
                tensor.add_(1)
                found["cut"] = found["cut"] or not torch.equal(network(x.clone()), y)
                tensor.sub_(1)
    return found


def with_either(student, check, layers=(), must=True, **inputs):
    """Pass where `check` passes with the student's `MyLinear` or with another in its place."""

    def attempt(stand_in):
        how = {"stand_in": stand_in, "layers": list(layers), "must": must}
        check(run(student, probe_mlp, **how, **inputs))

    with_own_or_stand_in(attempt)


def with_own_or_stand_in(attempt):
    """Pass where `attempt(stand_in)` passes with the student's `MyLinear` or with another.

    Where neither does, the failure with the other says more: its layers are without a mistake.
    Only where its exception is the first may it come of the layers' being others.
    """
    failures = []
    for stand_in in (False, True):
        try:
            return attempt(stand_in)
        except Failure as failure:
            failures.append(failure)
    one, other = failures
    unlike = isinstance(other, StudentError) and not isinstance(one, StudentError)
    raise one if unlike and one.misconception != NO_SUPER.name else other


def layers_of(found, sizes):
    """The weights `(in, out)` and the bias of each layer, found by their shapes."""
    if not found["tensors"]:
        fail("Your network holds no numbers once it is made.", because=_in_forward(found))
    tensors = found["tensors"]
    shapes = [tuple(tensor.shape) for tensor in tensors]
    pairs = list(pairwise(sizes))
    layers = []
    for place, pair in enumerate(pairs):
        fitting = [tensors[i] for i, shape in enumerate(shapes) if shape in (pair, pair[::-1])]
        if len(fitting) != 1:
            last = [[sizes[-1]], sorted(sizes[-2:])]
            only_last = sorted(map(sorted, shapes)) == sorted(last)
            which = f"that maps `sizes[{place}]` to `sizes[{place + 1}]` numbers"
            fail(
                f"Of {len(pairs)} layers, the one {which} is missing."
                if not fitting
                else f"There should be one layer {which}; your network holds {len(fitting)}.",
                because=OVERWRITTEN if only_last else None,
            )
        layers.append([fitting[0] if tuple(fitting[0].shape) == pair else fitting[0].T])
    for layer, (_, columns) in zip(layers, pairs, strict=True):
        fitting = [tensors[i] for i, s in enumerate(shapes) if s in ((columns,), (1, columns))]
        expect(
            len(fitting) == 1,
            "Every layer should have one bias, with a number for each of its outputs.",
        )
        layer.append(fitting[0].reshape(-1))
    return layers


def _in_forward(found):
    return IN_FORWARD if isinstance(found["forward"], torch.Tensor) else None


def expected_count(found, sizes):
    blocks = len(sizes) - 1
    count = len(found["tensors"])
    expect(
        count == 2 * blocks,
        f"{blocks} {'block holds' if blocks == 1 else 'blocks hold'} {2 * blocks} tensors with"
        f" numbers, a weight and a bias each; your network holds {count}.",
        because=SHARED if found["reused"] else None if count else _in_forward(found),
    )


BLOCKS = """\
network = MLP([3, 5, 4, 2])
kinds = [type(module) for module in network.modules()]
print(MyLinear in kinds, nn.Linear in kinds)
#> True False
"""


@pytest.mark.points(2)
@pytest.mark.example(BLOCKS)
def test_blocks(student, rng):
    """The linear layers are the student's own `MyLinear`."""
    sizes = [5, 7, 2]

    def check(found):
        if found["own"] and not found["torch"]:
            return
        because = TORCH_LINEAR if found["torch"] else None
        expect(
            bool(found["tensors"]), "Your network holds no `MyLinear`.", because=_in_forward(found)
        )
        fail("Your network holds no `MyLinear`: its linear layers should be yours.", because)

    with_either(student, check, sizes=sizes, x=torch.randn(4, 5, generator=rng), must=False)


REGISTERED = """\
network = MLP([3, 5, 4, 6, 2])
print(sorted(p.numel() for p in network.parameters()))  # four biases, four weights
#> [2, 4, 5, 6, 12, 15, 20, 24]
"""


@pytest.mark.points(8)
@pytest.mark.example(REGISTERED)
def test_registered(student, rng):
    """Every layer's weights and bias are registered: `parameters()` has them."""
    sizes = [5, 17, 3, 131, 2]

    def check(found):
        layers_of(found, sizes)
        expect(found["hidden"] == 0, "", because=IN_A_LIST)

    with_either(student, check, sizes=sizes, x=torch.randn(4, 5, generator=rng), must=False)


FORWARD = """\
network = MLP([2, 3, 3, 4, 2])
with torch.no_grad():
    for parameter in network.parameters():  # known numbers, from -2 to 1
        parameter.copy_(torch.linspace(-2, 1, parameter.numel()).reshape(parameter.shape))
y = network(torch.linspace(-2, 2, 8).reshape(2, 2, 2))
print(y.shape)
#> torch.Size([2, 2, 2])
print(y.detach().flatten())
#> tensor([-1.4286,  2.0000, -0.5843,  4.5530, -0.4458,  4.8277, -0.3553,  5.0596])
"""


@pytest.mark.points(6)
@pytest.mark.example(FORWARD)
@pytest.mark.parametrize("case", CASES, ids=["two layers", "three layers"])
def test_forward(student, rng, case):
    """`forward(x)` goes through all layers, with a ReLU between one and the next only."""
    inputs, sizes = draw(rng, **case), case["sizes"]
    x = inputs["x"]
    shape = (*x.shape[:-1], sizes[-1])

    def check(found):
        got = checks.tensor(found["forward"], "`forward(x)`", shape, torch.float32)
        compare(got, x=x, layers=layers_of(found, sizes))

    with_either(student, check, sizes=list(sizes), **inputs)


LEADING = """\
network = MLP([3, 5, 6, 4])
x = torch.randn(6, 7, 3)
print(network(x[0, 0]).shape, network(x).shape, network(x.reshape(2, 3, 7, 3)).shape)
#> torch.Size([4]) torch.Size([6, 7, 4]) torch.Size([2, 3, 7, 4])
print(torch.allclose(network(x)[5, 1], network(x[5])[1], atol=1e-4))  # a row is a row
#> True
"""


@pytest.mark.points(2)
@pytest.mark.example(LEADING)
@pytest.mark.parametrize("leading", [(3, 4), (2, 3, 2), ()], ids=["3 axes", "4 axes", "1 axis"])
def test_leading_shapes(student, rng, leading):
    """`forward(x)` takes any leading shape, none included, and does with each row what it does in
    a matrix."""
    sizes = [5, 7, 6, 2]
    inputs = draw(rng, sizes=tuple(sizes), leading=(12,))
    rows, layers = inputs["x"], inputs["layers"]

    scale = size_of(**inputs)

    def attempt(stand_in):
        def ask(x):
            how = {"stand_in": stand_in, "layers": layers, "must": True, "sizes": sizes}
            found = run(student, probe_mlp, x=x, **how)
            expect(bool(found["tensors"]), "Your network holds no numbers.", _in_forward(found))
            return found["forward"]

        # What it does in a matrix is another test's matter.
        alone = checks.tensor(ask(rows), "`forward(x)` of a matrix", (12, 2))
        x, wanted = (each if leading else each[0] for each in (rows, alone))
        because = ONLY_MATRICES if leading else BATCH_NEEDED
        try:
            got = ask(x.reshape(*leading, 5))
        except StudentError as error:
            fail(str(error), because=because if error.kind == "error" else None)
        if not leading and isinstance(got, torch.Tensor) and got.shape != (2,):
            fail("", because=BATCH_NEEDED)
        got = checks.tensor(got, "`forward(x)`", (*leading, 2))
        expect(
            checks.is_close(got, wanted.reshape(*leading, 2), 2 * checks.roundoff(7, 3), scale),
            "A row comes out differently in an input with more axes, or fewer, than in a matrix:"
            " the axes are mixed up somewhere.",
        )

    with_own_or_stand_in(attempt)


GRADIENT = """\
network = MLP([3, 5, 4, 6, 2])
network(torch.randn(8, 3)).sum().backward()
print(len([p for p in network.parameters() if p.grad is not None]))  # four weights, four biases
#> 8
"""


@pytest.mark.points(2)
@pytest.mark.example(GRADIENT)
def test_gradient(student, rng):
    """`backward()` reaches the parameters of every layer: all of them can learn."""
    sizes = [5, 7, 3, 2]

    def check(found):
        checks.tensor(found["forward"], "`forward(x)`", (9, 2))
        expect(not found["cut"], "", because=GRADIENT_CUT)
        expect(
            bool(found["tensors"]), "Your network has nothing that could learn.", _in_forward(found)
        )

    with_either(student, check, sizes=sizes, x=torch.randn(9, 5, generator=rng))


DEPTH = """\
for sizes in [3, 2], [3, 6, 6, 6, 6, 2]:  # one layer, five layers
    network = MLP(sizes)
    print(network(torch.ones(4, 3)).shape, len(list(network.parameters())))
#> torch.Size([4, 2]) 2
#> torch.Size([4, 2]) 10
"""


@pytest.mark.points(5)
@pytest.mark.example(DEPTH)
@pytest.mark.parametrize("sizes", [(4, 3), (3, *11 * [6], 2)], ids=["one layer", "twelve layers"])
def test_any_depth(student, rng, sizes):
    """Any list of at least two sizes makes a network of that depth, each block with numbers of its
    own."""
    x = torch.randn(5, sizes[0], generator=rng)

    def check(found):
        checks.tensor(found["forward"], "`forward(x)`", (5, sizes[-1]))
        expected_count(found, sizes)

    with_either(student, check, sizes=list(sizes), x=x)
