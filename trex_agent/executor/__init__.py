"""Executor: carries out a node's plan with the Lab's verbs. See `docs/design/executor.md`."""

from __future__ import annotations

from trex_agent.executor.recipe import carry_out, replicate, run_node

__all__ = ["carry_out", "replicate", "run_node"]
