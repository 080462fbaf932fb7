"""Takes memory until there is no more: Python's, then torch's.

Each gets the error that Python and torch have for it, and the kernel lives on.
"""
# score: 100
# says: MemoryError
# says: can't allocate memory

# cell: before MLP
hoard = []
while True:
    hoard.append(bytearray(10**8))

# cell: before MLP
hoard.clear()

# cell: before MLP
hoard = [torch.ones(10**8) for _ in range(100)]
