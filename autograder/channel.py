"""The grader's end of the connections to a student kernel: bounded, and deaf to what is no message.

A kernel can send anything, as much and as fast as it likes. What is malformed, too large or too
manifold is dropped before it is decoded, and whoever waits for a message keeps an eye on the clock.
"""

import asyncio
import time
from queue import Empty
from typing import Any

import zmq
from jupyter_client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel

from autograder.modest import is_modest

#: A message larger than this breaks the connection that it came by.
MAX_MESSAGE = 128 * 2**20
#: So many messages wait at the grader's end; the others wait in the kernel's memory.
MAX_WAITING = 4
#: Milliseconds that the grader waits for a kernel to take a request.
SEND_TIMEOUT = 5_000
MAX_PARTS = 64


class BoundedChannel(AsyncZMQSocketChannel):
    """A channel that gives well-formed messages alone."""

    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        """The next message.

        Raises:
            Empty: there is none within `timeout` seconds, or the time is up already.
        """
        assert self.socket is not None
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            # However much there is to read: timers and other tasks get their turn.
            await asyncio.sleep(0)
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise Empty
            if await self.socket.poll(None if left is None else left * 1000):
                message = self._decode(await self.socket.recv_multipart())
                if message is not None:
                    return message

    def _decode(self, parts: list[bytes]) -> dict[str, Any] | None:
        """The message that `parts` are, None where they are none."""
        try:
            signed: Any = self.session.feed_identities(parts)[1]
            if len(signed) > MAX_PARTS or not all(map(is_modest, signed[1:5])):
                return None
            message = self.session.deserialize(signed)
        except Exception:
            return None
        header, parent = message["header"], message["parent_header"]
        fields = (header, parent, message["metadata"], message["content"])
        if not all(isinstance(field, dict) for field in fields):
            return None
        names = (header["msg_id"], header["msg_type"], parent.get("msg_id", ""))
        return message if all(type(name) is str for name in names) else None


def bound(client: AsyncKernelClient) -> None:
    """Give a client that has not started yet bounded channels."""
    client.shell_channel_class = client.iopub_channel_class = BoundedChannel
    # For every socket that it opens: these count from the moment of connecting on.
    client.context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
    client.context.setsockopt(zmq.RCVHWM, MAX_WAITING)
    # A kernel that hangs up is not waited for.
    client.context.setsockopt(zmq.SNDTIMEO, SEND_TIMEOUT)
