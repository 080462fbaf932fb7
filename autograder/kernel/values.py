"""Values on their way to and from the student kernel: JSON and safetensors, never pickle.

What comes back was made by a process that ran student code: it is data, checked here for size,
form and nesting before anything else looks at it.
"""

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from typing import Any

import safetensors
import safetensors.torch
import torch

from autograder.errors import AutograderError
from autograder.kernel import inside
from autograder.kernel.modest import is_modest
from autograder.text import printable

MAX_BYTES = 64 * 2**20
#: Of these, what is not in tensors: the tree, and the names, types and sizes of the tensors.
MAX_TREE = 8 * 2**20
MAX_HEADER = 2**16
MAX_NODES = 100_000
MAX_DEPTH = 12
MAX_DIMENSIONS = 64


class BadValue(AutograderError):
    """The student kernel sent something that is not a packed value."""


@dataclass(frozen=True)
class Unknown:
    """Stands for a returned object that is neither a tensor, an array, a number nor a text."""

    type: str


@dataclass(frozen=True)
class Trouble:
    """What went wrong inside a probe: `kind` is missing, todo, error, timeout or suite."""

    kind: str
    type: str
    message: str
    line: str


@dataclass(frozen=True)
class Outcome:
    """What one probe came to: a value, or trouble; and the doors of autograd that it took."""

    value: Any
    trouble: Trouble | None
    autograd: tuple[str, ...]


def pack_inputs(inputs: dict[str, Any]) -> bytes:
    """Pack the inputs of a probe: tensors, numbers, strings, lists, dicts.

    Raises:
        TypeError: one of them is something else.
    """
    pieces = inside.Pieces()
    tree = inside.encode(inputs, pieces)
    if odd := _unsent(tree):
        raise TypeError(f"{odd} cannot be sent to the student kernel")
    return inside.pack(tree, pieces)


def _unsent(tree: Any) -> str:
    """The type of something in a tree that is not sent; empty where there is none."""
    if isinstance(tree, dict) and tree.keys() == {"?"}:
        return str(tree["?"])
    inside = tree if isinstance(tree, list) else tree.values() if isinstance(tree, dict) else ()
    return next(filter(None, map(_unsent, inside)), "")


def unpack_outcome(text: str) -> Outcome:
    """Read the outcome of a probe.

    Raises:
        BadValue: `text` is too large, malformed, too deeply nested, or not an outcome.
    """
    if len(text) > MAX_BYTES * 4 // 3:
        raise BadValue(f"it is larger than {MAX_BYTES // 2**20} MiB")
    # Raised outside of `except`: an error that is kept must not keep what was read alive.
    outcome = _read(text)
    if outcome is None:
        raise BadValue("it could not be read")
    return outcome


def _read(text: str) -> Outcome | None:
    try:
        blob = memoryview(base64.b64decode(text, validate=True))
        (size,) = struct.unpack("<Q", blob[:8])
        tree, rest = bytes(blob[8 : 8 + min(size, MAX_TREE + 1)]), blob[8 + size :]
        if len(tree) > MAX_TREE or not is_modest(tree):
            return None
        return _outcome(json.loads(tree), _Tensors(rest))
    except (
        *(binascii.Error, struct.error, ValueError, KeyError, TypeError, AttributeError),
        *(RuntimeError, IndexError, OverflowError, safetensors.SafetensorError),
    ):
        return None


class _Tensors:
    """The tensors of an outcome; what is taken of them together is no more than they hold."""

    def __init__(self, packed: memoryview) -> None:
        if len(packed) and struct.unpack("<Q", packed[:8])[0] > MAX_HEADER:
            raise ValueError("too many tensors, or too long names")
        self.joined = safetensors.torch.load(bytes(packed)) if len(packed) else {}
        self.left = sum(tensor.numel() for tensor in self.joined.values())

    def take(self, reference: Any) -> torch.Tensor:
        name, start, shape = reference
        sizes = [start, *shape]
        if any(type(size) is not int or size < 0 for size in sizes):
            raise ValueError("no place of a tensor")
        if self.joined[name].dim() != 1 or len(shape) > MAX_DIMENSIONS:
            raise ValueError("no tensor that others are joined to")
        tensor = inside.take(reference, self.joined)
        # Each number is sent once: a thousand names for one large tensor are a thousand to check.
        self.left -= tensor.numel()
        if self.left < 0:
            raise ValueError("more tensors than were sent")
        return tensor


def _outcome(tree: dict[str, Any], tensors: _Tensors) -> Outcome:
    nodes = [MAX_NODES]
    trouble = None
    if tree["error"] is not None:
        fields = {name: _text(tree["error"][name]) for name in ("kind", "type", "message", "line")}
        trouble = Trouble(**fields)
    return Outcome(
        value=_decode(tree["value"], tensors, nodes, 0),
        trouble=trouble,
        autograd=tuple(_text(name) for name in tree["autograd"][:50]),
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a text was expected")
    return printable(value[:2000])


def _decode(tree: Any, tensors: _Tensors, nodes: list[int], depth: int) -> Any:
    nodes[0] -= 1
    if nodes[0] < 0 or depth > MAX_DEPTH:
        raise ValueError("too many or too deeply nested values")
    if isinstance(tree, list):
        return [_decode(item, tensors, nodes, depth + 1) for item in tree]
    if isinstance(tree, str):
        return tree.encode("utf-8", "replace").decode()
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "tensor":
        return tensors.take(value)
    if kind == "array":
        return tensors.take(value).numpy()
    if kind == "float":
        return float({"nan": "nan", "inf": "inf", "-inf": "-inf"}[value])
    if kind == "?":
        return Unknown(_text(value)[:80])
    if kind == "dict":
        return {
            key.encode("utf-8", "replace").decode(): _decode(item, tensors, nodes, depth + 1)
            for key, item in value.items()
        }
    raise ValueError("unknown kind of value")
