"""Takes memory for the tables of an empty mapping, which no limit of a process counts.

They count with the rest: past the limit, the kernel is ended, and the next cell has a fresh one.
"""
# score: 100
# says: memory|TimeLimit

# cell: before MLP
import mmap, time

flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000
empty = mmap.mmap(-1, 2**40, flags=flags, prot=mmap.PROT_READ)
for i in range(0, 2**40, 2**21):
    empty[i]
time.sleep(60)
