"""Hands in code that crashes or stalls programs that read code: nested, endless, not text.

It runs in the kernel, or does not; what reads it in the grader and in the feedback lives on.
"""
# score: 100
# says: SyntaxError|RecursionError|MemoryError|KernelDied

# handed in:
from nbformat.v4 import new_code_cell

for source in (
    "(" * 50_000 + ")" * 50_000,
    "x = " + "-" * 200_000 + "1",
    "x = " + "1 + " * 60_000 + "1",
    "x = a" + ".b" * 100_000,
    "x = " + "[" * 200 + "]" * 200,
    "f'" + "{" * 10_000 + "'",
    "x = '\x00'",
    "\x0c\ufeff\u2028 = 1",
    "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 99)) + " " * 99 + "pass",
    "lambda: " * 30_000 + "0",
    "x" * 200_000 + " = 1",
    "%" * 10_000,
    "!" * 10_000,
    '"""' + "a\\\n" * 60_000,
    "%%" + "a" * 10_000 + "\nx",
    "del " * 20_000,
):
    nb.cells.append(new_code_cell(source))
