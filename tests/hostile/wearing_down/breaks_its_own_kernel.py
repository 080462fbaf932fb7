"""Breaks the kernel without ending it: its loop, its sockets, its handlers, the import lock.

A kernel that no longer answers is replaced when its time is over, three times; what the next cells
would have earned is lost with it.
"""
# score: 50
# loses: Standardize MLP
# says: TimeLimit|KernelDied

# cell: before Standardize
kernel = get_ipython().kernel
kernel.shell_handlers.clear()

# cell: before MLP
kernel = get_ipython().kernel
kernel.shell_stream.socket.close(linger=0)
kernel.iopub_thread.stop()
