"""Every agent of the house passes the contract that third parties inherit."""

from __future__ import annotations

from types import MappingProxyType

from ft_bench.testing.agents import AgentContract
from ft_bench_baselines.gbfs import Gbfs, Ses
from ft_bench_baselines.grid import Grid
from ft_bench_baselines.random_search import RandomSearch
from ft_bench_baselines.tpe import Tpe
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


class TestRandomSearch(AgentContract):
    agent = RandomSearch
    options = MappingProxyType({"variants": "2"})


class TestTpe(AgentContract):
    agent = Tpe
    options = MappingProxyType({"variants": "2", "startup": "2"})


class TestGbfs(AgentContract):
    agent = Gbfs
    options = MappingProxyType({"variants": "2", "confirm_top": "2", "confirm_seeds": "1"})


class TestSes(AgentContract):
    agent = Ses
    options = MappingProxyType({"variants": "2", "confirm_top": "2", "confirm_seeds": "1"})
