"""Every agent of the house passes the contract that third parties inherit."""

from __future__ import annotations

from types import MappingProxyType

from ft_bench.testing.agents import AgentContract
from ft_bench_baselines.grid import Grid
from ft_bench_baselines.untouched import Untouched
from trex_agent.agent import Trex


class TestUntouched(AgentContract):
    agent = Untouched


class TestGrid(AgentContract):
    agent = Grid
    options = MappingProxyType({"variants": "2"})


class TestTrex(AgentContract):
    agent = Trex
    options = MappingProxyType({"variants": "2", "confirm_top": "2", "confirm_seeds": "1"})
