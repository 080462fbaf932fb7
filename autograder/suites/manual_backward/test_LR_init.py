"""`LR.__init__`: zeros of the right shapes, the learning rate as a tensor, a dictionary."""

import pytest
import torch
from torch import nn

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail

W_FLAT = Misconception(
    "w-without-column",
    "Your `w` has one axis, `(dim,)`; wanted is a column, `(dim, 1)`. With one axis, `w.T` changes"
    " nothing, and products come out as other shapes.",
)
W_ROW = Misconception(
    "w-as-a-row", "Your `w` is a row, `(1, dim)`; wanted is a column, `(dim, 1)`."
)
RANDOM = Misconception(
    "random-start",
    "Your `w` or `b` starts with other numbers than zeros. One weighted sum alone has no need of"
    " random weights, and the first loss is log 2 only with zeros.",
)
B_AXES = Misconception(
    "b-not-scalar",
    "Your `b` is a tensor with one element, but with axes; wanted is a scalar, of shape `()`. A"
    " `b` of shape `(1,)` makes other shapes wherever it takes part.",
)
B_NUMBER = Misconception(
    "b-python-number",
    "Your `b` is a Python number; wanted is a scalar tensor, on `device` like `w`.",
)
B_WHOLE = Misconception(
    "b-whole-number",
    "Your `b` is a tensor of whole numbers (`torch.tensor(0)`): it cannot take a step that is a"
    " fraction in place. `torch.scalar_tensor(0.0)` is a float32.",
)
LR_NUMBER = Misconception(
    "lr-python-number",
    "You turn `lr` into a Python number. It always comes as a scalar tensor, and stays one.",
)
LR_FIXED = Misconception(
    "lr-ignored",
    "Your `lr` is the same whatever the constructor is given: keep the argument.",
)
NO_GRADS = Misconception(
    "grads-empty",
    'Your `grads` starts without numbers. Wanted are the keys `"dw"` and `"db"`, with zeros of the'
    " shapes of `w` and `b`.",
)
OTHER_KEYS = Misconception(
    "other-keys", 'Your `grads` has other keys than the ones wanted, `"dw"` and `"db"`.'
)
NO_SUPER = Misconception(
    "no-super-init",
    "`super().__init__()` is missing (or comes too late): without it, the object is no working"
    " `nn.Module`, and `model(x)` raises an error.",
)
SHARED = Misconception(
    "shared-between-models",
    "Two models share their numbers: what is written in the class body, outside of `__init__`, or"
    " as a default argument, exists once for all of them.",
)


def probe_init(notebook, dim, lr):
    default = notebook.LR(dim)
    given = notebook.LR(dim, lr.to(notebook.device))
    shared = []
    for name in ("w", "b", "grads"):
        one, two = getattr(default, name, None), getattr(given, name, None)
        if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
            if one.data_ptr() == two.data_ptr():
                shared.append(name)
        elif isinstance(one, dict) and one is two:
            shared.append(name)
    found = {"shared": shared, "module": isinstance(given, nn.Module)}
    found["ready"] = "_parameters" in vars(given)
    found["lr"] = [getattr(model, "lr", None) for model in (default, given)]
    for name in ("w", "b", "grads"):
        found[name] = getattr(given, name, None)
    return found


@pytest.fixture(scope="module")
def found(student, draw):
    return student.run(probe_init, **draw)


@pytest.fixture(scope="module")
def draw(suite_rng):
    """The width of the pictures and a learning rate, other ones for each submission."""
    dim = int(torch.randint(4, 9, (), generator=suite_rng))
    return {"dim": dim, "lr": 0.1 + 0.5 * torch.rand((), generator=suite_rng)}


ZEROS = """\
small = LR(5)
print(small.w.shape, small.w.dtype, bool(small.w.any()))
#> torch.Size([5, 1]) torch.float32 False
print(small.b.shape, small.b.dtype, float(small.b))
#> torch.Size([]) torch.float32 0.0
"""


@pytest.mark.points(2)
@pytest.mark.example(ZEROS)
def test_w_and_b(found, draw):
    """`w` is a column of zeros, `(dim, 1)`, and `b` a scalar zero, both float32."""
    w, b, dim = found["w"], found["b"], draw["dim"]
    if isinstance(w, torch.Tensor) and tuple(w.shape) == (dim,):
        fail("", because=W_FLAT)
    if isinstance(w, torch.Tensor) and tuple(w.shape) == (1, dim):
        fail("", because=W_ROW)
    checks.tensor(w, "`w`", (dim, 1), torch.float32)
    if isinstance(b, float | int) and not isinstance(b, bool):
        fail("", because=B_NUMBER)
    if isinstance(b, torch.Tensor) and b.numel() == 1 and b.dim() > 0:
        fail("", because=B_AXES)
    if isinstance(b, torch.Tensor) and not b.dtype.is_floating_point:
        fail("", because=B_WHOLE)
    checks.tensor(b, "`b`", (), torch.float32)
    expect(not w.any() and not b.any(), "", because=RANDOM)


RATE = """\
for small in LR(5), LR(5, lr=torch.scalar_tensor(0.25)):
    print(torch.is_tensor(small.lr), f"{float(small.lr):.4f}")
#> True 0.0100
#> True 0.2500
"""


@pytest.mark.points(1)
@pytest.mark.example(RATE)
def test_lr(found, draw):
    """`lr` is kept as it is given, a scalar tensor; it is 0.01 where none is given."""
    for got, wanted in zip(found["lr"], (0.01, float(draw["lr"])), strict=True):
        if isinstance(got, float):
            fail("", because=LR_NUMBER)
        got = checks.tensor(got, "`lr`", ())
        if not checks.is_close(got, wanted, 1e-6):
            same = checks.is_close(found["lr"][0], found["lr"][1], 1e-6)
            fail("`lr` is not what the constructor was given.", LR_FIXED if same else None)


GRADS = """\
for name, gradient in sorted(LR(5).grads.items()):
    print(name, gradient.shape)
#> db torch.Size([])
#> dw torch.Size([5, 1])
"""


@pytest.mark.points(1)
@pytest.mark.example(GRADS)
def test_grads(found, draw):
    """`grads` is a dictionary with `dw`, of the shape of `w`, and `db`, of the shape of `b`."""
    grads = found["grads"]
    expect(isinstance(grads, dict), f"`grads` should be a dictionary; yours is {_kind(grads)}.")
    values = list(grads.values())
    if not grads or all(value is None for value in values):
        fail("", because=NO_GRADS)
    expect(set(grads) == {"dw", "db"}, "", because=OTHER_KEYS)
    for name, of in (("dw", "w"), ("db", "b")):
        shape = {"w": (draw["dim"], 1), "b": ()}[of]
        own = found[of]
        same = isinstance(own, torch.Tensor) and getattr(grads[name], "shape", None) == own.shape
        if not same:  # a wrong shape of `w` or `b` itself is another test's matter
            checks.tensor(grads[name], f"`grads[{name!r}]`", shape)


OWN = """\
one, two = LR(5), LR(5)
print(one(torch.ones(5, 3, device=device)).shape)
#> torch.Size([1, 3])
print(one.w is two.w, one.b is two.b, one.grads is two.grads)
#> False False False
"""


@pytest.mark.points(1)
@pytest.mark.example(OWN)
def test_own(found):
    """Each model is a working `nn.Module`, and has `w`, `b` and `grads` of its own."""
    expect(found["module"], "`LR` should be a subclass of `nn.Module`.")
    expect(found["ready"], "", because=NO_SUPER)
    expect(not found["shared"], "", because=SHARED)
    for name in ("w", "b", "grads"):
        expect(found[name] is not None, f"The model has no `{name}`.")


def _kind(value):
    return str(checks.kind(value)).replace(" (is a `return` missing?)", "")
