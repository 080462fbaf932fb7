"""The client's end of ZMTP, the protocol of ZeroMQ's sockets, over a Unix socket: bounded.

libzmq collects all parts of a message before it gives any of them, and its limits count each part
or whole messages: one message that never ends fills the receiver's memory. Here parts and bytes
are counted as they come, and a connection by which too much comes is cut. Nothing is read ahead
but a piece of `_PIECE` bytes: what is not asked for waits in the memory of who sent it.

Version 3.0 of the protocol, without security; what is sent is signed one level above.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty

from autograder.errors import AutograderError

#: What one message may hold; a connection by which more comes is cut.
MAX_MESSAGE = 128 * 2**20
MAX_PARTS = 64

_PIECE = 2**18
#: Seconds before a connection that was refused, cut or closed is tried again.
_AGAIN = 0.02
_MORE, _LONG, _COMMAND = 1, 2, 4
_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


_READY = b"\x05READY"


class _Cut(AutograderError):
    """What has come is no ZMTP, or too much."""


class Connection:
    """A socket of one kind, connected to one address, again and again where that is needed.

    Args:
        address: the path of the other end's Unix socket; it need not be there yet.
        kind: the type of this socket: "DEALER", or "SUB", which subscribes to everything.
        identity: by which a router knows this end; empty where that does not matter.
    """

    def __init__(self, address: str, kind: str, identity: bytes = b"") -> None:
        self._address = address
        ready = _READY + _property(b"Socket-Type", kind.encode())
        ready += _property(b"Identity", identity)
        self._hello = _GREETING + _frame(ready, _COMMAND)
        self._first = _frame(b"\x01") if kind == "SUB" else b""
        self._next_try = 0.0
        self._socket: socket.socket | None = None
        self._forget()

    def _forget(self) -> None:
        # What follows the greetings waits until the other end has sent its own.
        self._out, self._later, self._ready = bytearray(self._hello), bytearray(self._first), False
        self._buffer, self._greeted = bytearray(), False
        self._parts: list[bytes] = []
        self._size = 0

    def close(self, linger: float | None = None) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._forget()

    # -------------------------------------------------------------------------------------- sending

    def send_multipart(self, parts: Sequence[bytes], **ignored: object) -> None:
        """Send a message: what cannot leave at once does while `receive` waits for an answer."""
        queue = self._out if self._ready else self._later
        last = len(parts) - 1
        for place, part in enumerate(parts):
            queue += _frame(part, _MORE if place < last else 0)
        self._connect()
        self._flush()

    def _connect(self) -> bool:
        if self._socket is not None:
            return True
        if time.monotonic() < self._next_try:
            return False
        self._next_try = time.monotonic() + _AGAIN
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            made.connect(self._address)
        except OSError:  # nobody is there yet, or any more
            made.close()
            return False
        self._socket = made
        return True

    def _flush(self) -> None:
        if self._socket is not None and self._out:
            # Where the other end is gone, the next reading notices it.
            with suppress(OSError):
                del self._out[: self._socket.send(self._out)]

    # ------------------------------------------------------------------------------------ receiving

    async def receive(self, until: float | None) -> list[bytes]:
        """The parts of the next message.

        Args:
            until: when to give up, in seconds of the monotonic clock; None for never.

        Raises:
            Empty: no message came until then.
        """
        while True:
            # However much there is to read: timers and other tasks get their turn.
            await asyncio.sleep(0)
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise Empty
            try:
                message = self._message()
                if message is not None:
                    return message
                if not self._connect():
                    await asyncio.sleep(_AGAIN if left is None else min(left, _AGAIN))
                    continue
                self._flush()
                if not self._read():
                    await self._wait(left)
            except (_Cut, OSError):
                self.close()

    def _read(self) -> bool:
        """Take in what has come; False where nothing has."""
        assert self._socket is not None
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return False
        if not piece:
            raise _Cut
        self._buffer += piece
        return True

    async def _wait(self, seconds: float | None) -> None:
        """Wait until something has come, or can leave; no longer than `seconds`."""
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        fd = self._socket.fileno()

        def go_on() -> None:
            if not done.done():
                done.set_result(None)

        timer = None if seconds is None else loop.call_later(seconds, go_on)
        loop.add_reader(fd, go_on)
        if self._out:
            loop.add_writer(fd, go_on)
        try:
            await done
        finally:
            loop.remove_reader(fd)
            loop.remove_writer(fd)
            if timer is not None:
                timer.cancel()

    def _message(self) -> list[bytes] | None:
        """The next message in what has come; None where it is not whole yet."""
        buffer = self._buffer
        if not self._greeted:
            if len(buffer) < len(_GREETING):
                return None
            if buffer[0] != 0xFF or buffer[9] != 0x7F or buffer[10] < 3:
                raise _Cut
            del buffer[: len(_GREETING)]
            self._greeted = True
        while buffer:
            flags = buffer[0]
            head = 9 if flags & _LONG else 2
            size = int.from_bytes(buffer[1:head])
            if len(buffer) < head:
                return None
            if size > MAX_MESSAGE - self._size or len(self._parts) >= MAX_PARTS:
                raise _Cut
            if len(buffer) < head + size:
                return None
            with memoryview(buffer) as view:
                body = bytes(view[head : head + size])
            del buffer[: head + size]
            if flags & _COMMAND:
                if body.startswith(_READY) and not self._ready:
                    self._ready = True
                    self._out += self._later
                    self._later.clear()
                continue
            self._parts.append(body)
            self._size += size
            if not flags & _MORE:
                message, self._parts, self._size = self._parts, [], 0
                return message
        return None


def _property(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">I", len(value)) + value


def _frame(body: bytes, flags: int = 0) -> bytes:
    if len(body) < 256:
        return struct.pack(">BB", flags, len(body)) + body
    return struct.pack(">BQ", flags | _LONG, len(body)) + body
