"""Suites of `autograd_functions`: both passes of a Function, and derivatives of derivatives."""
