"""Sends what is no message, and one of 100 MB."""

import json
from contextlib import suppress

from honest import TOKEN, node, note, raw, refused

node()
for data in (b"\xff\xfe\n", b"{}\n", b"[1]\n", b"null\n", b"[" * 100_000 + b"\n"):
    with raw() as stream, suppress(OSError):
        stream.sendall(data)
        note(stream.makefile(errors="replace").readline())
note(refused("train", node="zero", variant=-1, dataset=7))
with raw() as stream, suppress(OSError):
    head = json.dumps({"token": TOKEN, "verb": "agree"})[:-1].encode()
    stream.sendall(head + b', "args": {"key": "')
    for _ in range(100):
        stream.sendall(b"x" * (1 << 20))
    note("took 100 MB")
