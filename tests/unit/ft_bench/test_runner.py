from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from ft_bench import finish, record
from ft_bench.budget import Budget
from ft_bench.errors import (
    AgentFailed,
    BudgetExhausted,
    ChainBroken,
    ConfigError,
    FtBenchError,
    IntegrityError,
    JobFailed,
    StoreBusy,
    UnknownName,
)
from ft_bench.job import EvaluateJob, Job, ModelRef, TrainJob
from ft_bench.plan import DataRecipe
from ft_bench.protocols import Lab
from ft_bench.record import Card, Event, Selected
from ft_bench.runner import policy
from ft_bench.store import Journal, read_card, read_events, read_manifest
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster, run_job
from ft_bench.testing.records import plan


class Options(BaseModel):
    """What the scripted agents take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = 2


def scripted(script: Callable[[Lab], None]) -> type[Any]:
    """An agent class that does what a function says."""

    class Scripted:
        name = "scripted"
        Options: ClassVar[type[BaseModel]] = Options

        def __init__(self, options: BaseModel, backend: object) -> None:
            self.options = options

        def run(self, lab: Lab) -> None:
            script(lab)

    return Scripted


def two_variants(lab: Lab) -> None:
    """The root with a poor and a good learning rate."""
    node = lab.propose(None, plan(1e-5, 5e-4))
    dataset = lab.build(node, DataRecipe()).dataset
    for variant in range(2):
        lab.evaluate(lab.train(node, variant, dataset).model)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def events(bench: Bench, card: Card) -> list[Event]:
    return read_events(bench.paths(card).events)[0]


def bodies(bench: Bench, card: Card, kind: type[Any]) -> list[Any]:
    return [event.body for event in events(bench, card) if isinstance(event.body, kind)]


# --- what ends a run, and what is scored


@pytest.mark.parametrize(
    ("error", "status", "grade"),
    [
        (None, "complete", True),
        (BudgetExhausted("usd", "x"), "complete", True),
        (AgentFailed("x"), "agent_failed", True),
        (JobFailed("OOM", "x"), "agent_failed", True),
        (JobFailed("INFRA", "x"), "infrastructure", False),
        (IntegrityError("x"), "integrity", False),
        (ChainBroken("x"), "integrity", False),
    ],
    ids=str,
)
def test_the_failure_policy_is_one_table(
    error: FtBenchError | None, status: str, grade: bool
) -> None:
    ending = policy(error)
    assert (ending.status, ending.grade) == (status, grade)


def test_a_run_ends_in_a_card(bench: Bench) -> None:
    card = bench.run(scripted(two_variants))
    assert (card.status, card.stop_reason) == ("complete", "the agent ended")
    assert (card.selected_node, card.selected_variant, card.selected_on) == (0, 1, "validation")
    assert card.gain.delta > 0
    assert card.gain.value is not None
    assert card.test.split == "test"
    assert card.test.n == 80
    assert card.n_test_evaluations == 1
    assert (card.nodes, card.trainings, card.nodes_failed) == (1, 2, 0)
    assert card.usage.device_seconds == 8.0
    assert {overlap.split for overlap in card.overlap} == {"validation", "test"}
    assert card == read_card(bench.paths(card).card)
    assert card.head == events(bench, card)[-1].hash
    manifest = read_manifest(bench.paths(card))
    assert (manifest.run_id, manifest.agent, manifest.seed) == (card.run_id, "scripted", 0)


def test_the_test_split_is_shot_once_and_after_the_selection(bench: Bench) -> None:
    card = bench.run(scripted(two_variants))
    assert len(bodies(bench, card, record.Tested)) == 1
    assert [event.body.kind for event in events(bench, card)][-2:] == ["selected", "tested"]


def test_no_row_of_the_test_split_is_in_the_run_directory(bench: Bench) -> None:
    card = bench.run(scripted(two_variants))
    for path in bench.paths(card).root.rglob("*"):
        if path.is_file():
            assert b"Review test 3:" not in path.read_bytes(), path


def test_without_iterations_the_base_alone_is_scored(bench: Bench) -> None:
    def never(lab: Lab) -> None:
        raise AssertionError("the agent was started")

    cluster = FakeCluster()
    card = bench.run(scripted(never), cluster, budget=Budget(iterations=0))
    assert (card.status, card.selected_on, card.trainings) == ("complete", "base", 0)
    assert card.gain.delta == 0
    assert card.gain.delta_ci.low < 0 < card.gain.delta_ci.high
    assert card.test == card.base_test
    assert not cluster.trainings


def test_a_budget_too_small_for_one_training_leaves_the_base_and_says_so(bench: Bench) -> None:
    cluster = FakeCluster()
    card = bench.run(scripted(two_variants), cluster, budget=Budget(device_seconds=0.1))
    assert card.status == "no_valid_model"
    assert "--budget.device-hours" in card.stop_reason
    assert card.gain.delta == 0
    assert not cluster.trainings


def test_what_there_is_when_the_budget_ends_is_scored(bench: Bench) -> None:
    def greedy(lab: Lab) -> None:
        two_variants(lab)
        for number in range(9):
            lab.propose(0, plan(1e-3 + number * 1e-4, strategy="adjust_training_scheme"))

    card = bench.run(scripted(greedy))
    assert (card.status, card.selected_node, card.nodes) == ("complete", 0, 4)
    assert card.stop_reason.startswith("budget: A further node")
    assert card.usage.iterations == 3


def test_an_agent_that_crashes_is_scored_on_its_best(bench: Bench) -> None:
    def crash(lab: Lab) -> None:
        two_variants(lab)
        raise KeyError("a bug of its own")

    card = bench.run(scripted(crash))
    assert card.status == "agent_failed"
    assert "KeyError while the agent scripted was running" in card.stop_reason
    assert (card.selected_node, card.selected_variant) == (0, 1)
    assert card.gain.delta > 0


def test_an_agent_that_crashes_at_once_is_scored_on_the_base(bench: Bench) -> None:
    def crash(lab: Lab) -> None:
        raise RuntimeError("no key")

    card = bench.run(scripted(crash))
    assert (card.status, card.selected_on, card.gain.delta) == ("agent_failed", "base", 0)


def test_an_agent_that_does_nothing_has_no_valid_model(bench: Bench) -> None:
    card = bench.run(scripted(lambda lab: None))
    assert (card.status, card.selected_on, card.validation) == (
        "no_valid_model",
        "base",
        card.base_validation,
    )


def test_an_agent_that_enters_the_base_has_entered_it(bench: Bench) -> None:
    card = bench.run(scripted(lambda lab: lab.submit("base", "on purpose")))
    assert (card.status, card.selected_on, card.gain.delta) == ("complete", "agent", 0)


def test_the_agents_own_choice_goes_to_the_test(bench: Bench) -> None:
    def odd(lab: Lab) -> None:
        two_variants(lab)
        lab.submit("n0v0", "I like it")

    card = bench.run(scripted(odd))
    assert (card.selected_variant, card.selected_on) == (0, "agent")
    (selected,) = bodies(bench, card, Selected)
    assert selected.reason == "I like it"


@pytest.mark.parametrize("phase", ["train", "evaluate"])
def test_where_every_variant_fails_the_base_is_scored(bench: Bench, phase: str) -> None:
    def patient(lab: Lab) -> None:
        node = lab.propose(None, plan(1e-5, 5e-4))
        dataset = lab.build(node, DataRecipe()).dataset
        for variant in range(2):
            with pytest.raises(JobFailed):
                lab.evaluate(lab.train(node, variant, dataset).model)

    def rule(job: Job) -> Any:
        own = isinstance(job, TrainJob) or "nodes" in job.out
        return "DIVERGED" if own and job.kind == phase else None

    card = bench.run(scripted(patient), FakeCluster(fails=rule))
    assert (card.status, card.selected_on, card.gain.delta) == ("no_valid_model", "base", 0)


def test_a_model_that_cannot_be_evaluated_on_test_gets_the_floor(bench: Bench) -> None:
    def unloadable(lab: Lab) -> None:
        two_variants(lab)

    def worker(job: EvaluateJob) -> Any:
        outcome = run_job(job)
        if "model" in job.model.base:
            outcome = outcome.model_copy(update={"failure": "EVAL_ERROR", "cause": "no weights"})
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft_bench.testing.bench.run_job", worker)
        card = bench.run(scripted(unloadable))
    assert (card.test.value, card.test.invalid) == (0.0, 80)
    assert card.profile == "floor: EVAL_ERROR"
    assert card.gain.delta < 0


# --- the machine


def _lost(times: int, phase: str = "train") -> Callable[[Job], Any]:
    left = [times]

    def rule(job: Job) -> Any:
        if job.kind != phase or left[0] == 0:
            return None
        left[0] -= 1
        return "INFRA"

    return rule


def test_a_machine_that_fails_twice_ends_the_run_which_can_be_taken_up(bench: Bench) -> None:
    agent = scripted(two_variants)
    with pytest.raises(JobFailed, match="same command takes the run up again") as caught:
        bench.run(agent, FakeCluster(fails=_lost(2)))
    assert caught.value.kind == "INFRA"
    assert not list(bench.homes.runs.glob("*/card.json"))
    card = bench.run(agent)
    assert (card.status, card.nodes_failed, card.trainings) == ("complete", 0, 2)


def test_a_base_lost_to_the_machine_is_evaluated_when_the_run_is_taken_up(bench: Bench) -> None:
    agent = scripted(two_variants)
    with pytest.raises(JobFailed, match="INFRA"):
        bench.run(agent, FakeCluster(fails=_lost(1, "evaluate")))
    assert bench.run(agent).status == "complete"


@pytest.mark.parametrize("who", ["base", "tuned"])
def test_a_test_lost_to_the_machine_is_no_floor(bench: Bench, who: str) -> None:
    lost = [True]

    def worker(job: EvaluateJob) -> Any:
        if lost[0] and job.out.endswith(who):
            outcome = run_job(job).model_copy(update={"failure": "INFRA", "cause": "node gone"})
            Path(job.out, "outcome.json").write_text(outcome.model_dump_json())
            return outcome
        return run_job(job)

    agent = scripted(two_variants)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft_bench.testing.bench.run_job", worker)
        with pytest.raises(JobFailed, match=f"the {who} model on test: node gone"):
            bench.run(agent)
        lost[0] = False
        card = bench.run(agent)
    assert card.gain.delta > 0
    assert card.n_test_evaluations == 1


def test_a_grader_that_dies_ends_the_run_which_can_be_taken_up(
    bench: Bench, tmp_path: Path
) -> None:
    """The grader's own process: here one that ends with 3 and a word."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no memory >&2\nexit 3\n")
    broken.chmod(0o755)
    agent = scripted(two_variants)
    apart = finish.grade_apart
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft_bench.testing.bench._grade_here", apart)
        patch.setattr(sys, "executable", str(broken))
        with pytest.raises(JobFailed, match="the grader ended with 3: no memory"):
            bench.run(agent)
    card = bench.run(agent)
    assert (card.status, card.n_test_evaluations) == ("complete", 1)


def test_a_grader_that_hangs_is_killed(bench: Bench, tmp_path: Path) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    apart = finish.grade_apart
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft_bench.testing.bench._grade_here", apart)
        patch.setattr(sys, "executable", str(hanging))
        instant = FakeCluster(seconds=lambda _: 0.0)
        with pytest.raises(JobFailed, match="grader ran past"):
            bench.run(scripted(lambda lab: None), instant, job_seconds=0.05)


# --- directories


def test_another_budget_is_another_directory(bench: Bench) -> None:
    agent = scripted(two_variants)
    first = bench.run(agent)
    second = bench.run(agent, budget=Budget(iterations=1))
    assert second.run_id == f"{first.run_id}.2"
    assert bench.run(agent) == first
    assert bench.run(agent, budget=Budget(iterations=1)) == second


@pytest.mark.parametrize("changes", [{"seed": 1}, {"options": {"count": "3"}}], ids=str)
def test_what_makes_scores_incomparable_is_another_run(
    bench: Bench, changes: dict[str, Any]
) -> None:
    agent = scripted(lambda lab: None)
    assert bench.run(agent).run_id != bench.run(agent, **changes).run_id


def test_fresh_sets_the_earlier_run_aside(bench: Bench) -> None:
    agent = scripted(two_variants)
    first = bench.run(agent)
    again = bench.run(agent, fresh=True)
    assert again.run_id == first.run_id
    assert again.head != first.head
    assert again.tree_digest == first.tree_digest
    assert read_card(bench.homes.runs / f"{first.run_id}.old1" / "card.json") == first


def test_a_run_that_is_held_is_not_taken_up(bench: Bench) -> None:
    agent = scripted(two_variants)
    with pytest.raises(JobFailed):
        bench.run(agent, FakeCluster(fails=_lost(2)))
    (root,) = bench.homes.runs.iterdir()
    journal = Journal(bench.paths(_named(root.name)))
    with pytest.raises(StoreBusy, match="is held by process"):
        bench.run(agent)
    with pytest.raises(FtBenchError, match="stop it first"):
        bench.run(agent, fresh=True)
    journal.close()
    assert bench.run(agent).status == "complete"


def _named(run_id: str) -> Card:
    return Card.model_construct(run_id=run_id)


def test_an_altered_journal_is_not_taken_up(bench: Bench) -> None:
    agent = scripted(two_variants)
    with pytest.raises(JobFailed):
        bench.run(agent, FakeCluster(fails=_lost(2)))
    (path,) = bench.homes.runs.glob("*/events.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"value":0.', b'"value":1.'))
    with pytest.raises(ChainBroken) as caught:
        bench.run(agent)
    assert caught.value.exit_code == 5


# --- what was typed


def test_an_unknown_option_has_a_suggestion(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="option of agent scripted 'cuont'; did you mean 'count'"):
        bench.run(scripted(two_variants), options={"cuont": "1"})
    assert not bench.homes.runs.exists()


def test_a_wrong_value_names_option_and_value(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="-A count='many'"):
        bench.run(scripted(two_variants), options={"count": "many"})


def test_a_base_model_that_is_no_folder_is_named(bench: Bench) -> None:
    with pytest.raises(FtBenchError, match=r"'\./nowhere' is no folder"):
        bench.run(scripted(two_variants), base_model="./nowhere")


def test_the_cluster_is_closed_whatever_happens(bench: Bench) -> None:
    cluster = FakeCluster()
    with pytest.raises(FtBenchError):
        bench.run(scripted(two_variants), cluster, base_model="./nowhere")
    assert cluster.closed
    with pytest.raises(RuntimeError, match="closed"):
        cluster.run(_job(bench), 1.0)


def _job(bench: Bench) -> Job:
    return EvaluateJob(
        model=ModelRef(base="b"),
        rows="r",
        split="validation",
        scorer="sst2",
        parser="strict",
        max_new_tokens=1,
        out=str(bench.homes.runs),
    )


def test_a_watcher_is_told_each_event(bench: Bench) -> None:
    told: list[Event] = []
    card = bench.run(scripted(two_variants), watch=told.append)
    assert told == events(bench, card)
