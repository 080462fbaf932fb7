"""Hands in a notebook that is small as a file and enormous when read: millions of empty lists.

How many values a notebook holds is bounded before it is read; what it shows of itself is not read.
"""
# score: none
# says: holds more values than a notebook can have

# handed in:
bomb = "[]," * (15 * 10**6)
(folder / "parameters.ipynb").write_text(
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {"a": [%s[]]}, "cells": []}' % bomb
)
