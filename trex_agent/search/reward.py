"""Reward: from raw validation metrics to a scale that a search can use, by one fold over the tree.

The reported gain is never used here: one hundredth of a metric is 0.83 gain on one task and 0.02
on another.
"""

from __future__ import annotations

from dataclasses import dataclass

from ft_bench.tree import Tree

__all__ = ["Scale", "noise", "rewards", "span"]

_SIGMAS = 8.0
_DEGENERATE = 0.5


@dataclass(frozen=True, slots=True)
class Scale:
    """The span of metrics that rewards are measured on: `lo` earns 0, `hi` earns 1."""

    lo: float
    hi: float

    def reward(self, value: float) -> float:
        """`value` on this scale, clipped to [0, 1]; 0.5 where the span is empty."""
        if self.hi <= self.lo:
            return _DEGENERATE
        return min(1.0, max(0.0, (value - self.lo) / (self.hi - self.lo)))


def noise(tree: Tree) -> float:
    """Standard deviation of one validation score: seed variance plus p(1-p)/n of the items.

    Seed variance comes from every configuration that was trained under several seeds.
    """
    if tree.base is None:
        return 0.0
    best = tree.best()
    value = best[1].score.value if best and best[1].score else tree.base.value
    p = min(1.0, max(0.0, value))
    sampling = p * (1 - p) / max(1, tree.base.n)
    return float((sampling + _seed_variance(tree)) ** 0.5)


def _seed_variance(tree: Tree) -> float:
    squares, degrees = 0.0, 0
    for node in tree:
        for outcome in node.outcomes:
            scores = [score.value for _, score in outcome.confirmations]
            if outcome.score is not None and scores:
                scores.append(outcome.score.value)
                mean = sum(scores) / len(scores)
                squares += sum((score - mean) ** 2 for score in scores)
                degrees += len(scores) - 1
    return squares / degrees if degrees else 0.0


def rewards(tree: Tree) -> dict[int, float]:
    """The reward of every node that succeeded; a failed one earns 0.

    r(v) = clip((m(v) - lo) / max(hi - lo, 8 sigma), 0, 1); hi is the best success, lo the worst,
    or the base where that is better. A metric that is to be small is turned round. A base that
    answers nothing lies so far below that, as lo, it would make all nodes look alike.
    """
    sign = 1.0 if tree.direction == "max" else -1.0
    values = {node.id: sign * value for node in tree if (value := tree.value(node.id)) is not None}
    if not values:
        return {node.id: 0.0 for node in tree if node.status == "failed"}
    lo, hi = min(values.values()), max(values.values())
    if tree.base is not None:
        lo = min(hi, max(lo, sign * tree.base.value))
    scale = Scale(lo, lo + max(hi - lo, _SIGMAS * noise(tree)))
    found = {node: scale.reward(value) for node, value in values.items()}
    return found | {node.id: 0.0 for node in tree if node.status == "failed"}


def span(tree: Tree) -> float:
    """How much of the metric is worth a reward of 1; 0 where nothing has succeeded."""
    sign = 1.0 if tree.direction == "max" else -1.0
    values = [sign * value for node in tree if (value := tree.value(node.id)) is not None]
    if not values:
        return 0.0
    lo, hi = min(values), max(values)
    if tree.base is not None:
        lo = min(hi, max(lo, sign * tree.base.value))
    return max(hi - lo, _SIGMAS * noise(tree))
