"""Hands in a notebook whose JSON is nested beyond what a reader of JSON can do.

It is no notebook: what is graded is the empty assignment, and the feedback says why.
"""
# score: 0
# loses: MyLinear parameter_names count_parameters Standardize MLP
# says: it is not JSON

# handed in:
deep = "[" * 10**6 + "]" * 10**6
(folder / "parameters.ipynb").write_text(
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {"a": %s}, "cells": []}' % deep
)
