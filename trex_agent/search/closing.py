"""Closing: where three equal failures have shown that a strategy does not work."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

from ft_bench.plan import Strategy
from ft_bench.record import Failed
from ft_bench.tree import Node, Tree

__all__ = ["closed_strategies", "exhausted", "recurring", "signature"]

_CLOSES, _TEACHES = 3, 2
_STRATEGIES: tuple[Strategy, ...] = (
    "refine_data_pipeline",
    "construct_synthetic_data",
    "adjust_training_scheme",
)
_NUMBER = re.compile(r"[0-9][0-9.,e+-]*")


def signature(failure: Failed) -> str:
    """What makes two failures equal: their kind and cause, whatever the numbers in it."""
    return f"{failure.failure}: {_NUMBER.sub('#', failure.cause)[:200]}"


def closed_strategies(tree: Tree, parent: int) -> frozenset[Strategy]:
    """Strategies of which three children of `parent` have failed alike."""
    counts: Counter[tuple[Strategy, str]] = Counter()
    for child in tree.children(parent):
        if child.status == "failed":
            counts.update({(child.plan.strategy, found) for found in _signatures(child)})
    return frozenset(strategy for (strategy, _), many in counts.items() if many >= _CLOSES)


def exhausted(tree: Tree, parent: int) -> bool:
    """Whether every strategy is closed at a node."""
    return closed_strategies(tree, parent) >= set(_STRATEGIES)


def recurring(tree: Tree) -> Mapping[str, tuple[int, ...]]:
    """Failures that at least two nodes share, wherever they hang: signature to nodes."""
    nodes: defaultdict[str, list[int]] = defaultdict(list)
    for node in tree:
        for found in sorted(_signatures(node)):
            nodes[found].append(node.id)
    return {name: tuple(held) for name, held in sorted(nodes.items()) if len(held) >= _TEACHES}


def _signatures(node: Node) -> set[str]:
    return {signature(failure) for failure in node.failures()}
