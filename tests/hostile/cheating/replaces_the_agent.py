"""Replaces what IPython answers a probe with, so that another outcome than the probe's is sent.

All that another one can do is send values; these are wrong.
"""
# score: 70
# loses: MyLinear
# says: answered [1-9]

# cell: MyLinear
import base64
import json
import struct

answered = []
tree = json.dumps({"error": None, "value": {"dict": {"y": 30}}, "autograd": []}).encode()
answer = base64.b64encode(struct.pack("<Q", len(tree)) + tree).decode()


def user_expressions(expressions):
    answered.append(1)
    text = {"text/plain": repr(answer)}
    return {name: {"status": "ok", "data": text, "metadata": {}} for name in expressions}


get_ipython().user_expressions = user_expressions

# cell: before parameter_names
del get_ipython().user_expressions
print("answered", len(answered))
