"""Insights: what the run taught about the space: feature, effect with interval, n."""

from __future__ import annotations

from typing import Any

from ft_bench.tree import Tree
from trex_agent.researcher import observations
from trex_agent.search.reward import noise
from trex_agent.surrogate import Surrogate

__all__ = ["insights"]


def insights(tree: Tree, most: int = 8) -> list[dict[str, Any]]:
    """The features whose effect on the validation metric is best supported, as JSON data.

    Effects are in units of the metric for one unit of the feature, fitted jointly with a flat
    prior on every scored configuration; the interval is the posterior's 95 %.
    """
    observed = observations(tree)
    if len(observed) < 3:
        return []
    model = Surrogate(observed, [], {}, max(noise(tree), 0.01))
    return [
        {
            "feature": item.feature,
            "effect": round(item.effect, 4),
            "low": round(item.low, 4),
            "high": round(item.high, 4),
            "n": item.n,
            "supported": item.low > 0 or item.high < 0,
        }
        for item in model.effects()[:most]
        if item.n > 0
    ]
