"""Asks for input: by `input`, by `getpass`, by reading standard input, by a message of its own.

Nobody is there to answer, and the kernel says so at once.
"""
# score: 100
# says: StdinNotImplementedError
# says: read ''

# cell: before MLP
input("your name? ")

# cell: before MLP
import getpass

getpass.getpass()

# cell: before MLP
import os

print("read", repr(os.read(0, 10).decode()))
kernel = get_ipython().kernel
kernel.session.send(
    kernel.stdin_socket,
    "input_request",
    {"prompt": "your password", "password": True},
    kernel.get_parent(),
    ident=kernel._parent_ident["shell"],
)

# cell: before MLP
kernel._allow_stdin = True
kernel.raw_input("your name? ")
