"""`to_tensor`: float32 of the same shape and values, from any numeric dtype and memory layout.

The other byte order is not asked for: no lesson of the notebook is about it.
"""

import numpy as np
import pytest
import torch

from autograder.exercise import checks
from autograder.exercise.checks import Misconception, expect, fail
from autograder.exercise.pytorch_words import Says, named_by_pytorch

KEEPS_DTYPE = Misconception(
    "dtype-kept",
    "Your tensor keeps the number type of the array; the parameters of a layer are float32, and the"
    " two do not go together.",
)
HALF = Misconception(
    "half-precision",
    "Your tensor is of type float16 or bfloat16, or has been on the way: half of the digits are"
    " lost.",
)
INTEGERS = Misconception(
    "rounded-to-integers", "Your values have lost what is behind the decimal point."
)
SCALED = Misconception(
    "divided-by-255",
    "Your values are those of the array divided by 255, as one does with images. Here the values"
    " should stay what they are.",
)
STANDARDIZED = Misconception(
    "standardized",
    "Your values are standardized or scaled. That is a step of its own; here the values should stay"
    " what they are.",
)
TRANSPOSED = Misconception(
    "transposed", "Your tensor is the transpose of the array: rows and columns have changed places."
)
FLATTENED = Misconception(
    "flattened", "Your tensor is flat: it has the array's numbers, but not its shape."
)
EXTRA_AXIS = Misconception(
    "extra-axis", "Your tensor has an axis more than the array (one of size 1)."
)
LAYOUT = Misconception(
    "plain-layout-only",
    "Your function stops at an array that does not lie in memory in plain order: PyTorch"
    " does not read one backwards (negative strides). Section 2 shows a way around.",
)
SINGLE = Misconception(
    "single-number-gets-an-axis",
    "An array of shape `()`, a single number, comes back with an axis, as shape `(1,)`. Some"
    " functions add one on the way (`np.ascontiguousarray`, `np.atleast_1d`).",
)
MEMORY_ORDER = Misconception(
    "memory-order",
    "Your values come in the order in which the array lies in memory, which is not the order of its"
    " rows: a transposed array shows the difference.",
)
ARRAY = Misconception("not-a-tensor", "You return a NumPy array; a PyTorch tensor is asked for.")
DEVICE_IGNORED = Misconception(
    "device-ignored", "Your tensor stays in main memory, whatever `device` your function is given."
)


def probe_to_tensor(notebook, cases, device):
    results = []
    for base, dtype, layout in cases:
        array = base.astype(dtype)
        if layout == "transposed":
            array = array.T
        elif layout == "Fortran order":
            array = np.asfortranarray(array)
        elif layout == "every second column":
            array = array[:, ::2]
        elif layout == "every second row":
            array = array[::2]
        elif layout == "read backwards":
            array = array[::-1]
        elif layout == "mirrored":
            array = array[:, ::-1]
        elif layout == "stretched":
            array = np.broadcast_to(array[0], array.shape)
        elif layout == "read-only":
            array.flags.writeable = False
        result = notebook.to_tensor(array, torch.device(device))
        found = {"tensor": None, "device": "", "shape": [], "raw": None}
        if isinstance(result, torch.Tensor):
            found["device"] = result.device.type
            found["tensor"] = None if result.is_meta else result
            found["shape"] = list(result.shape)
        else:
            found["raw"] = result
        results.append(found)
    return results


def compare(found, dtype, wanted, memory=None):
    """Compare a result with the array as it should be.

    Args:
        found: of the probe.
        dtype: of the array; None where the result's type is another test's matter.
        wanted: the array, float64.
        memory: its values in the order in which they lie in memory.
    """
    got = found["tensor"]
    if got is None:
        raw = found["raw"]
        fail(
            f"A PyTorch tensor was expected; yours is {checks.kind(raw)}.",
            because=ARRAY if isinstance(raw, np.ndarray) else None,
        )
    expect(not got.dtype.is_complex, "The tensor should be of type float32; yours is complex.")
    if tuple(got.shape) != wanted.shape:
        same = got.numel() == wanted.size
        fail(
            f"The tensor should have the shape of the array, {wanted.shape};"
            f" yours has shape {tuple(got.shape)}.",
            because=SINGLE
            if same and wanted.ndim == 0 and got.dim() == 1
            else FLATTENED
            if same and got.dim() == 1
            else TRANSPOSED
            if tuple(got.shape) == wanted.shape[::-1]
            else EXTRA_AXIS
            if same and got.dim() == wanted.ndim + 1
            else None,
        )
    values = torch.from_numpy(wanted)
    if dtype is not None and got.dtype != torch.float32:
        fail(
            "The tensor should be of type float32;"
            f" yours is {str(got.dtype).removeprefix('torch.')}.",
            because=HALF
            if got.dtype in (torch.float16, torch.bfloat16) and dtype != "float16"
            else KEEPS_DTYPE
            if str(got.dtype) == f"torch.{dtype}"
            else None,
        )
    size = float(values.abs().max())
    # One rounding to float32 is exact to half a unit in the last place.
    among = [
        (HALF, values.to(torch.float16).double()),
        (HALF, values.to(torch.bfloat16).double()),
        (INTEGERS, values.trunc()),
        (INTEGERS, values.round()),
        (SCALED, values / 255),
    ]
    if values.numel() > 1 and values.std() > 0:
        among += [
            (STANDARDIZED, (values - values.mean()) / values.std()),
            (STANDARDIZED, (values - values.mean()) / values.std(correction=0)),
            (STANDARDIZED, (values - values.mean(0)) / values.std(0)),
            (STANDARDIZED, (values - values.mean(0)) / values.std(0, correction=0)),
            (STANDARDIZED, values / values.max()),
            (STANDARDIZED, (values - values.min()) / (values.max() - values.min())),
        ]
    if memory is not None:
        among.append((MEMORY_ORDER, torch.from_numpy(memory)))
    checks.close(
        got,
        values,
        "The tensor",
        checks.roundoff(1),
        among=among,
        message="The values of the tensor are not those of the array.",
        scale=size,
    )


TYPES = """\
table = np.array([[0.5, 1.5, 2.5], [-3.5, 4.5, 2049.5]])
for array in (table, np.array([0, 200], dtype=np.uint8), table > 2):
    tensor = to_tensor(array, torch.device("cpu"))
    print(tensor.dtype, tensor.tolist())
#> torch.float32 [[0.5, 1.5, 2.5], [-3.5, 4.5, 2049.5]]
#> torch.float32 [0.0, 200.0]
#> torch.float32 [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
"""

FLOATS = ["float64", "float32", "float16"]
DTYPES = [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool"]


@pytest.mark.points(4)
@pytest.mark.example(TYPES)
def test_dtypes(student, rng):
    """An array of any numeric type becomes a float32 tensor of the same shape and values."""
    cases = []
    for shape in ((4, 3), (5,), (2, 3, 4)):
        for dtype in DTYPES:
            base = draw(rng, *shape)
            if dtype == "bool":
                base = base > 0
                base.flat[:2] = [True, False]
            elif dtype.startswith("u"):
                base = abs(base) + 2
            cases.append((base, dtype, "plain"))
    found = student.run(probe_to_tensor, cases=cases, device="cpu")
    for each, (base, dtype, _) in zip(found, cases, strict=True):
        compare(each, dtype, base.astype(dtype).astype(np.float64))


ANY_SHAPE = """\
for shape in (2, 3, 4), (6,), (1, 1), ():  # () is the shape of a single number
    tensor = to_tensor(np.full(shape, 7), torch.device("cpu"))
    print(tensor.shape, set(tensor.flatten().tolist()))
#> torch.Size([2, 3, 4]) {7.0}
#> torch.Size([6]) {7.0}
#> torch.Size([1, 1]) {7.0}
#> torch.Size([]) {7.0}
"""

#: A single number comes last: what other shapes show is told first.
SHAPES = [[(2, 3, 4), (3, 2), (6,), (131,), (1, 1), (1,)], [()]]


@pytest.mark.points(1)
@pytest.mark.example(ANY_SHAPE)
def test_shapes(student, rng):
    """The tensor has the array's shape, with as many axes as there are, or none."""
    for shapes in SHAPES:
        cases = [
            (np.asarray(draw(rng, *shape).round()), dtype, "plain")
            for shape in shapes
            for dtype in ("float64", "float32")
        ]
        found = student.run(probe_to_tensor, cases=cases, device="cpu")
        for each, (base, dtype, _) in zip(found, cases, strict=True):
            compare(each, None, base.astype(dtype).astype(np.float64))


LAYOUTS_EXAMPLE = """\
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

LAYOUTS = {
    "transposed": lambda array: array.T,
    "Fortran order": lambda array: array,
    "every second column": lambda array: array[:, ::2],
    "every second row": lambda array: array[::2],
    "read backwards": lambda array: array[::-1],
    "mirrored": lambda array: array[:, ::-1],
    "stretched": lambda array: np.broadcast_to(array[0], array.shape),
    "read-only": lambda array: array,
}
#: float32 among them: what is of the right type already is often handed on without a copy.
LAYOUT_DTYPES = ["float64", "float32", "int64", "uint8"]


@pytest.mark.points(3)
@pytest.mark.example(LAYOUTS_EXAMPLE)
def test_layouts(student, rng):
    """It does not matter how the array lies in memory: transposed, read backwards, in parts."""
    bases = [(draw(rng, 4, 6).round(), layout) for layout in LAYOUTS]
    cases = [
        (abs(base) if dtype == "uint8" else base, dtype, layout)
        for dtype in LAYOUT_DTYPES
        for base, layout in bases
    ]
    for each, (base, _, layout) in zip(run(student, cases), cases, strict=True):
        wanted = np.ascontiguousarray(LAYOUTS[layout](base))
        memory = base.T if layout == "Fortran order" else base
        memory = memory.reshape(wanted.shape) if memory.size == wanted.size else None
        compare(each, None, wanted, memory)


PYTORCH_SAYS = (
    Says("ValueError", "stride in the given numpy array is negative", LAYOUT),
    Says("RuntimeError", "Storage size calculation overflowed", LAYOUT),  # by DLPack
)


def run(student, cases):
    """The results, with LAYOUT named where PyTorch refused to read an array."""
    with named_by_pytorch(*PYTORCH_SAYS):
        return student.run(probe_to_tensor, cases=cases, device="cpu")


DEVICE = """\
# The device "meta" is there on every machine: its tensors have a shape, but no numbers.
print(to_tensor(np.array([1.0, 2.0]), torch.device("meta")).device)
#> meta
"""


@pytest.mark.points(2)
@pytest.mark.example(DEVICE)
def test_device(student, rng):
    """The tensor is on the device that is given."""
    cases = [(draw(rng, 4, 3), "float64", "plain")]
    (found,) = student.run(probe_to_tensor, cases=cases, device="meta")
    array = isinstance(found["raw"], np.ndarray)
    expect(
        bool(found["device"]), "A PyTorch tensor was expected.", because=ARRAY if array else None
    )
    expect(found["device"] == "meta", "", because=DEVICE_IGNORED)


def draw(rng, *shape):
    return np.asarray(30 * torch.randn(shape, generator=rng, dtype=torch.float64).numpy())
