"""The grader's own end of ZMTP speaks with libzmq's, and takes no more than it should."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
import zmq

from autograder.kernel import zmtp
from autograder.kernel.zmtp import Connection


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Any]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.linger = 0
        socket.rcvtimeo = 20_000
        socket.router_handover = 1
        socket.bind(f"ipc://{tmp_path}/router")
        yield socket


def receive(connection: Connection, seconds: float = 20) -> list[bytes]:
    return asyncio.run(connection.receive(time.monotonic() + seconds))


async def call(connection: Connection, router: Any, *parts: bytes) -> list[bytes]:
    """Send a request; return what the router heard, when it has answered."""
    connection.send_multipart(parts)
    answer = asyncio.ensure_future(connection.receive(time.monotonic() + 20))
    heard: list[bytes] = await asyncio.to_thread(router.recv_multipart)
    await asyncio.to_thread(router.send_multipart, [b"me", b"answer"])
    assert await answer == [b"answer"]
    return heard


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000, 20 * 2**20])
def test_messages_go_both_ways(router: Any, tmp_path: Path, size: int) -> None:
    connection = Connection(f"{tmp_path}/router", "DEALER", b"me")
    assert asyncio.run(call(connection, router, b"", b"x" * size)) == [b"me", b"", b"x" * size]
    router.send_multipart([b"me", b"y" * size, b""])
    assert receive(connection) == [b"y" * size, b""]
    connection.close()


def test_everything_published_is_heard(tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.linger = 0
        publisher.bind(f"ipc://{tmp_path}/publisher")
        connection = Connection(f"{tmp_path}/publisher", "SUB")
        with pytest.raises(Empty):
            receive(connection, 0.2)
        assert publisher.recv() == b"\x01"
        for number in range(300):
            publisher.send_multipart([b"topic", b"%d" % number])
        assert [receive(connection)[1] for _ in range(300)] == [b"%d" % n for n in range(300)]
        connection.close()


@pytest.mark.parametrize(
    "parts",
    [[b""] * 10_000, [b"x" * 2**20] * (zmtp.MAX_MESSAGE // 2**20 + 1)],
    ids=["parts", "bytes"],
)
def test_what_is_too_much_cuts_the_connection_and_the_next_one_works(
    router: Any, tmp_path: Path, parts: list[bytes]
) -> None:
    connection = Connection(f"{tmp_path}/router", "DEALER", b"me")
    asyncio.run(call(connection, router, b"hello"))
    router.send_multipart([b"me", *parts])
    with pytest.raises(Empty):
        receive(connection, 1)
    assert asyncio.run(call(connection, router, b"again")) == [b"me", b"again"]
    connection.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 200 OK\r\n" * 9,
        bytes(64),
        zmtp._GREETING + b"\x02" + b"\xff" * 8,
        zmtp._GREETING + b"\x04\x05ERROR" + b"\x02" + b"\xff" * 8,
        zmtp._GREETING + b"\x01\x00" * 10_000,
    ],
)
def test_garbage_cuts_the_connection(tmp_path: Path, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/server")
        server.listen()
        connection = Connection(f"{tmp_path}/server", "SUB")
        with pytest.raises(Empty):
            receive(connection, 0.05)
        peer = server.accept()[0]
        peer.sendall(garbage)
        with pytest.raises(Empty):
            receive(connection, 0.2)
        peer.settimeout(20)
        while peer.recv(2**16):  # it ends: the other side has closed it
            pass
        peer.close()
        connection.close()


def test_nobody_there_is_waited_for(tmp_path: Path) -> None:
    connection = Connection(f"{tmp_path}/later", "DEALER", b"me")
    connection.send_multipart([b"early"])
    with pytest.raises(Empty):
        receive(connection, 0.1)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as late:
        late.linger, late.rcvtimeo = 0, 20_000
        late.bind(f"ipc://{tmp_path}/later")
        with pytest.raises(Empty):
            receive(connection, 0.5)
        assert late.recv_multipart() == [b"me", b"early"]
    connection.close()
