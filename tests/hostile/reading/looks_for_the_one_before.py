"""Looks for traces of whoever was graded before: files, history, variables, caches, random state.

Every kernel starts as a fork of the same fresh process, with file systems of its own.
"""
# score: 100
# says: found: \[\]

# cell: before MyLinear
import os
import readline
import linecache
import sys

found = [name for place in ("/tmp", "/dev/shm") for name in os.listdir(place) if name[0] != "."]
found = [name for name in found if not sys.prefix.startswith(f"/tmp/{name}/")]
found += [name for name in os.listdir(".") if name != "parameters.ipynb"]
lines = get_ipython().history_manager.input_hist_raw
given = "found", "def visible_check"  # this cell, and the one that every notebook has
found += [line for line in lines if "own" in line and not any(each in line for each in given)]
found += [name for name in linecache.cache if "ipykernel_" in name and "hostile" in name]
found += [readline.get_history_item(n) for n in range(readline.get_current_history_length())]
found += [name for name in get_ipython().user_ns if name in ("seen", "answers", "kernel")]
print("found:", found)
