"""Lets IPython rewrite the code that arrives with a probe, so that another one runs in its place.

All that another one can do is send values; these are wrong.
"""
# score: 70
# loses: MyLinear
# says: rewrote [1-9]

# cell: MyLinear
import base64
import json
import struct

rewritten = []
tree = json.dumps({"error": None, "value": {"dict": {"y": 30}}, "autograd": []}).encode()
answer = base64.b64encode(struct.pack("<Q", len(tree)) + tree).decode()


def rewrite(lines):
    if any("__autograder__" in line for line in lines):
        rewritten.append(1)
        return [f"__autograder__ = {answer!r}\n"]
    return lines


get_ipython().input_transformers_cleanup.append(rewrite)

# cell: before parameter_names
get_ipython().input_transformers_cleanup.remove(rewrite)
print("rewrote", len(rewritten))
