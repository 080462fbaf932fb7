"""Prints text that takes a page hours: a colour for each letter, carriage returns, backspaces.

The feedback is made in reasonable time, and shows text.
"""
# score: 100
# says: painted

# cell: before MLP
print("painted" + "\x1b[31m" * 200_000)

# cell: before MLP
print("".join(f"\x1b[38;2;{n % 256};1;2mx" for n in range(60_000)))

# cell: before MLP
print("\r" * 10**6)
print("\b" * 500_000 + "\x00" * 500_000)

# cell: before MLP
raise ValueError("\x1b[1;31mx" * 10**5)
