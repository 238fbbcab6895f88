"""Determinants: which changed fields go with gains, over every pair of parent and child so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ft_bench.plan import Change, DataRecipe, Variant, changes
from ft_bench.record import Determinant
from ft_bench.tree import Tree
from trex_agent.search.reward import noise
from trex_agent.space import feature_of

__all__ = ["Pair", "determinants", "pairs", "turn"]

_LEAST_NOISE = 0.01
_Z = 1.96
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """A scored variant and its parent's best: the turns between them and the metric's delta.

    `delta` is turned so that more is better.
    """

    parent: int
    turns: tuple[str, ...]
    delta: float


def turn(change: Change) -> str:
    """A change as something that another pair may share: the field, and which way it went."""
    before, after = change.before, change.after
    numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (before, after))
    if numeric:
        return f"{change.field} {'up' if after > before else 'down'}"
    return f"{change.field} {after}" if isinstance(after, str) else f"{change.field} changed"


def pairs(tree: Tree) -> Iterator[Pair]:
    """Every scored variant below the root against the best of its node's parent."""
    sign = 1.0 if tree.direction == "max" else -1.0
    for node in tree:
        before = tree.node(node.parent).best(tree.direction) if node.parent is not None else None
        if node.parent is None or before is None or before.score is None:
            continue
        for outcome in node.outcomes:
            turns = _turns(before.recipe, before.variant, outcome.recipe, outcome.variant)
            if outcome.score is not None and turns:
                delta = sign * (outcome.score.value - before.score.value)
                yield Pair(node.parent, turns, delta)


@lru_cache(maxsize=4096)
def _turns(
    recipe: DataRecipe, variant: Variant, new_recipe: DataRecipe, new_variant: Variant
) -> tuple[str, ...]:
    """Every turn from one configuration to another; remembered, as each node asks for all again."""
    made = changes((recipe, variant), (new_recipe, new_variant))
    return (*_steps(recipe, new_recipe), *_numbers(made))


def _steps(before: DataRecipe, after: DataRecipe) -> tuple[str, ...]:
    """Operators that came or went, each named with what tells it apart from its like."""
    old, new = ({feature_of(step) for step in recipe.steps} for recipe in (before, after))
    added = [f"{name} added" for name in sorted(new - old)]
    return (*added, *(f"{name} dropped" for name in sorted(old - new)))


def _numbers(made: Sequence[Change]) -> tuple[str, ...]:
    """The other turns: of the scheme, the sources and the cap on rows."""
    fields = ("recipe.max_samples", "recipe.sources")
    return tuple(
        turn(change)
        for change in made
        if change.field.startswith("variant.") or change.field in fields
    )


def determinants(tree: Tree, most: int = 12) -> tuple[Determinant, ...]:
    """What each turn goes with, fitted jointly; the best supported first.

    A Bayesian linear regression (Bishop 2006, equations 3.50 and 3.51): delta = sum of the turns'
    effects - the parent's own luck + noise. All children of a parent share its luck, so it is a
    column of its own with the variance of one score; its mean stands for the fact that a best of
    several is chosen for luck. Intervals are the posterior's 95 %.
    """
    found = list(pairs(tree))
    if not found:
        return ()
    names = sorted({name for pair in found for name in pair.turns})
    parents = sorted({pair.parent for pair in found})
    x = np.array(
        [
            [
                *(float(name in pair.turns) for name in names),
                *(float(parent == pair.parent) for parent in parents),
            ]
            for pair in found
        ]
    )
    y = np.array([pair.delta for pair in found])
    mean, sd = _posterior(x, y, len(names), max(noise(tree), _LEAST_NOISE))
    fitted = [
        Determinant(
            field=name,
            effect=round(float(mean[place]), 4),
            low=round(float(mean[place] - _Z * sd[place]), 4),
            high=round(float(mean[place] + _Z * sd[place]), 4),
            n=int(x[:, place].sum()),
        )
        for place, name in enumerate(names)
    ]
    fitted.sort(key=lambda one: (-abs(one.effect) / max(one.high - one.low, 1e-9), one.field))
    return tuple(fitted[:most])


def _posterior(x: Floats, y: Floats, turns: int, sigma: float) -> tuple[Floats, Floats]:
    """Posterior mean and standard deviation of the weights; the first `turns` are effects."""
    spread = max(float(y.std()), sigma)
    variance = np.where(np.arange(x.shape[1]) < turns, spread**2, sigma**2)
    covariance = np.linalg.inv(np.diag(1.0 / variance) + x.T @ x / sigma**2)
    mean: Floats = covariance @ (x.T @ y) / sigma**2
    return mean, np.sqrt(np.diag(covariance))
