from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ft_bench.budget import Budget
from ft_bench.errors import BudgetExhausted, JobFailed
from ft_bench.job import Job, TrainJob
from ft_bench.lab import MeteredLab
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Variant
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster
from ft_bench.testing.records import plan
from trex_agent.executor import replicate, run_node

EMPTY = DataRecipe(
    steps=(Operation(op="select_by_filter", params={"where": "length(prompt) > 99999"}),)
)
Opened = Callable[..., AbstractContextManager[MeteredLab]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """A Lab on a given cluster."""

    def open_lab(cluster: FakeCluster, **limits: Any) -> AbstractContextManager[MeteredLab]:
        return Bench(tmp_path).lab(cluster, Budget(iterations=3, **limits))

    return open_lab


def of_rate(*rates: float, kind: str = "DIVERGED") -> Callable[[Job], Any]:
    """Trainings at these rates fail."""
    return lambda job: kind if isinstance(job, TrainJob) and job.variant.lr in rates else None


def statuses(lab: MeteredLab, node: int = 0) -> list[str]:
    return [
        "failed" if item.failure else "scored" if item.score else "open"
        for item in lab.tree.node(node).outcomes
    ]


def test_every_variant_is_trained_and_scored(opened: Opened) -> None:
    with opened(FakeCluster(slots=2)) as lab:
        run_node(lab, lab.propose(None, plan(1e-4, 2e-4, 3e-4)))
        assert statuses(lab) == ["scored"] * 3


def test_a_failure_leaves_the_others_alone(opened: Opened) -> None:
    with opened(FakeCluster(fails=of_rate(1e-4, 3e-4))) as lab:
        run_node(lab, lab.propose(None, plan(1e-4, 2e-4, 3e-4)))
        assert statuses(lab) == ["failed", "scored", "failed"]


def test_the_pilot_runs_alone_until_one_has_worked(opened: Opened) -> None:
    """The first fails, the second works; only then do two run at once."""
    order: list[float] = []
    cluster = FakeCluster(
        slots=2,
        fails=of_rate(1e-4),
        midway=lambda job: order.append(job.variant.lr) if isinstance(job, TrainJob) else None,
    )
    with opened(cluster) as lab:
        run_node(lab, lab.propose(None, plan(1e-4, 2e-4, 3e-4, 4e-4)))
        assert order[:2] == [1e-4, 2e-4]
        assert sorted(order) == [1e-4, 2e-4, 3e-4, 4e-4]


def test_variants_whose_data_cannot_be_made_are_left_out(opened: Opened) -> None:
    made = ExperimentPlan(
        strategy="establish_baseline",
        objective="x",
        variants=(Variant(recipe=EMPTY), Variant(lr=2e-4), Variant(lr=3e-4, recipe=EMPTY)),
    )
    cluster = FakeCluster()
    with opened(cluster) as lab:
        run_node(lab, lab.propose(None, made))
        assert lab.tree.value(0) is not None
        assert cluster.trainings == {"000/v1": 1}
        events = [body for body in lab.ledger.journal.bodies if body.kind == "failed"]
        assert [body.failure for body in events] == ["DATA_EMPTY"]


def test_a_node_of_failures_ends_in_peace(opened: Opened) -> None:
    with opened(FakeCluster(fails=of_rate(1e-4, 2e-4))) as lab:
        run_node(lab, lab.propose(None, plan(1e-4, 2e-4)))
        assert statuses(lab) == ["failed", "failed"]


@pytest.mark.parametrize("slots", [1, 2])
def test_a_lost_machine_is_handed_on(opened: Opened, slots: int) -> None:
    with opened(FakeCluster(slots=slots, fails=of_rate(2e-4, kind="INFRA"))) as lab:
        node = lab.propose(None, plan(1e-4, 2e-4, 3e-4))
        with pytest.raises(JobFailed, match="INFRA"):
            run_node(lab, node)
        assert statuses(lab)[:2] == ["scored", "open"]


@pytest.mark.parametrize("slots", [1, 2])
def test_the_end_of_the_budget_is_handed_on_after_what_was_under_way(
    opened: Opened, slots: int
) -> None:
    with opened(FakeCluster(slots=slots), device_seconds=12.0) as lab:
        node = lab.propose(None, plan(*(n * 1e-4 for n in range(1, 6))))
        with pytest.raises(BudgetExhausted):
            run_node(lab, node)
        assert statuses(lab)[0] == "scored"
        assert not lab.ledger.meter.open
        assert lab.ledger.meter.spent.device_seconds <= 12.0


def test_replicas_are_of_what_was_trained(opened: Opened) -> None:
    cluster = FakeCluster(fails=of_rate(1e-4))
    with opened(cluster) as lab:
        run_node(lab, lab.propose(None, plan(1e-4, 2e-4)))
        replicate(lab, [(0, variant, replica) for replica in (1, 2) for variant in (0, 1)])
        failed, worked = lab.tree.node(0).outcomes
        assert failed.confirmations == ()
        assert [replica for replica, _ in worked.confirmations] == [1, 2]
        assert cluster.trainings["000/v1.r2"] == 1
