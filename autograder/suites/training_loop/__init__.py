"""Suites of `training_loop`: what the loops do, watched step by step.

One probe serves the suites of the three loops. It builds a small network of given parameters, and
notes at each forward pass and at each step of the optimizer what the parameters and gradients are.
The grader computes from those parameters, in float64 and by itself, what the loss and the gradient
must be there; so one mistake does not spread to every number after it.
"""
