"""Transition: what became of each item from the parent's best to a node's variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ft_bench.digest import derive_seed
from ft_bench.lab import BASE, model_id
from ft_bench.plan import changes
from ft_bench.protocols import Lab
from ft_bench.record import Contrast, Interval
from ft_bench.stats import bootstrap, resample
from ft_bench.tree import Node, Outcome, Tree

__all__ = ["Flips", "before_of", "contrasts", "flips_of", "item_delta"]

_RIGHT = 1 - 1e-9
_LEAST_WIDTH = 1e-9
Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Flips:
    """Places of the items that went from wrong to right, from right to wrong, or stayed wrong."""

    fixed: tuple[int, ...]
    broken: tuple[int, ...]
    still_wrong: tuple[int, ...]


def before_of(tree: Tree, node: Node) -> tuple[str, Outcome | None]:
    """What a node is compared with: its parent's best model, at the root the base."""
    if node.parent is None:
        return BASE, None
    best = tree.node(node.parent).best(tree.direction)
    return (model_id(node.parent, best.index), best) if best else (BASE, None)


def flips_of(after: Items, before: Items) -> Flips:
    """Compare two models item by item."""
    pairs = [
        (now["value"] >= _RIGHT, then["value"] >= _RIGHT)
        for now, then in zip(after, before, strict=True)
    ]
    return Flips(
        *(
            tuple(place for place, pair in enumerate(pairs) if pair == kind)
            for kind in ((True, False), (False, True), (False, False))
        )
    )


def item_delta(lab: Lab, model: str, after: Items, before: Items) -> Interval | None:
    """The mean item value less the other model's: 95 % interval of the paired item bootstrap.

    None where no item differs, or there are none.
    """
    values = np.array(
        [(now["value"], then["value"]) for now, then in zip(after, before, strict=True)]
    ).reshape(-1, 2)
    if not len(values) or not (values[:, 0] != values[:, 1]).any():
        return None
    seed = derive_seed(lab.brief.seed, "item delta", model)
    sums = resample(values[:, :1] - values[:, 1:], seed) / len(values)
    found = bootstrap(sums[:, 0], method="paired bootstrap of item values")
    return found if found.high - found.low > _LEAST_WIDTH else None


def contrasts(
    lab: Lab, node: Node, probability: float | None, *, flips: bool
) -> tuple[Contrast, ...]:
    """Every scored variant against the parent's best: fields changed, delta, flips.

    Args:
        lab: the bench.
        node: below the root; the root has none.
        probability: of the node's best variant being better than the parent's best.
        flips: whether to count what was fixed and broken, which reads every item.
    """
    model, before = before_of(lab.tree, node)
    best = node.best(lab.tree.direction)
    if before is None or before.score is None:
        return ()
    then = lab.items(model) if flips else []
    found = []
    for outcome in node.outcomes:
        if outcome.score is None:
            continue
        made = changes((before.recipe, before.variant), (outcome.recipe, outcome.variant))
        now = lab.items(model_id(node.id, outcome.index)) if flips else []
        flipped = flips_of(now, then)
        found.append(
            Contrast(
                variant=outcome.index,
                fields=tuple(change.field for change in made),
                delta=round(outcome.score.value - before.score.value, 6),
                probability_better=probability if outcome is best else None,
                fixed=len(flipped.fixed),
                broken=len(flipped.broken),
            )
        )
    return tuple(found)
