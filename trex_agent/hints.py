"""Hints: what a diagnosis expects of the scheme's features, by named rules.

| finding at the parent | expectation |
|---|---|
| loss is flat | a higher learning rate helps |
| training diverged | a lower learning rate helps |
"""

from __future__ import annotations

from collections.abc import Mapping

from ft_bench.tree import Node

__all__ = ["EXPECTED", "SCHEME_FINDINGS", "hints"]

_RULES: Mapping[str, tuple[str, float]] = {
    "loss is flat": ("log10 lr", 0.1),
    "training diverged": ("log10 lr", -0.1),
}
EXPECTED: Mapping[str, float] = {"log2 rows seen": 0.35, "log2 batch": -0.2, "log2 rows": 0.05}
"""What is expected before anything is trained, in units of reward: more rows seen help, and so do
more optimiser steps at equal work. Taken from the matched pairs of `benchmarks/search`."""
SCHEME_FINDINGS = frozenset(_RULES) | {"texts truncated"}
"""Findings that the scheme, not the data, can mend."""


def hints(node: Node) -> dict[str, float]:
    """Expected effect of one unit of a feature, in units of reward, from the node's findings."""
    found: dict[str, float] = {}
    for finding in node.diagnosis.findings if node.diagnosis else ():
        if finding.name in _RULES:
            feature, effect = _RULES[finding.name]
            found[feature] = found.get(feature, 0.0) + effect
    return found
