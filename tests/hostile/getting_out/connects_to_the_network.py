"""Opens connections: to a server on the host's loopback, to the internet, by name, IPv6 and UDP.

The kernel's network has a loopback of its own and nothing else.
"""
# score: 100
# says: reached: \[\]

# cell: before MLP
import socket
import urllib.request

reached = []
for attempt in (
    lambda: socket.create_connection(("127.0.0.1", <port>), 1),
    lambda: socket.create_connection(("localhost", <port>), 1),
    lambda: socket.create_connection(("127.1", <port>), 1),
    lambda: socket.create_connection(("0.0.0.0", <port>), 1),
    lambda: socket.create_connection(("::1", <port>), 1),
    lambda: socket.create_connection(("1.1.1.1", 53), 1),
    lambda: socket.create_connection(("10.0.0.1", 80), 1),
    lambda: socket.create_connection(("169.254.169.254", 80), 1),
    lambda: socket.create_connection(("172.17.0.1", 80), 1),
    lambda: urllib.request.urlopen("http://127.0.0.1:<port>/", timeout=1),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.gethostbyname("host.docker.internal"),
):
    try:
        reached.append(attempt())
    except OSError:
        pass
for address in (("127.0.0.1", <port>), ("255.255.255.255", <port>), ("8.8.8.8", 53)):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            udp.sendto(b"x", address)
        except OSError:
            pass
print("reached:", reached)
