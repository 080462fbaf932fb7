"""Spends its time in a C function that looks at no signal.

It is replaced when its time is over.
"""
# score: 100
# says: TimeLimit

# cell: before MLP
sum(range(10**14))
