"""Opens sockets of odd families: to the host of a virtual machine, raw, packet, netlink, Bluetooth.

What does not end at the kernel's own network cannot be opened.
"""
# score: 100
# says: opened: \[\], interfaces: \['lo'\]

# cell: before MLP
import socket

opened = []
for family in range(3, 46):
    if family in (socket.AF_INET6, socket.AF_NETLINK):
        continue
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind).close()
            opened.append((family, kind))
        except OSError:
            pass
for protocol in (0, 1, 2, 255):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol).close()
        opened.append(("raw", protocol))
    except OSError:
        pass
print(f"opened: {opened}, interfaces: {[name for _, name in socket.if_nameindex()]}")
