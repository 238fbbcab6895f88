"""The contract that third parties inherit holds for the example behind every door."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from ft_bench.budget import Budget
from ft_bench.record import Card
from ft_bench.testing.agents import AgentContract
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTED = Path(__file__).parents[1] / "data" / "agents" / "scripted_inspect.py"


class TestMyAgent(AgentContract):
    agent = f"{EXAMPLES / 'my_agent.py'}:MyAgent"


class _Apart(TestMyAgent):
    """The same agent in a process of its own: what that could change, and nothing twice."""

    isolation = "process"


Whole = tuple[Bench, Card]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What it does within the harness's process."""
    bench = Bench(tmp_path_factory.mktemp("within"))
    return bench, TestMyAgent.run(bench)


def test_apart_an_agent_makes_the_same_run(whole: Whole, tmp_path: Path) -> None:
    _Apart().test_the_same_seed_gives_the_same_run(whole, Bench(tmp_path))


def test_apart_an_agent_resumes(whole: Whole, tmp_path: Path) -> None:
    _Apart().test_it_resumes_as_if_nothing_had_happened(whole, Bench(tmp_path), 4)


def test_apart_an_agent_ends_in_peace_when_the_budget_ends(tmp_path: Path) -> None:
    _Apart().test_it_ends_in_peace_when_the_budget_ends(Bench(tmp_path), 9.0)


def test_apart_an_agent_survives_failures_and_leaves_a_broken_machine(
    whole: Whole, tmp_path: Path
) -> None:
    _Apart().test_it_survives_when_everything_fails(Bench(tmp_path / "failing"))
    _Apart().test_it_leaves_a_broken_machine_to_the_harness(whole, Bench(tmp_path / "broken"))


class TestBashAgent(AgentContract):
    agent = str(EXAMPLES / "bash_agent" / "agent.toml")
    options = MappingProxyType({"rows": "600"})
    iterations = 1  # as many kinds of question; each is a process


def test_the_inspect_agent_competes(tmp_path: Path) -> None:
    bench, cluster = Bench(tmp_path), FakeCluster()
    given = {"budget": Budget(iterations=1), "options": {"model": "scripted/climber"}}
    card = bench.run(f"inspect:{SCRIPTED}:climber", cluster, **given)
    assert card.status == "complete", card.stop_reason
    assert sorted(cluster.trainings) == ["000/v0", "001/v0"]
    assert card.usage.tokens > 0
    assert card.usage.tokens % 100 == 0
