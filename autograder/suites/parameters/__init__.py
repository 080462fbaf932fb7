"""Suites of `parameters`: what a module registers, and what it computes with it."""
