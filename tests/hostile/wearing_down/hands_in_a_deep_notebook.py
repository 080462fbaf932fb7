"""Hands in a notebook whose JSON is nested beyond what a reader of JSON can do.

It cannot be graded, and the feedback says why.
"""
# score: none
# says: is nested deeper than a notebook can be

# handed in:
deep = "[" * 10**6 + "]" * 10**6
(folder / "parameters.ipynb").write_text(
    '{"nbformat": 4, "nbformat_minor": 5, "cells": [{"metadata": {"a": %s}}]}' % deep
)
