"""Connects to the host's Unix sockets: an abstract one, one by its path, a container engine's.

Abstract names belong to the network that the kernel is not in, and the paths do not exist.
"""
# score: 100
# says: reached: \[\]

# cell: before MLP
import socket

reached = []
for address in (
    "\0<mark>",
    "<host>/socket",
    "/proc/1/root<host>/socket",
    "/var/run/docker.sock",
    "/run/systemd/private",
    "/run/dbus/system_bus_socket",
    "/dev/log",
    "\0/tmp/.X11-unix/X0",
    "\0/tmp/dbus-",
):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as client:
            try:
                client.connect(address)
                reached.append(address)
            except OSError:
                pass
print("reached:", reached)
