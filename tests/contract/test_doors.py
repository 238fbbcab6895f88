"""The contract that third parties inherit holds for the example behind every door."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType

import pytest

from ft_bench.testing.agents import AgentContract

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTED = Path(__file__).parents[1] / "data" / "agents" / "scripted_inspect.py"


class TestMyAgent(AgentContract):
    agent = f"{EXAMPLES / 'my_agent.py'}:MyAgent"


class TestMyAgentApart(AgentContract):
    agent = f"{EXAMPLES / 'my_agent.py'}:MyAgent"
    isolation = "process"


class TestBashAgent(AgentContract):
    agent = str(EXAMPLES / "bash_agent" / "agent.toml")
    options = MappingProxyType({"variants": "1"})


class TestInspectAgent(AgentContract):
    agent = f"inspect:{SCRIPTED}:climber"
    options = MappingProxyType({"model": "scripted/climber"})

    @pytest.fixture(autouse=True)
    def _examples(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES)]))

    def test_its_options_are_checked(self) -> None:
        model = self.entry.Options
        assert model(model="scripted/climber").messages == 200
