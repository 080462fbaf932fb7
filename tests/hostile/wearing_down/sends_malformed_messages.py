"""Sends output messages of every malformed kind: parts missing, wrong types, deep, huge, no text.

What is no message is no output; the cell, its kernel and the grader go on.
"""
# score: 100
# says: sent \d+|came too fast

# cell: before MLP
import json

kernel = get_ipython().kernel
session, parent = kernel.session, kernel.get_parent()
mine = json.dumps(parent["header"], default=str).encode()
deep = b"[" * 100_000 + b"]" * 100_000
stream = b'{"name": "stdout", "text": "x"}'
sent = 0


def header(**changes):
    made = {"msg_id": f"x{sent}", "msg_type": "stream", "version": "5.3", "session": "", "date": ""}
    made |= changes
    return json.dumps({key: value for key, value in made.items() if value is not None}).encode()


def send(*parts, sign=None, first=b"<IDS|MSG>"):
    global sent
    sent += 1
    parts = list(parts)
    kernel.iopub_socket.send_multipart([b"x", first, sign or session.sign(parts[:4]), *parts])


for kind in (None, "", 5, {"a": []}, ["status"], "status", "comm_open", "\ud800", "x" * 10_000):
    send(header(msg_type=kind), mine, b"{}", stream)
for number in (None, 5, [], {}, "\x00"):
    send(header(msg_id=number), mine, b"{}", stream)
for version in ("one.two", 7, "-1000000000.0", "4.0", "99.9", "", [], "9" * 5000):
    for kind in ("stream", "pyout", "pyerr", "status", "display_data", "object_info_reply"):
        send(header(version=version, msg_type=kind), mine, b"{}", stream)
for date in ("9999999-99-99T99:99:99.9Z", "2020-01-01T00:00:00+99:99", "2020-13-41", 5, ["2020"]):
    send(header(date=date), mine, b"{}", stream)
for parent_header in (b"[]", b"5", b"", b"null", b'"x"', deep, b'{"msg_id": ["x"]}', b"{}" * 9):
    send(header(), parent_header, b"{}", stream)
send(b"[]", mine, b"[]", b"[]")
send(b"5", mine, b"5", b"5")
for content in (
    b"[]",
    b"null",
    b"5",
    b"",
    b"{",
    deep,
    b"9" * 100_000,
    b"NaN",
    b"\xff\xfe\xfd",
    b'{"name": "stdout"}',
    b'{"text": "x"}',
    b'{"name": ["stdout"], "text": {"a": 1}}',
    b'{"name": "stdout", "text": ["a", "b"]}',
    b'{"name": "stdout", "text": ' + deep + b"}",
    b'{"name": "stdout", "text": ' + b"9" * 100_000 + b"}",
    b'{"name": "stdout", "text": "\xff\xfe"}',
    b'{"name": "\\ud800", "text": "\\ud800"}',
    b'{"name": "stdout", "text": "x", "execution_count": 1e999}',
    b'{"name": "stdout", "text": "x", "transient": {"display_id": {}}}',
    b'{"execution_state": ["idle"]}',
    b'{"data": 5, "metadata": 6}',
    b'{"data": {"text/plain": 5}, "metadata": {}}',
    b'{"data": {"text/html": ["<b>", 5]}, "metadata": []}',
    b'{"data": {"image/png": {"a": 1}}, "metadata": {"autograder": {}}}',
    b'{"data": {"\\ud800": "\\ud800"}, "metadata": {"\\ud800": NaN}}',
    b'{"data": {}, "metadata": {}, "transient": {"display_id": ["a"]}}',
    b'{"data": {}, "metadata": {}, "transient": 5}',
    b'{"ename": 5, "evalue": {}, "traceback": "x"}',
    b'{"ename": "E", "evalue": "e", "traceback": [5, [], null]}',
    b'{"wait": "yes"}',
    b'{"comm_id": [], "target_name": "jupyter.widget", "data": {"state": 5}}',
    b'{"comm_id": "a", "data": null}',
):
    for kind in (
        *("stream", "display_data", "update_display_data", "execute_result", "error", "status"),
        *("clear_output", "comm_open", "comm_msg", "comm_close", "execute_input", "unknown"),
    ):
        send(header(msg_type=kind), mine, b"{}", content)
send(header(), mine, b"{}", stream, sign=b"0" * 64)
send(header(), mine, b"{}", stream, sign=b"\xff")
send(header(), mine)
send()
send(header(), mine, b"{}", stream, first=b"no delimiter")
send(header(), mine, b"{}", stream, *[b"buffer"] * 1000)
kernel.iopub_socket.send_multipart([b""])
kernel.iopub_socket.send_multipart([b""] * 1000)
print("sent", sent)
