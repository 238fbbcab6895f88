"""Agents: the contract test that every agent must pass; a plug-in inherits it.

```python
from ft_bench.testing.agents import AgentContract


class TestMine(AgentContract):
    agent = MyAgent  # or what --agent names: "path/to/agent.toml", "file.py:Class"
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ValidationError

from ft_bench.budget import Budget
from ft_bench.doors.entrant import entrant
from ft_bench.errors import FailureKind, JobFailed
from ft_bench.job import Job, TrainJob
from ft_bench.record import Card
from ft_bench.store import read_events
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster, Killed

__all__ = ["AgentContract"]

_SHARED = {"status", "validation", "test", "gain", "selected_node", "selected_variant"}


class AgentContract:
    """What a harness may expect of an agent, on the toy task and the fake cluster."""

    agent: ClassVar[type[Any] | str]
    options: ClassVar[Mapping[str, str]] = {}
    isolation: ClassVar[str] = "none"
    iterations: ClassVar[int] = 2

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        """A bench of its own for each test."""
        return Bench(tmp_path)

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Card]:
        """An undisturbed run, and the bench that it was on."""
        bench = Bench(tmp_path_factory.mktemp("whole"))
        return bench, cls.run(bench)

    @classmethod
    def run(cls, bench: Bench, cluster: FakeCluster | None = None, **changes: Any) -> Card:
        """Run the agent with its options, by default for `iterations`, to a card."""
        given = {"budget": Budget(iterations=cls.iterations), "isolation": cls.isolation, **changes}
        return bench.run(cls.agent, cluster, options=cls.options, **given)

    @property
    def entry(self) -> Any:
        """The agent with its `name` and `Options`, whichever door it comes through."""
        return entrant(self.agent) if isinstance(self.agent, str) else self.agent

    def test_it_has_a_name_that_fits_a_run_id(self) -> None:
        """Lower case, no blanks."""
        assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", self.entry.name)

    def test_its_options_are_checked(self) -> None:
        """`Options` refuses what it does not know, and everything has a default."""
        model: type[BaseModel] = self.entry.Options
        model()
        with pytest.raises(ValidationError):
            model.model_validate({"there is no such option": 1})

    def test_it_ends_with_a_model_that_can_be_graded(self, whole: tuple[Bench, Card]) -> None:
        """A run within its budget is complete."""
        _, card = whole
        assert card.status == "complete"
        assert card.n_test_evaluations == 1
        assert card.usage.iterations <= self.iterations

    def test_it_closes_every_node_that_it_opens(self, whole: tuple[Bench, Card]) -> None:
        """No node is left running."""
        bench, card = whole
        events, _ = read_events(bench.paths(card).events)
        planned = [event.body.node for event in events if event.body.kind == "planned"]
        closed = [event.body.node for event in events if event.body.kind == "concluded"]
        assert sorted(closed) == planned

    def test_the_same_seed_gives_the_same_run(
        self, whole: tuple[Bench, Card], bench: Bench
    ) -> None:
        """On another day, on another machine."""
        _same(self.run(bench), whole[1])

    @pytest.mark.parametrize("after", [1, 4])
    def test_it_resumes_as_if_nothing_had_happened(
        self, whole: tuple[Bench, Card], bench: Bench, after: int
    ) -> None:
        """Killed in its n-th training and started again, it repeats nothing that had ended."""
        cluster, again = FakeCluster(midway=_Fuse(after)), FakeCluster()
        if whole[1].trainings >= after:
            with pytest.raises(Killed):
                self.run(bench, cluster)
        _same(self.run(bench, again), whole[1])
        twice = [name for name in again.trainings if name in cluster.trainings]
        assert len(twice) <= 1

    @pytest.mark.parametrize("seconds", [0.5, 9.0])
    def test_it_ends_in_peace_when_the_budget_ends(self, bench: Bench, seconds: float) -> None:
        """A refusal is no crash, and no limit is passed."""
        budget = Budget(iterations=self.iterations, device_seconds=seconds)
        card = self.run(bench, budget=budget)
        assert card.status in ("complete", "no_valid_model")
        assert card.usage.device_seconds <= seconds

    @pytest.mark.parametrize("variants", [1, 8])
    def test_it_keeps_to_the_variants_that_it_is_told(self, bench: Bench, variants: int) -> None:
        """`brief.max_variants` is a limit."""
        card = self.run(bench, budget=Budget(iterations=1, variants=variants))
        assert card.status == "complete"

    def test_it_survives_when_everything_fails(self, bench: Bench) -> None:
        """Failed trainings of either kind are ordinary; the base is what is left."""
        kinds: Iterator[FailureKind] = cycle(("OOM", "DIVERGED"))
        card = self.run(bench, FakeCluster(fails=lambda job: _of_training(job, next(kinds))))
        assert card.status in ("complete", "no_valid_model")
        assert card.gain.delta == 0

    def test_it_survives_when_every_third_training_fails(self, bench: Bench) -> None:
        """And still submits what worked."""
        count = iter(range(10_000))

        def rule(job: Job) -> FailureKind | None:
            return _of_training(job, "DIVERGED") if next(count) % 6 == 1 else None

        card = self.run(bench, FakeCluster(fails=rule))
        assert card.status == "complete"

    def test_it_leaves_a_broken_machine_to_the_harness(
        self, whole: tuple[Bench, Card], bench: Bench
    ) -> None:
        """A lost machine is no evidence: no node is closed on it, and the run can go on."""
        if whole[1].trainings:
            with pytest.raises(JobFailed, match="INFRA"):
                self.run(bench, FakeCluster(fails=lambda job: _of_training(job, "INFRA")))
        _same(self.run(bench), whole[1])


def _same(card: Card, other: Card) -> None:
    assert card.tree_digest == other.tree_digest
    assert card.model_dump(include=_SHARED) == other.model_dump(include=_SHARED)


def _of_training(job: Job, kind: FailureKind) -> FailureKind | None:
    return kind if isinstance(job, TrainJob) else None


class _Fuse:
    """Ends the process in the n-th training."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, job: Job) -> None:
        if isinstance(job, TrainJob):
            self.left -= 1
            if self.left == 0:
                raise Killed
