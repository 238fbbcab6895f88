"""The openhands rung against a peer that speaks the agent server's protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openhands_peer import TOKENS, USD, Peer, Round
from script import TOKENS as ASKED
from script import Script
from test_code import ROWS, events, last, opened, tools

from ft_bench.errors import ModelFailed, PrerequisiteError
from ft_bench.lab import MeteredLab
from ft_bench.testing.cluster import Killed
from ft_bench.testing.records import plan
from trex_agent.executor.conversation import Bounds
from trex_agent.executor.ladder import executor_of
from trex_agent.executor.openhands import OpenHands, Remote
from trex_agent.executor.recipe import carry_out

DATA = "".join(json.dumps(row) + "\n" for row in ROWS)
GOOD = Round({"out.jsonl": DATA, "submit.json": json.dumps({"0": "out.jsonl", "1": None})})


def hold(lab: MeteredLab, url: str, script: Script | None = None, **remote: Any) -> None:
    rounds = 1 if script is None else 2
    away = Remote(url=url, folder="/srv/agent", poll_seconds=0.01, **remote)
    rung = OpenHands(script or Script([[]]), away, True, Bounds(rounds, 8, 1000))
    carry_out(lab, lab.propose(None, plan(1e-4, 5e-4)), run=rung)


def test_files_that_the_agent_leaves_are_trained(tmp_path: Path) -> None:
    peer = Peer(lambda _: GOOD)
    with peer.serving() as url, opened(tmp_path) as lab:
        hold(lab, url)
        first, second = lab.tree.node(0).outcomes
        assert first.recipe.sources[0].id.startswith("written/")
        assert first.score is not None
        assert second.recipe == lab.tree.node(0).plan.recipe
        assert second.score is not None
        assert last(lab)["ended"] == "finished"
        assert [item["name"] for item in tools(lab)] == ["terminal"]
        assert tools(lab)[0]["text"] == "236 train.jsonl"
        spent = lab.ledger.meter.spent
        assert (spent.tokens, spent.usd) == (sum(TOKENS), USD)
    [talk] = peer.talks.values()
    folder = talk.request["workspace"]["working_dir"]
    assert folder == "/srv/agent/lab/node-000"
    assert peer.files[f"{folder}/train.jsonl"].count(b"\n") == 236
    assert "api_key" not in talk.request["agent"]["llm"]
    assert "Node 0" in talk.request["initial_message"]["content"][0]["text"]


def test_keys_go_to_the_server_and_not_into_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHANDS_SESSION_API_KEY", "session-secret")
    monkeypatch.setenv("OPENHANDS_LLM_API_KEY", "model-secret")
    peer = Peer(lambda _: GOOD, key="session-secret")
    with peer.serving() as url, opened(tmp_path) as lab:
        hold(lab, url, model="vendor/model", model_url="http://127.0.0.1:9/v1")
        journal = lab.paths.events.read_text()
    [talk] = peer.talks.values()
    assert talk.request["agent"]["llm"] == {
        "usage_id": "agent",
        "model": "vendor/model",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "model-secret",
    }
    assert "secret" not in journal


def test_a_second_round_goes_on_in_the_same_conversation(tmp_path: Path) -> None:
    bad = Round({"out.jsonl": "no json", "submit.json": '{"0": "out.jsonl"}'}, said="one")
    peer = Peer(lambda number: bad if number == 0 else GOOD)
    script = Script([[]], review=(("instruct", {"text": "Mend the file."}),))
    with peer.serving() as url, opened(tmp_path) as lab:
        hold(lab, url, script)
        assert all(outcome.score for outcome in lab.tree.node(0).outcomes)
        assert len(peer.talks) == 1
        report = script.asked[0][1]["content"]
        assert "refused for variant 0: line 1 is no JSON" in report
        assert lab.ledger.meter.spent.tokens == 2 * sum(TOKENS) + ASKED
        assert last(lab)["rounds"] == 2


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (Round(status="error"), "is error"),
        (Round(status="stuck"), "is stuck"),
        (Round({"submit.json": "[]"}), ""),
        (Round({"submit.json": '{"7": "out.jsonl", "x": 1}'}), ""),
        (Round({"submit.json": '{"0": "../../secret.jsonl"}'}), ""),
    ],
)
def test_a_round_that_comes_to_nothing_falls_back(tmp_path: Path, done: Round, why: str) -> None:
    with Peer(lambda _: done).serving() as url, opened(tmp_path) as lab:
        hold(lab, url)
        assert why in last(lab)["why"]
        assert last(lab)["fallback"] == "recipe"
        assert lab.tree.node(0).status == "succeeded"


def test_a_round_that_costs_too_much_is_paused(tmp_path: Path) -> None:
    peer = Peer(lambda _: Round(polls=10_000))
    with peer.serving() as url, opened(tmp_path) as lab:
        hold(lab, url, usd=0.001)
        assert "cost more than 0.001 USD" in last(lab)["why"]
        assert lab.ledger.meter.spent.usd == USD
    assert peer.counts["POST /api/conversations/ID/pause"] == 1


def test_a_killed_process_finds_the_conversation_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither started nor fed twice, and the run ends as if nothing had happened."""
    peer = Peer(lambda _: GOOD)
    with peer.serving() as url:
        with opened(tmp_path / "whole") as lab:
            hold(lab, url)
            whole = lab.tree.digest()
        with monkeypatch.context() as patch, opened(tmp_path / "cut") as lab:
            patch.setattr("trex_agent.executor.openhands.turns", _killed)
            with pytest.raises(Killed):
                hold(lab, url)
        with opened(tmp_path / "cut") as lab:
            hold(lab, url)
            assert lab.tree.digest() == whole
        assert len(peer.talks) == 2
        assert peer.counts["POST /api/conversations"] == 2
        with opened(tmp_path / "cut") as lab:
            before = sum(peer.counts.values())
            hold(lab, url)
            assert sum(peer.counts.values()) == before
            assert len(events(lab, "called")) == 2


def _killed(events: object) -> None:
    raise Killed


def away(url: str) -> object:
    return executor_of(
        "openhands",
        Script([[]]),
        aidp=True,
        bounds=Bounds(),
        sandbox="bwrap",
        remote=Remote(url=url),
    )


def test_a_server_that_is_not_there_is_said_before_any_work() -> None:
    with pytest.raises(
        PrerequisiteError, match=r"agent server at http://127.0.0.1:9.*openhands.md"
    ):
        away("http://127.0.0.1:9")
    with (
        Peer(lambda _: GOOD, key="k").serving() as url,
        pytest.raises(PrerequisiteError, match="401"),
    ):
        away(url)


def test_a_server_that_goes_away_is_no_evidence(tmp_path: Path) -> None:
    with (
        opened(tmp_path) as lab,
        pytest.raises(ModelFailed, match="got no answer"),
    ):
        hold(lab, "http://127.0.0.1:9")
