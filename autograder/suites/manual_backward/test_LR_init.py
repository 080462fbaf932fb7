"""`LR.__init__`: zeros of the right shapes, the learning rate as a tensor, a dictionary."""

import pytest
import torch

from autograder.exercise import Formula, Misconception, Text, between, checks, expect, mistake
from autograder.suites.manual_backward import probes

# Width of the pictures and learning rate are other ones for each submission.
w = Formula(
    "`w`",
    draw=lambda rng: {"dim": int(between(rng, 4, 9)), "lr": between(rng, 0.1, 0.6)},
    reference=lambda dim: torch.zeros(dim, 1),
    dtype=torch.float32,
)
w.mistake("w-without-column", lambda dim: torch.zeros(dim), shape_only=True).says(
    "Your `w` has one axis, `(dim,)`; wanted is a column, `(dim, 1)`. With one axis, `w.T` changes"
    " nothing, and products come out as other shapes."
)
w.mistake("w-as-a-row", lambda dim: torch.zeros(1, dim), shape_only=True).says(
    "Your `w` is a row, `(1, dim)`; wanted is a column, `(dim, 1)`."
)

b = Formula("`b`", draw=w.draw, reference=lambda: torch.zeros(()), dtype=torch.float32)
b.mistake("b-python-number", lambda: 0.0, shape_only=True).says(
    "Your `b` is a Python number; wanted is a scalar tensor, on `device` like `w`."
)
b.mistake("b-not-scalar", lambda: torch.zeros(1), lambda: torch.zeros(1, 1), shape_only=True).says(
    "Your `b` is a tensor with one element, but with axes; wanted is a scalar, of shape `()`. A"
    " `b` of shape `(1,)` makes other shapes wherever it takes part."
)
b.mistake("b-whole-number", lambda: torch.tensor(0), shape_only=True).says(
    "Your `b` is a tensor of whole numbers (`torch.tensor(0)`): it cannot take a step that is a"
    " fraction in place. `torch.scalar_tensor(0.0)` is a float32."
)

LR_FIXED = Misconception(
    "lr-ignored",
    "Your `lr` is the same whatever the constructor is given: keep the argument.",
)


@pytest.fixture(scope="module")
def found(student, suite_rng):
    """What two models hold, beside what they were `given`."""
    given = w.draw(suite_rng)
    return {**student.run(probes.init, **given), "given": given}


@pytest.mark.points(2)
def test_w_and_b(found):
    """`w` is a column of zeros, `(dim, 1)`, and `b` a scalar zero, both float32.

    small = LR(5)
    print(small.w.shape, small.w.dtype, bool(small.w.any()))
    #> torch.Size([5, 1]) torch.float32 False
    print(small.b.shape, small.b.dtype, float(small.b))
    #> torch.Size([]) torch.float32 0.0
    """
    zeros = [each.form(found[name], **found["given"]) for name, each in (("w", w), ("b", b))]
    mistake("random-start", any(each.any() for each in zeros)).says(
        "Your `w` or `b` starts with other numbers than zeros. One weighted sum alone has no need"
        " of random weights, and the first loss is log 2 only with zeros."
    )


@pytest.mark.points(1)
def test_lr(found):
    """`lr` is kept as it is given, a scalar tensor; it is 0.01 where none is given.

    for small in LR(5), LR(5, lr=torch.scalar_tensor(0.25)):
        print(torch.is_tensor(small.lr), f"{float(small.lr):.4f}")
    #> True 0.0100
    #> True 0.2500
    """
    fixed = LR_FIXED if checks.is_close(found["lr"][0], found["lr"][1], 1e-6) else None
    for got, wanted in zip(found["lr"], (0.01, float(found["given"]["lr"])), strict=True):
        mistake("lr-python-number", isinstance(got, float)).says(
            "You turn `lr` into a Python number. It always comes as a scalar tensor, and stays one."
        )
        kept = checks.is_close(checks.tensor(got, "`lr`", ()), wanted, 1e-6)
        expect(kept, "`lr` is not what the constructor was given.", fixed)


@pytest.mark.points(1)
def test_grads(found):
    """`grads` is a dictionary with `dw`, of the shape of `w`, and `db`, of the shape of `b`.

    for name, gradient in sorted(LR(5).grads.items()):
        print(name, gradient.shape)
    #> db torch.Size([])
    #> dw torch.Size([5, 1])
    """
    grads = found["grads"]
    got = checks.kind(grads, returned=False)
    expect(isinstance(grads, dict), "`grads` should be a dictionary; yours is {got}.", got=got)
    mistake("grads-empty", all(value is None for value in grads.values())).says(
        'Your `grads` starts without numbers. Wanted are the keys `"dw"` and `"db"`, with zeros of'
        " the shapes of `w` and `b`."
    )
    mistake("other-keys", {*grads} != {"dw", "db"}).says(
        'Your `grads` has other keys than the ones wanted, `"dw"` and `"db"`.'
    )
    for key, own, shape in (
        ("dw", found["w"], w.right(**found["given"]).shape),
        ("db", found["b"], ()),
    ):
        shapes = [each.shape for each in (grads[key], own) if isinstance(each, torch.Tensor)]
        if len(shapes) < 2 or shapes[0] != shapes[1]:  # that of `w` or `b` is another test's matter
            checks.tensor(grads[key], Text("`grads['{key}']`", key=key), shape)


@pytest.mark.points(1)
def test_own(found):
    """Each model is a working `nn.Module`, and has `w`, `b` and `grads` of its own.

    one, two = LR(5), LR(5)
    print(one(torch.ones(5, 3, device=device)).shape)
    #> torch.Size([1, 3])
    print(one.w is two.w, one.b is two.b, one.grads is two.grads)
    #> False False False
    """
    expect(found["module"], "`LR` should be a subclass of `nn.Module`.")
    mistake("no-super-init", not found["ready"]).says(
        "`super().__init__()` is missing (or comes too late): without it, the object is no working"
        " `nn.Module`, and `model(x)` raises an error."
    )
    mistake("shared-between-models", found["shared"]).says(
        "Two models share their numbers: what is written in the class body, outside of `__init__`,"
        " or as a default argument, exists once for all of them."
    )
    for name in ("w", "b", "grads"):
        expect(found[name] is not None, "The model has no `{name}`.", name=name)
