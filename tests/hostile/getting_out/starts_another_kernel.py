"""Starts kernels and servers of its own, which would outlive it and know no limits.

They are children of the kernel, inside its sandbox, and end with it.
"""
# score: 100
# says: answered 4

# cell: before MLP
import subprocess
import sys

server = "import socket; s = socket.create_server(('0.0.0.0', <port>)); [s.accept() for _ in 'ab']"
subprocess.Popen([sys.executable, "-S", "-c", server])
code = (
    "import socket, time\n"
    "s = socket.socket(socket.AF_UNIX)\n"
    "s.bind('\\0<mark>-server')\n"
    "s.listen()\n"
    "print(2 + 2, flush=True)\n"
    "time.sleep(10**6)\n"
)
kernel = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, text=True)
print("answered", kernel.stdout.readline())
