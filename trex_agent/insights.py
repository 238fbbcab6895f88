"""Insights: what a run taught about the space, as rules: feature, effect with interval, n.

A rule of effect is in units of the metric; `reward` is the same on the scale of the search, so
that rules of another task can be compared with it. A failure that two nodes share is a rule too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ft_bench.tree import Tree
from trex_agent.researcher import observations
from trex_agent.search.closing import recurring
from trex_agent.search.reward import noise, span
from trex_agent.surrogate import Effect, Surrogate

__all__ = ["insights"]

_MOST_FAILURES = 4


def insights(tree: Tree, most: int = 8) -> list[dict[str, Any]]:
    """The best supported rules so far, as JSON data.

    Effects are in units of the metric for one unit of the feature, fitted jointly with a flat
    prior on every scored configuration; the interval is the posterior's 95 %.
    """
    failures = [_failure(name, nodes) for name, nodes in recurring(tree).items()]
    observed = observations(tree)
    if len(observed) < 3:
        return failures[:_MOST_FAILURES]
    model = Surrogate(observed, [], {}, max(noise(tree), 0.01))
    width = max(span(tree), 1e-9)
    rules = [_rule(item, width, tree.direction) for item in model.effects()[:most] if item.n > 0]
    return [*rules, *failures[:_MOST_FAILURES]]


def _rule(item: Effect, width: float, direction: str) -> dict[str, Any]:
    supported = item.low > 0 or item.high < 0
    sign = 1.0 if direction == "max" else -1.0
    sure = "" if supported else "; not told from 0"
    return {
        "feature": item.feature,
        "effect": round(item.effect, 4),
        "low": round(item.low, 4),
        "high": round(item.high, 4),
        "n": item.n,
        "supported": supported,
        "reward": round(sign * item.effect / width, 4),
        "text": f"{item.feature}: {item.effect:+.3f} ({item.low:+.3f} to {item.high:+.3f}, "
        f"n {item.n}{sure})",
    }


def _failure(name: str, nodes: Sequence[int]) -> dict[str, Any]:
    listed = ", ".join(map(str, nodes[:8])) + (", …" if len(nodes) > 8 else "")
    return {
        "failure": name,
        "nodes": list(nodes),
        "n": len(nodes),
        "text": f"nodes {listed} failed alike: {name}",
    }
