"""Bench: a whole run in one process within a second: toy task, fake cluster, grader at hand.

Everything between the agent and the card is the product's own code; only the jobs are faked, and
the grader is called in place of being started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from ft_bench import finish, registry
from ft_bench.budget import Budget
from ft_bench.dataset import Datasets
from ft_bench.grader.grade import grade
from ft_bench.grader.spec import Grade, GradeSpec
from ft_bench.job import ModelRef
from ft_bench.lab import MeteredLab, Setting
from ft_bench.ledger import Ledger
from ft_bench.prepare import prepare
from ft_bench.record import Card, Event
from ft_bench.registry import Group
from ft_bench.request import Homes, RunRequest
from ft_bench.runner import run
from ft_bench.store import Journal, RunPaths
from ft_bench.testing.cluster import FakeCluster, run_job
from ft_bench.tree import Tree

__all__ = ["Bench", "plugged"]

TASK = "toy"
_HOME = "ft_bench.testing.toy"


class _Plug(EntryPoint):
    """An entry point that holds its object."""

    def load(self) -> Any:
        """The object."""
        return vars(self)["held"]


def _plug(group: Group, name: str, value: str, held: object) -> EntryPoint:
    point = _Plug(name, value, f"ft_bench.{group}")
    vars(point)["held"] = held
    return point


@contextmanager
def plugged(plugs: Mapping[tuple[Group, str], object]) -> Iterator[None]:
    """Plug-ins that exist in this process only, by group and name; they hide others of that name.

    A task is given as the name of its package, anything else as the object itself.
    """
    before = {group: dict(registry.available(group)) for group, _ in plugs}
    registry.task.cache_clear()
    try:
        for (group, name), held in plugs.items():
            value = held if isinstance(held, str) else "ft_bench.testing"
            registry.available(group)[name] = _plug(group, name, value, held)
        yield
    finally:
        registry.task.cache_clear()
        for group, points in before.items():
            registry.available(group).clear()
            registry.available(group).update(points)


@contextmanager
def _grading_here() -> Iterator[None]:
    before = finish.grade_apart
    finish.grade_apart = _grade_here
    try:
        yield
    finally:
        finish.grade_apart = before


def _grade_here(spec: GradeSpec, limit_seconds: float) -> Grade:
    return grade(spec)


class Bench:
    """Runs agents on the toy task below one folder.

    Args:
        root: a folder of its own, e.g. pytest's `tmp_path`.
    """

    def __init__(self, root: Path) -> None:
        self.homes = Homes(cache=root / "cache", private=root / "private", runs=root / "runs")

    def request(self, agent: str, **changes: Any) -> RunRequest:
        """A request for `agent` with three iterations; `changes` are fields of RunRequest."""
        given = {"budget": Budget(iterations=3), "backend": "offline", **changes}
        return RunRequest(task=TASK, agent=agent, homes=self.homes, cluster="fake", **given)

    def run(
        self,
        agent: type[Any] | str,
        cluster: FakeCluster | None = None,
        watch: Callable[[Event], None] = lambda _: None,
        **changes: Any,
    ) -> Card:
        """Run (or take up) an agent to its card: a class, or what `--agent` names."""
        name = agent if isinstance(agent, str) else agent.name
        with self.open(agent, cluster or FakeCluster()):
            return run(self.request(name, **changes), watch)

    @contextmanager
    def open(self, agent: type[Any] | str, cluster: FakeCluster) -> Iterator[None]:
        """The toy task, the agent and the cluster are registered meanwhile."""
        plugs: dict[tuple[Group, str], object] = {
            ("tasks", TASK): _HOME,
            ("backends", "cluster.fake"): lambda slots: cluster,
            ("backends", "worker"): run_job,
        }
        if not isinstance(agent, str):
            plugs["agents", agent.name] = agent
        with plugged(plugs), _grading_here():
            yield

    @contextmanager
    def lab(
        self, cluster: FakeCluster, budget: Budget, job_seconds: float = 3600.0
    ) -> Iterator[MeteredLab]:
        """A Lab of its own, without a runner; the next one on this bench takes it up again."""
        paths = RunPaths(self.homes.runs / "lab")
        with plugged({("tasks", TASK): _HOME}):
            spec = registry.task(TASK)
            data = prepare(spec, self.homes.cache, self.homes.private)
            journal = Journal(paths)
            try:
                journal.open_attempt()
                ledger = Ledger(
                    journal, budget, tree=Tree(), slots=cluster.slots, job_seconds=job_seconds
                )
                setting = Setting(
                    data=data,
                    scorer=registry.scorer(spec.scorer),
                    base=ModelRef(base=spec.base_model),
                    base_name=spec.base_model,
                    base_parameters=0,
                    seed=0,
                    budget=budget,
                    job_seconds=job_seconds,
                )
                aidp = registry.backend("build", "aidp")
                datasets = Datasets(data, paths.datasets, aidp, paths.root / "workspace")
                yield MeteredLab(setting, ledger, cluster, datasets)
            finally:
                journal.close()

    def paths(self, card: Card) -> RunPaths:
        """Where a run lies."""
        return RunPaths(self.homes.runs / card.run_id)
