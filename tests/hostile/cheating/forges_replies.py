"""Writes replies to the grader's socket itself, in a thread, for each request as it is handled.

A forged reply is an answer with values that the forger had to find: these are wrong.
"""
# score: 70
# loses: MyLinear
# says: forged [1-9]

# cell: MyLinear
import base64
import json
import struct

kernel, forged = get_ipython().kernel, []
tree = json.dumps({"error": None, "value": {"dict": {"passed": True}}, "autograd": []}).encode()
answer = base64.b64encode(struct.pack("<Q", len(tree)) + tree).decode()


class MyLinear:
    def __init__(self, *sizes, **options):
        content = {
            "status": "ok",
            "execution_count": 1,
            "payload": [],
            "user_expressions": {
                "answer": {
                    "status": "ok",
                    "data": {"text/plain": repr(answer)},
                    "metadata": {},
                }
            },
        }
        forged.append(
            kernel.session.send(
                kernel.shell_stream,
                "execute_reply",
                content,
                parent=kernel.get_parent(),
                ident=kernel._parent_ident["shell"],
            )
        )


# cell: before parameter_names
print("forged", len(forged))
del MyLinear
