"""A process that is killed in the middle of model calls, and the one that goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from datasets import Dataset
from scripted_server import serve

import aidp

ROWS = 60
PROGRAM = """
import json, sys
import aidp
from datasets import Dataset
rows = Dataset.from_dict(json.loads(sys.argv[1]))
aidp.score_dataset_with_llm(rows, llm=json.loads(sys.argv[2]))
"""


def asked(bodies: list[dict]) -> Counter:
    return Counter(body["messages"][-1]["content"] for body in bodies)


def test_no_answered_request_is_repeated_after_a_kill(tmp_path):
    columns = {name: [f"{name} {i}" for i in range(ROWS)] for name in ("prompt", "answer")}
    journal = tmp_path / "replies.jsonl"
    with serve(lambda text, number: '{"score": 5}', delay_seconds=0.05) as server:
        llm = server.options(max_concurrency=4, journal=str(journal))
        command = [sys.executable, "-c", PROGRAM, json.dumps(columns), json.dumps(llm)]
        with subprocess.Popen(command) as process:
            while len(server.bodies) < 20:
                assert process.poll() is None
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
        kept = whole_lines(journal)
        before = len(server.bodies)
        outcome = aidp.score_dataset_with_llm(
            Dataset.from_dict(columns), llm={**llm, "max_concurrency": 16}, report=True
        )
    assert outcome.dataset["llm_score"][:] == [5.0] * ROWS
    assert outcome.account.notes["from_journal"] == kept
    assert len(server.bodies) - before == ROWS - kept
    # What was in flight when the process died was not answered; all else was sent once.
    assert sum(asked(server.bodies).values()) - ROWS <= 4
    assert whole_lines(journal) == ROWS
    assert kept >= 16


def whole_lines(path: Path) -> int:
    """Replies that were on disk whole."""
    return path.read_bytes().count(b"\n")
