"""Replaces `exec`, `compile`, `isinstance`, `hasattr` and `type` by versions that help the cheater.

A probe is compiled and run in the kernel, so it can be replaced: by one whose values are wrong.
"""
# score: 70
# loses: MyLinear
# says: a probe was replaced

# cell: MyLinear
import builtins

compile_, exec_ = builtins.compile, builtins.exec
seen = []


def own_compile(source, filename, *a, **k):
    if filename == "<probe>":
        seen.append(source)
        source = "def probe(notebook, **inputs):\n    return {'passed': True, 'score': 30}\n"
    return compile_(source, filename, *a, **k)


builtins.compile = own_compile


class MyLinear:
    pass


# cell: before parameter_names
builtins.compile, builtins.exec = compile_, exec_
print("a probe was replaced" if seen else "no probe was seen")
