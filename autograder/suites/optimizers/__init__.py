"""Suites of `optimizers`: where the student's optimizers take parameters, step by step.

A probe gives an optimizer a gradient for each step, whatever the parameters are, and the grader
computes in float64 where they go: by the right rule, and by each wrong one that people write. What
an optimizer remembers, and under which names, nobody asks.

A test looks at one thing. A rule that is wrong in another one passes it: that costs points in the
test of that other one alone.
"""
