"""The conformance kit of the ladder: whoever carries a node out keeps the same promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from openhands_peer import Peer, Round
from script import Script, finish
from test_code import opened

from ft_bench import registry
from ft_bench.errors import BudgetExhausted, JobFailed, PrerequisiteError, UsageError
from ft_bench.job import Job, TrainJob
from ft_bench.testing.bench import plugged
from ft_bench.testing.cluster import FakeCluster, Killed
from ft_bench.testing.records import plan
from trex_agent.executor.conversation import Bounds
from trex_agent.executor.ladder import Rung, executor_of
from trex_agent.executor.openhands import Remote
from trex_agent.executor.recipe import Run, carry_out

SUBMIT = [("submit_job", {"variant": variant}) for variant in range(3)]
RATES = (1e-4, 2e-4, 3e-4)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An agent that submits every variant with the plan's own recipe."""
    left = json.dumps({str(variant): None for variant in range(3)})
    with Peer(lambda _: Round({"submit.json": left}, polls=0)).serving() as url:
        yield url


@pytest.fixture(params=get_args(Rung))
def rung(request: pytest.FixtureRequest, server: str) -> Run:
    return made(request.param, server)


def made(name: Rung, url: str = "", llm: Any = None) -> Run:
    return executor_of(
        name,
        llm or Script([[*SUBMIT, ("job_status", {})], [finish()]]),
        aidp=True,
        bounds=Bounds(1, 4, 10_000),
        sandbox="bwrap",
        remote=Remote(url=url, poll_seconds=0.01),
    )


def of_rate(*rates: float, kind: str = "DIVERGED") -> Callable[[Job], Any]:
    return lambda job: kind if isinstance(job, TrainJob) and job.variant.lr in rates else None


def states(lab: Any) -> list[str]:
    return [
        "failed" if item.failure else "scored" if item.score else "open"
        for item in lab.tree.node(0).outcomes
    ]


def test_every_variant_is_trained_and_scored(tmp_path: Path, rung: Run) -> None:
    with opened(tmp_path, FakeCluster(slots=2)) as lab:
        carry_out(lab, lab.propose(None, plan(*RATES)), run=rung)
        assert states(lab) == ["scored"] * 3
        assert lab.tree.node(0).status == "succeeded"
        assert not lab.ledger.meter.open


def test_a_failure_leaves_the_others_alone(tmp_path: Path, rung: Run) -> None:
    with opened(tmp_path, FakeCluster(fails=of_rate(RATES[0], RATES[2]))) as lab:
        carry_out(lab, lab.propose(None, plan(*RATES)), run=rung)
        assert states(lab) == ["failed", "scored", "failed"]


def test_the_end_of_the_budget_closes_the_node_and_is_handed_on(tmp_path: Path, rung: Run) -> None:
    with opened(tmp_path, FakeCluster(), device_seconds=7.0) as lab:
        node = lab.propose(None, plan(*RATES))
        with pytest.raises(BudgetExhausted):
            carry_out(lab, node, run=rung)
        assert states(lab)[0] == "scored"
        assert lab.tree.node(0).status == "succeeded"
        assert not lab.ledger.meter.open


def test_a_lost_machine_leaves_the_node_open_and_the_run_goes_on(tmp_path: Path, rung: Run) -> None:
    with opened(tmp_path, FakeCluster(fails=of_rate(RATES[1], kind="INFRA"))) as lab:
        node = lab.propose(None, plan(*RATES))
        with pytest.raises(JobFailed, match="INFRA"):
            carry_out(lab, node, run=rung)
        assert lab.tree.node(0).status == "running"
    with opened(tmp_path) as lab:
        carry_out(lab, lab.propose(None, plan(*RATES)), run=rung)
        assert states(lab) == ["scored"] * 3


def test_a_run_killed_in_a_training_ends_as_if_nothing_had_happened(
    tmp_path: Path, rung: Run
) -> None:
    with opened(tmp_path / "whole") as lab:
        carry_out(lab, lab.propose(None, plan(*RATES)), run=rung)
        whole = lab.tree.digest()
    with opened(tmp_path / "cut", FakeCluster(midway=_kill(RATES[1]))) as lab:
        node = lab.propose(None, plan(*RATES))
        with pytest.raises(Killed):
            carry_out(lab, node, run=rung)
    again = FakeCluster()
    with opened(tmp_path / "cut", again) as lab:
        carry_out(lab, lab.propose(None, plan(*RATES)), run=rung)
        assert lab.tree.digest() == whole
    assert again.trainings["000/v0"] == 0


def _kill(rate: float) -> Callable[[Job], None]:
    def midway(job: Job) -> None:
        if isinstance(job, TrainJob) and job.variant.lr == rate:
            raise Killed

    return midway


@pytest.mark.parametrize("name", ["code", "openhands"])
def test_a_rung_that_needs_a_model_says_so(name: Rung) -> None:
    with pytest.raises(UsageError, match=rf"executor={name} needs a language model.*--backend"):
        executor_of(name, None, aidp=True, bounds=Bounds(), sandbox="bwrap", remote=Remote(url=""))


def test_without_bubblewrap_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def start(self, *_: object) -> None:
            raise PrerequisiteError("there is no bwrap")

    with (
        plugged({("backends", "sandbox.bwrap"): Missing}),
        pytest.raises(PrerequisiteError, match=r"there is no bwrap.*-A sandbox=process"),
    ):
        made("code")
    assert "sandbox.bwrap" in registry.available("backends")
