"""Sends malformed replies while cells and probes wait for theirs, and leaves some for later.

They cost nobody anything: the right reply comes too.
"""
# score: 100
# says: sent \d+|came too fast

# cell: before MyLinear
import json

kernel = get_ipython().kernel
sent = 0


def spoil(*ignored):
    global sent
    session, parent = kernel.session, kernel.get_parent()
    ident, mine = kernel._parent_ident["shell"], json.dumps(parent["header"], default=str).encode()

    def header(**changes):
        made = {"msg_id": f"r{sent}", "msg_type": "execute_reply", "version": "5.3", **changes}
        return json.dumps({k: v for k, v in made.items() if v is not None}).encode()

    def send(*parts, sign=None):
        global sent
        sent += 1
        parts = [b"<IDS|MSG>", sign or session.sign(list(parts[:4])), *parts]
        kernel.shell_stream.socket.send_multipart([*([ident] if isinstance(ident, bytes) else ident), *parts])

    deep = b"[" * 100_000 + b"]" * 100_000
    for parent_header in (b"[]", b"5", b"", deep, b'{"msg_id": []}', b"\xff"):
        send(header(), parent_header, b"{}", b"{}")
    send(header(msg_id=None), mine, b"{}", b"{}")
    send(header(msg_type=None), mine, b"{}", b"{}")
    send(header(version=[]), mine, b"{}", b"{}")
    send(header(), mine, b"{}", b"{}", sign=b"0" * 64)
    send(header(), mine, b"{}", deep)
    send(header(), mine, b"{}", b"9" * 100_000)
    send(header(), mine, b"{}", b"[]")
    send(header(), mine)
    send()
    kernel.shell_stream.socket.send_multipart([*([ident] if isinstance(ident, bytes) else ident), b""])


get_ipython().events.register("pre_run_cell", spoil)
print("sent a few")

# cell: after test_MLP
get_ipython().events.unregister("pre_run_cell", spoil)
print("sent", sent)
