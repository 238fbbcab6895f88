"""Comes with the token of another run."""

import json
import os

from honest import node, note, raw

node()
with raw() as stream:
    message = {"token": os.environ["STOLEN"], "verb": "submit", "args": {"model": "base"}}
    stream.sendall(json.dumps(message).encode() + b"\n")
    note(stream.makefile().readline())
