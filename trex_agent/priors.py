"""Priors: the rules of earlier runs on other tasks, as what to expect of a feature here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

__all__ = ["carried", "neutral"]

_FOREIGN = 0.5
"""How much of an effect on another task is believed here."""
_DOUBT = 4.0
"""Observations that a carried rule must outweigh: its mean is shrunk by n / (n + this)."""
_BOUND = 0.2
_OWN = re.compile(r"select_by_filter\(|lora$|log2 rows$")


def neutral(feature: str) -> bool:
    """Whether a feature means the same on another task: no filter on its columns, no model size."""
    return _OWN.match(feature) is None


def carried(rules: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Rules of other tasks as a prior: expected reward of one unit of each neutral feature.

    Each rule counts by its observations; the mean is halved, as the task is another, and shrunk
    where few observations stand behind it. What is not of the form is passed over.
    """
    sums: dict[str, tuple[float, float]] = {}
    for rule in rules:
        feature, reward, n = rule.get("feature"), rule.get("reward"), rule.get("n")
        if not isinstance(feature, str) or not neutral(feature):
            continue
        if not isinstance(reward, int | float) or not isinstance(n, int) or n < 1:
            continue
        if isfinite(reward):
            bounded = min(_BOUND, max(-_BOUND, float(reward)))
            total, weight = sums.get(feature, (0.0, 0.0))
            sums[feature] = (total + n * bounded, weight + n)
    return {
        feature: round(_FOREIGN * total / weight * weight / (weight + _DOUBT), 6)
        for feature, (total, weight) in sorted(sums.items())
    }
