"""`to_tensor`: float32 of the same shape and values, from any numeric dtype and memory layout.

The other byte order is not asked for: no lesson of the notebook is about it.
"""

from functools import partial

import numpy as np
import pytest
import torch

from autograder.exercise import Formula, Says, named_by_pytorch
from autograder.exercise.checks import Misconception, expect, kind, mistake
from autograder.exercise.distributions import by_own_statistics
from autograder.suites.training_loop import probes

DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8"]
DTYPES += ["uint8", "uint16", "uint32", "bool"]


def draw(rng, shape, dtype="float64", layout="plain", whole=False):
    """An array of some type and layout; of whole numbers, where other checks look at the rest."""
    array = np.asarray(30 * torch.randn(shape, generator=rng, dtype=torch.float64).numpy())
    array = array.round() if whole else array
    if dtype == "bool":
        array = array > 0
        array.flat[:2] = [True, False]
    elif dtype.startswith("u"):
        array = abs(array) + 2
    given = probes.LAYOUTS[layout](array.astype(dtype))
    return {
        "case": [array, dtype, layout],
        "values": torch.from_numpy(np.array(given, dtype=np.float64, order="C")),
        "memory": torch.from_numpy(given.ravel(order="K").reshape(given.shape).astype(np.float64)),
    }


def halved(values):
    return (values.to(half).double() for half in (torch.float16, torch.bfloat16))


def standardized(values):
    if values.numel() > 1:
        yield from by_own_statistics(values, tuple(range(values.dim())), 0)
        yield values / values.max()
        yield (values - values.min()) / (values.max() - values.min())


numbers = Formula(
    "The tensor",
    draw=draw,
    reference=lambda values: values,
    message="The values of the tensor are not those of the array.",
    margin=1e-5,
    cases=[
        *({"shape": (4, 3), "dtype": dtype} for dtype in DTYPES),
        *({"shape": (4, 6), "layout": layout, "whole": True} for layout in probes.LAYOUTS),
        {"shape": (), "whole": True},
    ],
)
HALF = numbers.mistake("half-precision", halved, where_seen=True).says(
    "Your tensor is of type float16 or bfloat16, or has been on the way: half of the digits are"
    " lost."
)
numbers.mistake(
    "rounded-to-integers", lambda values: iter((values.trunc(), values.round())), where_seen=True
).says("Your values have lost what is behind the decimal point.")
numbers.mistake("divided-by-255", lambda values: values / 255).says(
    "Your values are those of the array divided by 255, as one does with images. Here the values"
    " should stay what they are."
)
numbers.mistake("standardized", standardized, where_seen=True).says(
    "Your values are standardized or scaled. That is a step of its own; here the values should stay"
    " what they are."
)
numbers.mistake("memory-order", lambda memory: memory, where_seen=True).says(
    "Your values come in the order in which the array lies in memory, which is not the order of its"
    " rows: a transposed array shows the difference."
)

misshapen = partial(numbers.mistake, shape_only=True)
misshapen(
    "single-number-gets-an-axis",
    lambda values: (values.reshape(1) for _ in [1] if not values.dim()),
).says(
    "An array of shape `()`, a single number, comes back with an axis, as shape `(1,)`. Some"
    " functions add one on the way (`np.ascontiguousarray`, `np.atleast_1d`)."
)
misshapen("flattened", lambda values: (values.flatten() for _ in [1] if values.dim() > 1)).says(
    "Your tensor is flat: it has the array's numbers, but not its shape."
)
misshapen("transposed", lambda values: values.permute(tuple(range(values.dim()))[::-1])).says(
    "Your tensor is the transpose of the array: rows and columns have changed places."
)
misshapen(
    "extra-axis",
    lambda values: (values.unsqueeze(n) for n in range(values.dim() + 1) if values.dim()),
).says("Your tensor has an axis more than the array (one of size 1).")

ARRAY = Misconception("not-a-tensor", "You return a NumPy array; a PyTorch tensor is asked for.")
LAYOUT = Misconception(
    "plain-layout-only",
    "Your function stops at an array that does not lie in memory in plain order: PyTorch"
    " does not read one backwards (negative strides). Section 2 shows a way around.",
)
PYTORCH_SAYS = (
    Says("ValueError", "stride in the given numpy array is negative", LAYOUT),
    Says("RuntimeError", "Storage size calculation overflowed", LAYOUT),  # by DLPack
)


def ask(student, drawn, device="cpu"):
    """What comes of arrays: tensors, each with its device before it."""
    with named_by_pytorch(*PYTORCH_SAYS):
        answers = student.run(probes.tensors, cases=[each["case"] for each in drawn], device=device)
    for where, got in answers:
        because = ARRAY if isinstance(got, np.ndarray) else None
        says = "A PyTorch tensor was expected; yours is {got}."
        expect(bool(where), says, because, got=kind(got))
    return answers


def check(student, rng, *cases):
    """Check the shapes and values of what comes of drawn arrays; return the tensors."""
    drawn = [numbers.draw(rng, **case) for case in cases]
    tensors = [tensor for _, tensor in ask(student, drawn)]
    for tensor, inputs in zip(tensors, drawn, strict=True):
        expect(tensor is not None, "The tensor should be on the device that is given.")
        real = not tensor.dtype.is_complex
        expect(real, "The tensor should be of type float32; yours is complex.")
        numbers.check(tensor, **inputs)
    return tensors


@pytest.mark.points(4)
def test_dtypes(student, rng):
    """An array of any numeric type becomes a float32 tensor of the same shape and values.

    table = np.array([[0.5, 1.5, 2.5], [-3.5, 4.5, 2049.5]])
    for array in (table, np.array([0, 200], dtype=np.uint8), table > 2):
        tensor = to_tensor(array, torch.device("cpu"))
        print(tensor.dtype, tensor.tolist())
    #> torch.float32 [[0.5, 1.5, 2.5], [-3.5, 4.5, 2049.5]]
    #> torch.float32 [0.0, 200.0]
    #> torch.float32 [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    """
    shapes = (4, 3), (5,), (2, 3, 4)
    cases = [{"shape": shape, "dtype": dtype} for shape in shapes for dtype in DTYPES]
    for tensor, case in zip(check(student, rng, *cases), cases, strict=True):
        got = str(tensor.dtype).removeprefix("torch.")
        mistake("dtype-kept", got == case["dtype"] != "float32").says(
            "Your tensor keeps the number type of the array; the parameters of a layer are float32,"
            " and the two do not go together."
        )
        because = HALF if got in ("float16", "bfloat16") else None
        says = "The tensor should be of type float32; yours is {got}."
        expect(got == "float32", says, because, got=got)


@pytest.mark.points(1)
def test_shapes(student, rng):
    """The tensor has the array's shape, with as many axes as there are, or none.

    for shape in (2, 3, 4), (6,), (1, 1), ():  # () is the shape of a single number
        tensor = to_tensor(np.full(shape, 7), torch.device("cpu"))
        print(tensor.shape, set(tensor.flatten().tolist()))
    #> torch.Size([2, 3, 4]) {7.0}
    #> torch.Size([6]) {7.0}
    #> torch.Size([1, 1]) {7.0}
    #> torch.Size([]) {7.0}
    """
    # A single number comes last: what other shapes show is told first.
    for shapes in [(2, 3, 4), (3, 2), (6,), (131,), (1, 1), (1,)], [()]:
        each = [(shape, dtype) for shape in shapes for dtype in ("float64", "float32")]
        check(student, rng, *({"shape": s, "dtype": dtype, "whole": True} for s, dtype in each))


@pytest.mark.points(3)
def test_layouts(student, rng):
    """It does not matter how the array lies in memory: transposed, read backwards, in parts.

    for dtype in (np.float64, np.float32):
        array = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype)
        for view in (array.T, array[::-1], array[:, ::2]):  # turned, read backwards, in parts
            tensor = to_tensor(view, torch.device("cpu"))
            print(torch.is_tensor(tensor), tensor.tolist())
    #> True [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    #> True [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
    #> True [[1.0, 3.0], [4.0, 6.0]]
    #> True [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    #> True [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
    #> True [[1.0, 3.0], [4.0, 6.0]]
    """
    # float32 among them: what is of the right type already is often handed on without a copy.
    dtypes = ["float64", "float32", "int64", "uint8"]
    each = [{"dtype": dtype, "layout": layout} for dtype in dtypes for layout in probes.LAYOUTS]
    check(student, rng, *({"shape": (4, 6), "whole": True, **case} for case in each))


@pytest.mark.points(2)
def test_device(student, rng):
    """The tensor is on the device that is given.

    # The device "meta" is there on every machine: its tensors have a shape, but no numbers.
    print(to_tensor(np.array([1.0, 2.0]), torch.device("meta")).device)
    #> meta
    """
    ((where, _),) = ask(student, [draw(rng, (4, 3))], device="meta")
    mistake("device-ignored", where != "meta").says(
        "Your tensor stays in main memory, whatever `device` your function is given."
    )
