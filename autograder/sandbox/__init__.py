"""Warm, sandboxed Jupyter kernels for code that nobody has read.

A template process imports torch and its company once; every kernel is a fork of it in its own
user, PID, mount, IPC, network and UTS namespaces, unprivileged, with a system call filter and
limits. `check` says whether this machine can do that; `warm_up` starts the template early.
"""

from autograder.sandbox.limits import SandboxError, SandboxLimits, SandboxUnavailable
from autograder.sandbox.provisioner import SandboxKernelManager, SandboxProvisioner, warm_up
from autograder.sandbox.template import check, close_templates

__all__ = [
    "SandboxError",
    "SandboxKernelManager",
    "SandboxLimits",
    "SandboxProvisioner",
    "SandboxUnavailable",
    "check",
    "close_templates",
    "warm_up",
]
