"""Replaces `exec`, `compile`, `isinstance`, `hasattr` and `type` by versions that help the cheater.

A probe runs in the kernel, so it can be replaced there: by one whose values are wrong.
"""
# score: 70
# loses: MyLinear
# says: a probe was replaced

# cell: MyLinear
import builtins

compile_, exec_ = builtins.compile, builtins.exec
seen = []


def own_exec(code, *a, **k):
    if getattr(code, "co_filename", "") == "<probe>":
        seen.append(code)
        code = "def probe(notebook, **inputs):\n    return {'passed': True, 'score': 30}\n"
    return exec_(code, *a, **k)


builtins.exec = own_exec


class MyLinear:
    pass


# cell: before parameter_names
builtins.compile, builtins.exec = compile_, exec_
print("a probe was replaced" if seen else "no probe was seen")
