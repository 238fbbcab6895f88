"""A run whose model is asked over HTTP, killed with -9 twice and taken up: nothing asked twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ft_bench.record import Called, Card, Settled
from ft_bench.store import read_events
from ft_bench.testing.scripted_llm import Answer, Asked, serve
from ft_bench.testing.scripts import trex_on_mini

PROGRAM = Path(__file__).with_name("llm_run.py")
NOWHERE = "http://127.0.0.1:9"


class Killer:
    """The usual script, but at some requests it ends the process that asks, and does not answer."""

    def __init__(self, *at: int) -> None:
        self.at = set(at)
        self.child: subprocess.Popen[str] | None = None
        self.answered: Counter[str] = Counter()

    def __call__(self, asked: Asked) -> Answer:
        if asked.number in self.at and self.child is not None:
            os.kill(self.child.pid, signal.SIGKILL)
            return Answer(text="nobody reads this", cut=True)
        self.answered[json.dumps(asked.body, sort_keys=True)] += 1
        return trex_on_mini(asked)


def _start(root: Path, url: str) -> subprocess.Popen[str]:
    addresses = dict.fromkeys(("TREX_ARXIV_URL", "HF_ENDPOINT"), NOWHERE)
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(root), url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **addresses},
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twice_in_a_request_nothing_answered_is_asked_again(tmp_path: Path) -> None:
    killer = Killer(4, 10)
    with serve(killer) as server:
        for _ in range(3):
            with _start(tmp_path, server.url) as killer.child:
                out, _ = killer.child.communicate(timeout=290)
                code = killer.child.returncode
            if code == 0:
                break
            assert code == -signal.SIGKILL
    card = Card.model_validate_json(out)
    assert card.status == "complete"
    assert card.nodes == 3
    assert max(killer.answered.values()) == 1
    assert len(server.requests) == len(killer.answered) + 2
    (run,) = (tmp_path / "runs").iterdir()
    bodies = [event.body for event in read_events(run / "events.jsonl")[0]]
    asked = [body for body in bodies if isinstance(body, Called) and body.used.tokens]
    assert len(asked) == len(killer.answered) == server.answered
    assert sum(body.used.tokens for body in asked) == server.tokens
    lost = [b.used.tokens for b in bodies if isinstance(b, Settled) and b.orphan and b.used.tokens]
    assert len(lost) == 2
    assert card.usage.tokens == server.tokens + sum(lost)
