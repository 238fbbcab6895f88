"""The contract that third parties inherit holds for the example behind every door."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from ft_bench.budget import Budget
from ft_bench.testing.agents import AgentContract
from ft_bench.testing.bench import Bench
from ft_bench.testing.cluster import FakeCluster

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTED = Path(__file__).parents[1] / "data" / "agents" / "scripted_inspect.py"


class TestMyAgent(AgentContract):
    agent = f"{EXAMPLES / 'my_agent.py'}:MyAgent"


class TestMyAgentApart(AgentContract):
    agent = f"{EXAMPLES / 'my_agent.py'}:MyAgent"
    isolation = "process"


class TestBashAgent(AgentContract):
    agent = str(EXAMPLES / "bash_agent" / "agent.toml")
    options = MappingProxyType({"rows": "600"})


def test_the_inspect_agent_competes(tmp_path: Path) -> None:
    bench, cluster = Bench(tmp_path), FakeCluster()
    given = {"budget": Budget(iterations=1), "options": {"model": "scripted/climber"}}
    card = bench.run(f"inspect:{SCRIPTED}:climber", cluster, **given)
    assert card.status == "complete", card.stop_reason
    assert sorted(cluster.trainings) == ["000/v0", "001/v0"]
    assert card.usage.tokens > 0
    assert card.usage.tokens % 100 == 0
