"""Asks as fast as it can, on as many connections as it gets."""

import json
from contextlib import suppress

from honest import TOKEN, node, raw

node()
message = json.dumps({"token": TOKEN, "verb": "budget", "args": {}}).encode() + b"\n"
held = []
for _ in range(200):
    with suppress(OSError):
        held.append(raw())
for _ in range(50):
    for stream in held:
        with suppress(OSError):
            stream.sendall(message)
