"""A large submission leaves nothing of its size behind in the process that read it."""

import subprocess
import sys

import pytest

#: Frees a large piece, then another one below small ones that stay; prints what is kept, in MiB.
CODE = """
import os
from autograder.grading import heap

def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

{first}
_ = b"x" * (30 * 2**20)
del _
before = resident()
large = b"x" * (25 * 2**20)
small = [b"x" * 100_000 for _ in range(20)]
del large
print(resident() - before)
"""


def kept(first: str) -> float:
    code = CODE.format(first=first)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library's own way elsewhere")
def test_large_pieces_are_given_back() -> None:
    assert kept("") > 20  # or the C library does not need it any more
    assert kept("heap.give_back_large_pieces()") < 10
