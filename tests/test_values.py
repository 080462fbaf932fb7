"""Values cross the boundary as data: what is right comes back, all else is refused."""

import base64
import json
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from autograder.kernel import inside, values
from autograder.kernel.values import BadValue, Trouble, Unknown


def outcome(value: Any, **more: Any) -> str:
    """Pack what a probe returned, as the student kernel does."""
    pieces = inside.Pieces()
    tree = {"error": None, "autograd": [], "value": inside.encode(value, pieces), **more}
    return base64.b64encode(inside.pack(tree, pieces)).decode()


def pointing(*reference: Any) -> str:
    """An outcome with a reference to the 6 numbers of a tensor."""
    tensors = safetensors.torch.save({"x": torch.ones(6), "y": torch.ones(2, 3)})
    return raw({"error": None, "autograd": [], "value": {"tensor": list(reference)}}, tensors)


def raw(tree: Any, rest: bytes = b"") -> str:
    text = json.dumps(tree).encode()
    return base64.b64encode(struct.pack("<Q", len(text)) + text + rest).decode()


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, "text", [1, [2, "x"]], {"a": [1.5, None], "b": {}}, [], float("inf")],
)
def test_plain_values_come_back(value: Any) -> None:
    assert values.unpack_outcome(outcome(value)).value == value


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_tensors_come_back(dtype: torch.dtype) -> None:
    tensor = torch.arange(6).reshape(2, 3).T.to(dtype)
    back = values.unpack_outcome(
        outcome({"x": [tensor, torch.tensor(1.0), torch.ones(0, 2**40)]})
    ).value
    assert back["x"][0].dtype == dtype
    assert torch.equal(back["x"][0], tensor)
    assert back["x"][1].shape == ()
    assert back["x"][2].shape == (0, 2**40)


def test_arrays_come_back_as_arrays() -> None:
    back = values.unpack_outcome(outcome([np.ones((2, 3), dtype="int16"), np.float32(1.5)])).value
    assert isinstance(back[0], np.ndarray)
    assert back[0].dtype == np.int16
    assert back[1] == 1.5


def test_views_and_parameters_come_back_plain() -> None:
    parameter = torch.nn.Parameter(torch.ones(4, 5))
    back = values.unpack_outcome(outcome([parameter, parameter.T, parameter[1:, ::2]])).value
    assert type(back[0]) is torch.Tensor
    assert not back[0].requires_grad
    assert back[2].shape == (3, 3)


def test_other_objects_are_only_named() -> None:
    class Evil:
        def __repr__(self) -> str:
            raise SystemExit

    back = values.unpack_outcome(outcome([Evil(), (i for i in range(3)), {1: 2}])).value
    assert back == [Unknown("Evil"), Unknown("generator"), Unknown("dict")]


def test_trouble_comes_back() -> None:
    told = {"kind": "error", "type": "ValueError", "message": "m" * 9000, "line": "x = 1"}
    back = values.unpack_outcome(outcome(None, error=told)).trouble
    assert back == Trouble("error", "ValueError", "m" * 2000, "x = 1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",
        "not base64!",
        base64.b64encode(struct.pack("<Q", 2**63) + b"{}").decode(),
        raw([]),
        raw({"error": None, "autograd": []}),
        raw({"error": None, "autograd": [], "value": {"tensor": "0"}}),
        raw({"error": None, "autograd": [], "value": {"tensor": ["0"]}}),
        *(pointing(), pointing("x"), pointing("z", 0, [6]), pointing(["x"], 0, [6])),
        *(pointing("x", 0, [7]), pointing("x", 1, [6]), pointing("x", -6, [6])),
        *(
            pointing("x", 0, [-1]),
            pointing("x", 0, [2**200, 0]),
            pointing("x", 2**200, [6]),
            pointing("x", 0, [1.0, 6]),
        ),
        *(pointing("x", 0, 6), pointing("x", 0, [True, 6]), pointing("x", 0, [1] * 65 + [6])),
        *(pointing("y", 0, [2]), pointing("x", None, [6]), pointing("x", 0, {"a": 6})),
        raw({"error": None, "autograd": [], "value": {"a": 1, "b": 2}}),
        raw({"error": None, "autograd": [], "value": {"what": 1}}),
        raw({"error": None, "autograd": [], "value": {"float": "9"}}),
        raw({"error": None, "autograd": 3, "value": 1}),
        raw({"error": {"kind": 3}, "autograd": [], "value": 1}),
        raw({"error": "x", "autograd": [], "value": 1}),
        raw({"error": None, "autograd": [], "value": 1}, b"\xff" * 40),
        raw({"error": None, "autograd": [], "value": [0] * (values.MAX_NODES + 1)}),
        base64.b64encode(struct.pack("<Q", 200_000) + b"[" * 200_000).decode(),
        base64.b64encode(struct.pack("<Q", 6000) + b"9" * 6000).decode(),
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        values.unpack_outcome(text)


def test_too_much_is_refused() -> None:
    with pytest.raises(BadValue, match="larger than"):
        values.unpack_outcome("A" * (values.MAX_BYTES * 4 // 3 + 8))


def test_deep_values_are_cut() -> None:
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    assert "deeply nested" in str(values.unpack_outcome(outcome(deep)).value)


def packed(tree: bytes, rest: bytes = b"") -> str:
    return base64.b64encode(struct.pack("<Q", len(tree)) + tree + rest).decode()


def value_of(text: bytes) -> bytes:
    return b'{"error": null, "autograd": [], "value": ' + text + b"}"


#: Sixteen times the largest tree.
MOST = 16 * values.MAX_TREE
MANY_TENSORS = {f"{n}": torch.ones(1) for n in range(2_000)}
LARGE = safetensors.torch.save({"x": torch.ones(2**20)})


@pytest.mark.parametrize(
    "text",
    [
        packed(value_of(b"[" + b"[]," * 2_600_000 + b"[]]")),
        packed(value_of(b"[" + b"{}," * 2_600_000 + b"{}]")),
        packed(value_of(b"[" + b"0," * 4_000_000 + b"0]")),
        packed(value_of(b"[" + b'"",' * 2_600_000 + b"0]")),
        packed(value_of(b'["' + b"\\u00e9" * 2_000_000 + b'"]')),
        packed(value_of(b'{"dict": {' + b'"\\u1234":{"":' * 600_000)),
        packed(value_of(b"9" * 8_000_000)),
        packed(value_of(b'{"tensor": ["0", 0, [1]]}'), safetensors.torch.save(MANY_TENSORS)),
        packed(
            value_of(b"[" + b'{"tensor": ["x", 0, [1048576]]},' * 2_000 + b"0]"),
            LARGE,
        ),
    ],
    ids=["lists", "dicts", "numbers", "texts", "letters", "keys", "digits", "tensors", "twice"],
)
def test_what_grows_when_it_is_read_is_refused_before(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadValue) as refused:
            values.unpack_outcome(text)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    # Failures are kept to the end of a grading: nothing that was read lives on in one.
    assert refused.value.__context__ is None
