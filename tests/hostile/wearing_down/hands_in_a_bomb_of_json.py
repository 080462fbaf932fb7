"""Hands in a notebook that is small as a file and enormous when read: millions of empty lists.

How many values a notebook holds is bounded before it is read.
"""
# score: 0
# loses: MyLinear parameter_names count_parameters Standardize MLP
# says: could not be graded

# handed in:
bomb = "[]," * (15 * 10**6)
(folder / "parameters.ipynb").write_text(
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {"a": [%s[]]}, "cells": []}' % bomb
)
