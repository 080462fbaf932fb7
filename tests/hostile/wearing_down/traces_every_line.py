"""Slows everything down by tracing each line, collecting garbage all the time and being nice.

Honest work that is slow keeps its points as long as it keeps its time.
"""
# score: 100
# says: slow

# cell: before MyLinear
import gc
import os
import sys

gc.set_threshold(1)
os.nice(19)
sys.setprofile(lambda *ignored: None)
print("slow")
