"""Probes for tests that need one."""


def task(notebook, x):
    return notebook.task(x)


def double(notebook, x):
    return notebook.double(x)


def kept(notebook):
    return notebook.kept
