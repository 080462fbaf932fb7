"""Submission in, results out: the suites' sessions, their points, and the report."""
