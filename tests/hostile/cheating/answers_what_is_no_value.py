"""Answers probes with every kind of malformed outcome: no base64, deep JSON, missing parts, lies.

Each costs the check that asked, and nothing else.
"""
# score: 0
# loses: MyLinear parameter_names count_parameters Standardize MLP
# says: is no value|could not be read

# cell: before MyLinear
import base64
import json
import struct


def packed(tree, rest=b""):
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return base64.b64encode(struct.pack("<Q", len(text)) + text + rest).decode()


def outcome(value, **more):
    return {"error": None, "value": value, "autograd": [], **more}


def tensor(header, data=b""):
    text = json.dumps(header).encode()
    return packed(outcome({"tensor": ["0", 0, [1]]}), struct.pack("<Q", len(text)) + text + data)


deep = b'{"error": null, "autograd": [], "value": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
answers = [
    "",
    "A",
    "no base64: \ud800",
    "A" * 10_000_000,
    packed([]),
    packed({}),
    packed(b"{"),
    packed(b"\xff\xfe"),
    packed(b"9" * 5000),
    packed(b'{"error": null, "autograd": [], "value": ' + b"9" * 10_000 + b"}"),
    packed(b'{"error": null, "autograd": [], "value": NaN}'),
    packed(deep),
    packed(outcome([[]] * 200_000)),
    packed(outcome({"a": 1, "b": 2})),
    packed(outcome({})),
    packed(outcome({"float": "1_0"})),
    packed(outcome({"tensor": "0"})),
    packed(outcome({"tensor": ["0", 0, [1]]})),
    packed(outcome({"?": 5})),
    packed(outcome({"dict": [1]})),
    packed(outcome(1, error="an error")),
    packed(outcome(1, error={"kind": "x", "type": None, "message": [], "line": {}})),
    packed(outcome(1, error={"kind": "error", "type": "x" * 10**6, "message": "y" * 10**6, "line": ""})),
    packed(outcome(1, autograd=5)),
    packed(outcome(1, autograd=[{}])),
    tensor({"0": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
    tensor({"0": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    tensor({"0": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}, bytes(4)),
    tensor({"0": {"dtype": "F8_E5M2", "shape": [4], "data_offsets": [0, 4]}}, bytes(4)),
    *(
        packed(outcome({kind: ["0", start, shape]}), struct.pack("<Q", len(form)) + form + bytes(4))
        for form in [b'{"0":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}']
        for kind in ("tensor", "array")
        for start, shape in ((1, [1]), (0, [2**40]), (0, [2**62, 0]), (-1, [1]), (0, None))
    ),
    base64.b64encode(struct.pack("<Q", 2**63) + b"{}").decode(),
]
turn = [0]
expressions = get_ipython().user_expressions


def answer(wanted):
    if not wanted:
        return {}
    turn[0] += 1
    text = repr(answers[turn[0] % len(answers)])
    return {"answer": {"status": "ok", "data": {"text/plain": text}, "metadata": {}}}


get_ipython().user_expressions = answer

# cell: after test_MLP
print("answered", turn[0], "probes")
