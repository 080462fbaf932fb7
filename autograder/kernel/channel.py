"""The grader's end of the connections to a student kernel: bounded, and deaf to what is no message.

A kernel can send anything, as much and as fast as it likes. What is malformed, too large or too
manifold is dropped before it is decoded, and whoever waits for a message keeps an eye on the clock.
"""

import time
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

from jupyter_client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel, ZMQSocketChannel
from jupyter_client.session import Session

from autograder.kernel.modest import is_modest
from autograder.kernel.zmtp import Connection

_KINDS = {"shell": "DEALER", "control": "DEALER", "stdin": "DEALER", "iopub": "SUB"}


class BoundedChannel(AsyncZMQSocketChannel):
    """A channel that gives well-formed messages alone, over a connection that is bounded itself."""

    def __init__(self, connection: Connection, session: Session, loop: Any = None) -> None:
        # Not the one above, which asks for a socket of libzmq.
        ZMQSocketChannel.__init__(self, connection, session)  # type: ignore[arg-type]
        #: Asked where the time is up: how many seconds more there are.
        self.grace: Callable[[], float] = no_grace

    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        """The next message.

        Raises:
            Empty: there is none within `timeout` seconds and those of grace, or the time is up
                already.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            assert isinstance(self.socket, Connection)
            try:
                parts = await self.socket.receive(until)
            except Empty:
                if not (more := self.grace()):
                    raise
                until = time.monotonic() + more
                continue
            message = self._decode(parts)
            if message is not None:
                return message

    def _decode(self, parts: list[bytes]) -> dict[str, Any] | None:
        """The message that `parts` are, None where they are none."""
        try:
            signed: Any = self.session.feed_identities(parts)[1]
            if not all(map(is_modest, signed[1:5])):
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


def no_grace() -> float:
    """What there is of grace for most messages."""
    return 0.0


def bound(client: AsyncKernelClient) -> None:
    """Give a client that has not started yet bounded channels."""
    for name, kind in _KINDS.items():
        setattr(client, f"{name}_channel_class", BoundedChannel)
        setattr(client, f"connect_{name}", partial(_connect, client, name, kind))


def _connect(
    client: AsyncKernelClient, name: str, kind: str, identity: bytes | None = None
) -> Connection:
    address = f"{client.ip}-{getattr(client, f'{name}_port')}"
    return Connection(address, kind, identity or b"")
